"""`llmkit chat` with a prompt: what goes to the model, what comes out where, and the line at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmkit.testing.simulator import Reply, Simulator


def interrupt(process: subprocess.Popen[bytes]) -> int:
    """Send SIGINT until it ends: one that comes just before a system call may be seen only after it."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    return process.wait()


def sent(sim: Simulator) -> Any:
    """The body of the only request."""
    (request,) = sim.requests
    return request.json


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("-p", "openrouter", "-m", "openai/gpt-4o-mini"), "openai/gpt-4o-mini · 2 + 4 tokens · $0.0000027"),
        (("-p", "openrouter", "-m", "x/y:free"), "x/y:free · 2 + 4 tokens · $0"),
        (("-p", "openai", "-m", "gpt-4o-mini"), "gpt-4o-mini-2024-07-18 · 2 + 4 tokens · cost unknown"),
        (("-p", "ollama", "-m", "llama3.2"), "llama3.2 · 2 + 4 tokens · free"),
        (("--no-stream", "-p", "openrouter", "-m", "openai/gpt-4o"), "openai/gpt-4o · 2 + 4 tokens · $0.000045"),
        (("-p", "ollama:llama3.2"), "llama3.2 · 2 + 4 tokens · free"),
        (("-p", "openrouter", "-m", "fault:nousage"), "fault:nousage · tokens unknown · cost unknown"),
    ],
)
def test_answer_and_line(shell: Any, words: tuple[str, ...], line: str) -> None:
    """The answer goes to stdout, and to stderr one line with model, tokens and cost."""
    done = shell.run("chat", "hello", *words)
    assert (done.code, done.out, done.err) == (0, "You said: hello\n", f"{line}\n")
    assert shell.sim.requests[0].stream is ("--no-stream" not in words)


@pytest.mark.parametrize(
    ("prompt", "piped", "question"),
    [
        ((), "from a pipe\n", "from a pipe"),
        (("-",), "from a pipe\n", "from a pipe"),
        (("Translate:",), "Bonjour\nle monde\n", "Translate:\n\nBonjour\nle monde"),
        (("alone",), "", "alone"),
        (("alone",), "\n", "alone"),
        ((), "\ufeffümlaut", "ümlaut"),
    ],
)
def test_prompt_and_pipe(shell: Any, prompt: tuple[str, ...], piped: str, question: str) -> None:
    """The prompt is the argument, what is piped in, or both with an empty line between."""
    assert shell.run("chat", *prompt, "-p", "ollama", "-m", "llama3.2", stdin=piped).code == 0
    assert sent(shell.sim)["messages"] == [{"role": "user", "content": question}]


def test_options_reach_the_service(shell: Any) -> None:
    """System message and settings go out under the service's names, those of --set too."""
    done = shell.run(
        "chat", "hi", "-p", "openrouter", "-m", "a/b", "--system", "Be brief.", "--temperature", "0", "--max-tokens", "9",
        "--effort", "low", "--set", "seed=7", "--set", 'stop=["END"]', "--set", "user=me",
    )  # fmt: skip
    assert done.code == 0, done.err
    body = sent(shell.sim)
    assert [turn["content"] for turn in body["messages"]] == ["Be brief.", "hi"]
    assert (body["temperature"], body["max_completion_tokens"]) == (0, 9)
    assert (body["seed"], body["stop"], body["user"], body["reasoning"]) == (7, ["END"], "me", {"effort": "low"})


def test_nothing_more_is_sent(shell: Any) -> None:
    """Without options nothing but model, messages and the wish to stream goes out."""
    shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b")
    assert set(sent(shell.sim)) == {"model", "messages", "stream"}


def test_chunks_come_through_at_once(shell: Any) -> None:
    """Each piece is written when it comes: the next one is sent only after the last was read from the pipe."""
    pieces = ["one ", "two ", "three"]
    shell.sim.script(Reply(chunks=pieces, gated=True))
    with shell.start("chat", "hi", "-p", "openrouter", "-m", "a/b", stdin=subprocess.DEVNULL) as process:
        for piece in pieces:
            shell.sim.release()
            assert process.stdout.read(len(piece)) == piece.encode()
        shell.sim.release(10)
        assert process.stdout.read() == b"\n"
        assert process.wait(60) == 0


def test_base_url_alone_is_a_compatible_service(shell: Any) -> None:
    """With --base-url and no -p the service is an OpenAI-compatible one; a loopback one needs no key."""
    more = {"OPENAI_API_KEY": None, "OPENROUTER_API_KEY": None, "MY_KEY": "sk-mine"}
    url = shell.sim.openai_url
    done = shell.run("chat", "hi", "-m", "any", "--base-url", url, "--key-env", "MY_KEY", more=more)
    assert (done.code, done.out) == (0, "You said: hi\n")
    assert shell.sim.requests[0].headers["authorization"] == "Bearer sk-mine"
    assert "sk-mine" not in done.out + done.err


@pytest.mark.parametrize(
    ("gone", "model", "dialect"),
    [
        ((), "a/b", "openrouter"),
        (("OPENROUTER_API_KEY",), "gpt-4o-mini", "openai"),
        (("OPENROUTER_API_KEY", "OPENAI_API_KEY"), "llama3.2", "ollama"),
        (("OPENROUTER_API_KEY", "OPENAI_API_KEY"), None, "ollama"),
    ],
)
def test_provider_is_found(shell: Any, gone: tuple[str, ...], model: str | None, dialect: str) -> None:
    """Without -p it is openrouter or openai if its key is set, else an Ollama that answers, with its newest model."""
    words = [] if model is None else ["-m", model]
    done = shell.run("chat", "hi", *words, more=dict.fromkeys(gone))
    assert done.code == 0, done.err
    asked = shell.sim.requests[-1]
    assert (asked.dialect, asked.model) == (dialect, model or "llama3.1:latest")


def test_fallback_is_told(shell: Any) -> None:
    """After a fallback the line says who was asked and what came of it."""
    shell.sim.script_for("busy/model", Reply(status=429, headers={"Retry-After": "10"}))
    done = shell.run("chat", "hi", "-p", "openrouter:busy/model", "--fallback", "ollama:llama3.2")
    assert (done.code, done.out) == (0, "You said: hi\n")
    attempts = "2 attempts: openrouter:busy/model RateLimited 429, ollama:llama3.2 ok"
    assert done.err == f"llama3.2 · 1 + 3 tokens · free · {attempts}\n"


@pytest.mark.parametrize(
    ("reply", "out", "mark"),
    [
        (Reply(text="half an", finish_reason="length"), "half an\n", "cut at the token limit"),
        (Reply(text="", finish_reason="content_filter"), "", "cut by a content filter"),
        (Reply(refusal="I will not."), "I will not.\n", "the model refused"),
        (Reply(text="with an end\n"), "with an end\n", ""),
        (Reply(text="a", cost=Decimal("0.00000000012")), "a\n", "$0.00000000012"),
    ],
)
def test_how_an_answer_ended(shell: Any, reply: Reply, out: str, mark: str) -> None:
    """A finished answer is an answer: exit 0, ended by one line end, and the line says what is special about it."""
    shell.sim.script(reply)
    done = shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b")
    assert (done.code, done.out) == (0, out)
    assert mark in done.err


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
def test_reasoning_is_shown_on_request(shell: Any, stream: bool) -> None:
    """Reasoning goes to stderr with --reasoning, and nowhere without it."""
    for option in ((), ("--reasoning",)):
        shell.sim.script(Reply(reasoning="Let me think.", text="42"))
        words = (*option, *([] if stream else ["--no-stream"]))
        done = shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b", *words)
        assert done.out == "42\n"
        assert done.err.startswith("Let me think.\n") is bool(option)
        assert done.err.count("Let me think.") == len(option)


def test_json_is_the_whole_response(shell: Any) -> None:
    """--json writes one object with the text unchanged, usage, cost and attempts, and nothing a terminal obeys."""
    shell.sim.script(Reply(text="a\x1b[31mb\r\n\u202e"))
    done = shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b", "--json")
    value = json.loads(done.out)
    assert value["choices"][0]["message"]["content"] == "a\x1b[31mb\r\n\u202e"
    assert value["usage"]["prompt_tokens"] == 1
    assert value["attempts"][0]["outcome"] == "ok"
    assert done.out.isascii()
    assert "\x1b" not in done.out


def test_verbose_says_what_is_tried(shell: Any) -> None:
    """With -v failures that a fallback hides are told on stderr."""
    shell.sim.script_for("busy/model", Reply(status=503))
    done = shell.run("chat", "hi", "-v", "-p", "openrouter:busy/model", "--fallback", "ollama:llama3.2")
    assert "openrouter:busy/model failed (Overloaded)" in done.err
    assert done.out == "You said: hi\n"


def test_a_reader_that_leaves_ends_it_quietly(shell: Any) -> None:
    """When the reader of the pipe closes it (`| head`), the command ends with 0 and says nothing."""
    shell.sim.script(Reply(chunks=["line\n"] * 200, gated=True))
    with shell.start("chat", "hi", "-p", "openrouter", "-m", "a/b", stdin=subprocess.DEVNULL) as process:
        shell.sim.release()
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        shell.sim.release(400)
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
    assert shell.sim.wait_idle(10)


def test_a_full_disk_is_one_message(shell: Any) -> None:
    """An answer that cannot be written is an error with exit 1."""
    try:
        full = Path("/dev/full").open("wb")  # noqa: SIM115
    except OSError:
        pytest.skip("this system has no /dev/full")
    with full, shell.start("chat", "hi", "-p", "ollama", "-m", "x", stdin=subprocess.DEVNULL, stdout=full) as process:
        err = process.stderr.read().decode()
        assert process.wait(60) == 1
    assert err.startswith("error: cannot read or write: ")
    assert err.count("\n") == 1


def test_ctrl_c_keeps_what_came(shell: Any) -> None:
    """Ctrl-C stops an answer: what came stays on stdout, the exit code is 130, the connection is closed."""
    shell.sim.script(Reply(chunks=["one ", "two ", "three"], gated=True))
    with shell.start("chat", "hi", "-p", "openrouter", "-m", "a/b", stdin=subprocess.DEVNULL) as process:
        shell.sim.release(2)
        assert process.stdout.read(8) == b"one two "
        assert interrupt(process) == 130
        assert process.stdout.read() == b"\n"
        assert process.stderr.read() == "stopped · openrouter:a/b · tokens and cost unknown\n".encode()
    assert shell.sim.wait_idle(10)


def test_ctrl_c_twice(shell: Any) -> None:
    """A second Ctrl-C, while the command ends, brings no traceback."""
    shell.sim.script(Reply(chunks=["one ", "two ", "three"], gated=True))
    with shell.start("chat", "hi", "-p", "openrouter", "-m", "a/b", stdin=subprocess.DEVNULL) as process:
        shell.sim.release(2)
        assert process.stdout.read(8) == b"one two "
        process.send_signal(signal.SIGINT)
        assert interrupt(process) == 130
        assert b"Traceback" not in process.stderr.read()


def test_text_that_no_encoding_has(shell: Any) -> None:
    """A character that the output's encoding lacks becomes a question mark, also half a surrogate pair."""
    body = b'{"choices":[{"message":{"role":"assistant","content":"a\\ud800b \\u00e9"},"finish_reason":"stop"}]}'
    shell.sim.script(Reply(body=body))
    more = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b", "--no-stream", more=more, process=True)
    assert (done.code, done.out) == (0, "a?b ?\n"), done.err


Start = Callable[..., Any]


def test_one_shot_on_a_terminal(shell: Any, terminal: Start) -> None:
    """On a terminal a prompt is answered at once and the command ends; nobody is asked anything."""
    screen = terminal("chat", "hello", "-p", "ollama", "-m", "llama3.2")
    screen.see(r"You said: hello\r\nllama3.2 · 2 \+ 4 tokens · free\r\n")
    assert screen.end() == 0


# --- Attachments and history

PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


def test_attachments_go_behind_the_question(shell: Any) -> None:
    """-a takes paths and addresses, several of them, also with text from a pipe."""
    (shell.folder / "my photo.png").write_bytes(PNG)
    (shell.folder / "notes.txt").write_text("Buy milk.\n")
    done = shell.run(
        "chat", "-", "-p", "openrouter", "-m", "a/b", "-a", "my photo.png", "--attach", "notes.txt",
        "-a", "https://example.org/x.jpg", stdin="What is this?\n",
    )  # fmt: skip
    assert done.code == 0, done.err
    content = sent(shell.sim)["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text", "image_url"]
    assert content[0]["text"] == "What is this?"
    assert content[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert content[2]["text"] == '<file name="notes.txt">\nBuy milk.\n</file>'
    assert content[3]["image_url"]["url"] == "https://example.org/x.jpg"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("gone.png", "there is no file 'gone.png'. Looked for /"),
        (".", "'.' is a folder"),
        ("pipe", "not a regular file"),
        ("big.png", "'big.png' has 104,857,600 bytes (100.0 MiB); the limit is 20,971,520 (20.0 MiB)"),
        ("empty.png", "'empty.png' is empty"),
        ("blob", "the type of 'blob' is not known"),
    ],
)
def test_what_cannot_be_attached(shell: Any, name: str, what: str) -> None:
    """A file that cannot be attached is a mistake of the command line: exit 2, one line, nothing sent."""
    os.mkfifo(shell.folder / "pipe")
    (shell.folder / "empty.png").touch()
    (shell.folder / "blob").write_bytes(b"\x00\xff")
    with (shell.folder / "big.png").open("wb") as big:
        big.truncate(100 * 1024 * 1024)
    done = shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b", "-a", name)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert what in done.err
    assert "max_bytes" not in done.err
    assert shell.sim.requests == []


def test_history_goes_on_in_a_file(shell: Any) -> None:
    """--history begins a file, goes on from it, and keeps it as it was when a call fails."""
    words = ("-p", "openrouter", "-m", "a/b", "--history", "talk.json", "--set", "retry=null")
    assert shell.run("chat", "one", "--system", "Be brief.", *words).code == 0
    shell.sim.script(Reply(status=402))
    assert shell.run("chat", "lost", *words).code == 1
    assert shell.run("chat", "two", *words).code == 0
    told = [(turn["role"], turn["content"]) for turn in shell.sim.requests[-1].json["messages"]]
    assert told == [("system", "Be brief."), ("user", "one"), ("assistant", "You said: one"), ("user", "two")]
    assert len(json.loads((shell.folder / "talk.json").read_text())["messages"]) == 4


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"llmkit": "conversation", "version": 2}', "written by a newer llmkit (version 2; this one reads up to 1). "),
        ('{"llmkit": ', "talk.json: the history is not JSON"),
        ("[]", "talk.json: this is not the history"),
    ],
)
def test_a_history_that_cannot_be_read(shell: Any, text: str, what: str) -> None:
    """A damaged or newer file is exit 2; nothing is sent and the file stays."""
    file = shell.folder / "talk.json"
    file.write_text(text)
    done = shell.run("chat", "hi", "-p", "openrouter", "-m", "a/b", "--history", "talk.json")
    assert (done.code, done.out) == (2, "")
    assert what in done.err
    assert file.read_text() == text
    assert shell.sim.requests == []


def test_attachments_in_a_session(shell: Any, terminal: Start) -> None:
    """-a goes with the first question, /attach with the next one; a file that is not there is told."""
    (shell.folder / "my photo.png").write_bytes(PNG)
    (shell.folder / "notes.txt").write_text("Buy milk.\n")
    screen = terminal("chat", "-p", "openrouter", "-m", "a/b", "-a", "notes.txt")
    screen.see(r"with the next question: notes\.txt\r\n> ")
    screen.type("one\r")
    screen.see(r"tokens .*\r\n> ")
    screen.type("/attach gone.png\r")
    screen.see(r"error: there is no file 'gone\.png'.*\r\n> ")
    screen.type("/attach\r")
    screen.see(r"/attach FILE puts .*\r\n> ")
    screen.type("/attach my photo.png\r")
    screen.see(r"with the next question: my photo\.png\r\n> ")
    screen.type("two\r")
    screen.see(r"tokens .*\r\n> ")
    screen.type("three\r")
    screen.see(r"tokens .*\r\n> ")
    asked = [turn["content"] for turn in shell.sim.requests[-1].json["messages"] if turn["role"] == "user"]
    kinds = [text if isinstance(text, str) else [part["type"] for part in text] for text in asked]
    assert kinds == [["text", "text"], ["text", "image_url"], "three"]


def test_a_question_that_failed_keeps_its_attachments(shell: Any, terminal: Start) -> None:
    """After a failed call what was attached goes with the next question; the file of the history is kept up."""
    (shell.folder / "notes.txt").write_text("Buy milk.\n")
    screen = terminal(
        "chat", "-p", "openrouter", "-m", "a/b", "-a", "notes.txt", "--history", "talk.json", "--set", "retry=null"
    )
    screen.see(r"> ")
    shell.sim.script(Reply(status=402))
    screen.type("one\r")
    screen.see(r"error: .*402.*\r\n> ")
    assert not (shell.folder / "talk.json").exists()
    screen.type("two\r")
    screen.see(r"tokens .*\r\n> ")
    kept = json.loads((shell.folder / "talk.json").read_text())["messages"]
    assert [len(kept), len(kept[0]["content"]), kept[0]["content"][0]["text"]] == [2, 2, "two"]
    screen.type("/exit\r")
    assert screen.end() == 0
    screen = terminal("chat", "-p", "openrouter", "-m", "a/b", "--history", "talk.json")
    screen.see(r"openrouter:a/b\. 2 turns from before\. .*\r\n> ")


def test_a_whole_target_may_stand_in_model(shell: Any) -> None:
    """Without -p, `provider:model` in -m names both; a colon of the model's own name stays its own."""
    done = shell.run("chat", "hi", "-m", "ollama:qwen3:4b")
    assert done.code == 0, done.err
    assert (shell.sim.requests[-1].dialect, shell.sim.requests[-1].model) == ("ollama", "qwen3:4b")
    shell.run("chat", "hi", "-m", "google/gemma-3-27b-it:free")
    assert shell.sim.requests[-1].model == "google/gemma-3-27b-it:free"
