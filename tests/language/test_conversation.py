"""`Conversation`: what enters the history and when, what is sent, and that it survives JSON and files."""

from __future__ import annotations

import asyncio
import gc
import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import (
    AudioPart,
    BadRequest,
    ConfigError,
    FilePart,
    FunctionCall,
    ImagePart,
    LLMError,
    Message,
    OtherPart,
    StreamInterrupted,
    TextPart,
    ToolCall,
)
from llmkit.language.conversation import Conversation
from llmkit.language.history import HistoryError
from llmkit.testing import Answer, FakeModel
from llmkit.testing.simulator import Reply, Simulator


class Talk:
    """A conversation with the methods of a model, for the fixture `drive`."""

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk

    def chat_complete(self, text: Any, stream: bool, **settings: Any) -> Any:
        return self.talk.send(text, stream=stream, **settings)

    def achat_complete(self, text: Any, stream: bool, **settings: Any) -> Any:
        return self.talk.asend(text, stream=stream, **settings)


def say(drive: Any, talk: Conversation, text: str | None, mode: str = "plain", **settings: Any) -> str | None:
    """The answer to a question, plain or streamed, sync or async."""
    answer: str | None = drive.text(Talk(talk), mode, messages=text, **settings)
    return answer


def told(messages: Any) -> list[tuple[str, str]]:
    """Role and text of turns."""
    return [(turn.role, turn.text) for turn in messages]


# --- The history


def test_question_and_answer_enter_together(drive: Any, mode: str) -> None:
    """Each question goes out with all that was said before it, the system message first."""
    model = drive.keep(FakeModel("one!", "two!"))
    talk = Conversation(model, system="Be brief.")
    assert say(drive, talk, "one?", mode) == "one!"
    assert say(drive, talk, "two?", mode) == "two!"
    whole = [("user", "one?"), ("assistant", "one!"), ("user", "two?"), ("assistant", "two!")]
    assert told(talk.messages) == whole
    assert len(talk) == 4
    assert told(model.calls[1].messages) == [("system", "Be brief."), *whole[:3]]


def test_a_failed_call_changes_nothing(drive: Any, mode: str) -> None:
    """After an error the history is as it was, and the conversation can go on."""
    model = drive.keep(FakeModel("one!", LLMError("no"), "two!"))
    talk = Conversation(model)
    say(drive, talk, "one?", mode)
    assert drive.failure(Talk(talk), mode, messages="lost?").message == "no"
    say(drive, talk, "two?", mode)
    assert told(talk.messages) == [("user", "one?"), ("assistant", "one!"), ("user", "two?"), ("assistant", "two!")]


def test_a_broken_stream_changes_nothing(drive: Any, sim: Simulator) -> None:
    """A stream that breaks leaves the history as it was; the error has what came."""
    sim.script(Reply(chunks=["half ", "an ", "answer"], cut_after=2))
    talk = Conversation(drive.make(sim, "openrouter"))
    error = drive.failure(Talk(talk), "streamed", messages="one?")
    assert isinstance(error, StreamInterrupted)
    assert error.partial_text == "half an "
    assert talk.messages == ()
    assert say(drive, talk, "two?") == "You said: two?"


def test_a_stream_enters_when_it_is_over(drive: Any) -> None:
    """Until the end of its stream a question is not in the history, and no other can be asked."""
    talk = Conversation(drive.keep(FakeModel("one two three", "four")))
    stream = drive.open(Talk(talk), "count")
    drive.next(stream)
    assert talk.messages == ()
    for attempt in (lambda: drive.ask(Talk(talk), "again"), lambda: talk.add(Message("user", "x")), talk.clear):
        with pytest.raises(ConfigError, match="no complete answer yet"):
            attempt()
    fork = talk.fork()
    assert say(drive, fork, "aside") == "four"
    drive.rest(stream)
    assert told(talk.messages) == [("user", "count"), ("assistant", "one two three")]
    assert told(fork.messages) == [("user", "aside"), ("assistant", "four")]


def test_a_stream_that_is_left_changes_nothing(drive: Any) -> None:
    """A stream that was closed early is as if it had not been asked."""
    talk = Conversation(drive.keep(FakeModel("one two three", "four")))
    stream = drive.open(Talk(talk), "count")
    drive.next(stream)
    drive.close(stream)
    assert talk.messages == ()
    assert say(drive, talk, "next") == "four"


def test_what_nobody_holds_any_more_is_over(drive: Any) -> None:
    """A stream that was dropped does not hold the conversation up."""
    talk = Conversation(drive.keep(FakeModel("one two three", "four")))
    drive.open(Talk(talk), "count")
    gc.collect()
    assert say(drive, talk, "next") == "four"


def test_a_task_that_never_began() -> None:
    """A task that is cancelled before it began leaves the conversation free, without a warning."""

    async def cancelled() -> None:
        task = asyncio.create_task(talk.asend("dropped"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    talk = Conversation(FakeModel("next"))
    asyncio.run(cancelled())
    gc.collect()
    assert talk.send("next?").content == "next"
    assert len(talk) == 2


def test_two_threads_cannot_ask_at_once(sim: Simulator, drive: Any) -> None:
    """While one thread waits for the answer, another gets the error."""
    sim.script(Reply(text="slow", gated=True))
    talk = Conversation(drive.make(sim, "openrouter"))
    thread = threading.Thread(target=talk.send, args=("one",))
    thread.start()
    try:
        while not sim.requests:
            assert thread.is_alive()
        with pytest.raises(ConfigError, match="no complete answer yet"):
            drive.ask(Talk(talk), "two")
    finally:
        sim.release(10)
        thread.join(30)
    assert told(talk.messages) == [("user", "one"), ("assistant", "slow")]


def test_a_tool_turn(drive: Any, mode: str) -> None:
    """Results are added, and `send()` without a text goes on with them."""
    model = drive.keep(FakeModel(Answer(tool_calls=[("weather", {"city": "Rome"})]), "Sunny."))
    talk = Conversation(model)
    say(drive, talk, "Weather?", mode)
    (asked,) = talk.messages[-1].tool_calls
    talk.add({"role": "tool", "tool_call_id": asked.id, "content": "sun"})
    assert say(drive, talk, None, mode) == "Sunny."
    assert [turn.role for turn in model.calls[1].messages] == ["user", "assistant", "tool"]
    assert [turn.role for turn in talk.messages] == ["user", "assistant", "tool", "assistant"]


@pytest.mark.parametrize("text", [None, "", 5])
def test_nothing_to_send(text: Any) -> None:
    """No text, an empty one or none at all is refused before anything is sent."""
    model = FakeModel()
    talk = Conversation(model)
    with pytest.raises(BadRequest):
        talk.send(text)
    talk.add(Message("user", "hi"), Message("assistant", "hello"))
    with pytest.raises(BadRequest):
        talk.send(text)
    assert model.calls == []
    assert len(talk) == 2


def test_attachments(tmp_path: Path) -> None:
    """Paths, bytes and parts go behind the text; one alone needs no list; what cannot be read sends nothing."""
    image = ImagePart("https://example.org/a.png")
    note = tmp_path / "note.txt"
    note.write_text("hello")
    model = FakeModel("seen", repeat=True)
    talk = Conversation(model)
    talk.send("look", attachments=[image, note, str(note), b"\x89PNG\r\n\x1a\n\x00"])
    kinds = [type(part).__name__ for part in talk.messages[0].content or ()]
    assert kinds == ["TextPart", "ImagePart", "TextPart", "TextPart", "ImagePart"]
    for one in (image, note, str(note)):
        talk.send(attachments=one)
        assert len(talk.messages[-2].content or ()) == 1
    before = talk.messages
    with pytest.raises(BadRequest, match="there is no file"):
        talk.send("look", attachments=[tmp_path / "gone.png"])
    assert talk.messages == before


def test_clear_and_fork() -> None:
    """A fork has the same past and limits and a future of its own; clear keeps the system message."""
    talk = Conversation(FakeModel("a", "b"), system="S", messages=[{"role": "user", "content": "x"}], max_messages=3)
    fork = talk.fork()
    fork.send("only here")
    assert (len(talk), len(fork), fork.system, fork.model) == (1, 3, "S", talk.model)
    talk.clear()
    assert (talk.messages, talk.system, bool(talk)) == ((), "S", True)


def test_repr_holds_no_content() -> None:
    """The repr names the target and counts."""
    talk = Conversation(FakeModel(), system="secret", messages="secret")
    assert repr(talk) == "Conversation(fake:fake-model, 1 messages)"


@pytest.mark.parametrize(
    "wrong", [{"max_messages": 0}, {"max_tokens": 1.5}, {"system": 5}], ids=["messages", "tokens", "system"]
)
def test_wrong_settings(wrong: Any) -> None:
    """What is wrong is said when the conversation is made."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Conversation(FakeModel(), **wrong)


# --- What is sent


def test_sent_is_trimmed_and_kept_is_not(drive: Any, mode: str) -> None:
    """Only the newest turns go out; the history keeps all."""
    model = drive.keep(FakeModel("a", repeat=True))
    talk = Conversation(model, system="S", max_messages=3)
    for number in range(4):
        say(drive, talk, f"q{number}", mode)
    assert told(model.calls[-1].messages) == [("system", "S"), ("user", "q2"), ("assistant", "a"), ("user", "q3")]
    assert len(talk) == 8


def test_the_limit_of_the_model(sim: Simulator, drive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit of its own the model's holds, by setting or by the environment."""
    monkeypatch.setenv("OPENROUTER_MAX_CONTEXT_MESSAGES", "1")
    for model, turns in (
        (drive.make(sim, "openrouter"), 1),
        (drive.make(sim, "openrouter", max_context_messages=3), 3),
    ):
        talk = Conversation(model)
        for number in range(3):
            say(drive, talk, f"q{number}")
        assert len(sim.requests[-1].json["messages"]) == turns
        assert len(talk) == 6


def test_tokens_that_cannot_fit(drive: Any) -> None:
    """Where not even the question fits nothing is sent, and the history is as it was."""
    model = drive.keep(FakeModel())
    talk = Conversation(model, max_tokens=10, count_tokens=lambda _: 11)
    with pytest.raises(BadRequest, match="11 tokens"):
        drive.ask(Talk(talk), "hi")
    assert (model.calls, talk.messages) == ([], ())


# --- JSON and files

words = st.text(max_size=20)
names = st.text("abcdefgh_", min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names.map("x_{}".format), values, max_size=3)
parts = st.one_of(
    st.builds(TextPart, words, objects),
    st.builds(ImagePart, words, st.none() | words, objects),
    st.builds(AudioPart, words, st.sampled_from(["wav", "mp3"]), objects),
    st.builds(FilePart, words, st.none() | words, st.none() | words, objects),
    st.builds(OtherPart, objects.map(lambda body: {"type": "x_other", **body})),
)
calls = st.builds(
    ToolCall, st.none() | words, st.builds(FunctionCall, names, words), st.sampled_from(["function", "custom"]), objects
)
details = st.lists(objects, max_size=2).map(tuple)
turns = st.builds(
    Message,
    st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
    st.none() | words | st.lists(parts, max_size=3).map(tuple),
    name=st.none() | words,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    tool_call_id=st.none() | words,
    refusal=st.none() | words,
    reasoning=st.none() | words,
    reasoning_details=details,
    annotations=details,
    images=details,
    audio=st.none() | objects,
    extra=objects,
)


@given(st.none() | words, st.lists(turns, max_size=4))
def test_json_round_trip(system: str | None, messages: list[Message]) -> None:
    """Everything in a history survives: parts, tool calls, reasoning, and fields that have no name here."""
    model = FakeModel()
    text = Conversation(model, system=system, messages=messages).to_json()
    again = Conversation.from_json(text, model)
    assert (again.system, again.messages) == (system, tuple(messages))
    assert again.to_json() == text


def test_json_holds_turns_only() -> None:
    """The text has a kind, a version, the system message and the turns, readable in their own script."""
    talk = Conversation(FakeModel(), system="S", messages=[{"role": "user", "content": "日本\ud800"}], max_messages=5)
    text = talk.to_json()
    assert "日本" in text
    assert "\\ud800" in text
    assert json.loads(text) == {
        "llmkit": "conversation",
        "version": 1,
        "system": "S",
        "messages": [{"role": "user", "content": "日本\ud800"}],
    }
    assert list(json.loads(Conversation(FakeModel()).to_json())) == ["llmkit", "version", "messages"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is not JSON"),
        ('{"llmkit": "conversation", "version": 1, "messages": [', "is not JSON: .* line 1, column"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not the history of an llmkit conversation"),
        ('{"messages": []}', "not the history of an llmkit conversation"),
        ('{"llmkit": "cassette", "version": 1}', "not the history of an llmkit conversation"),
        (
            '{"llmkit": "conversation", "version": 2, "turns": []}',
            r"written by a newer llmkit \(version 2; .*Update llmkit",
        ),
        ('{"llmkit": "conversation", "messages": []}', "version is None"),
        ('{"llmkit": "conversation", "version": true, "messages": []}', "version is True"),
        ('{"llmkit": "conversation", "version": 0, "messages": []}', "version is 0"),
        ('{"llmkit": "conversation", "version": 1}', "messages is NoneType"),
        ('{"llmkit": "conversation", "version": 1, "messages": {}}', "messages is dict"),
        ('{"llmkit": "conversation", "version": 1, "messages": [], "system": 5}', "system is int"),
        ('{"llmkit": "conversation", "version": 1, "messages": [{"role": "user"}, 5]}', r"messages\[1\] is int"),
        (
            '{"llmkit": "conversation", "version": 1, "messages": [{"role": "usr", "content": "x"}]}',
            r"messages\[0\]: role is 'usr'",
        ),
    ],
)
def test_a_text_that_is_no_history(text: str, what: str) -> None:
    """Each kind of damage is said, with its place; a newer version says so."""
    with pytest.raises(HistoryError, match=f"(?s){what}"):
        Conversation.from_json(text, FakeModel())


def test_a_turn_that_is_not_json() -> None:
    """What cannot be written is named by its turn."""
    talk = Conversation(FakeModel(), messages=[Message("user", "a"), Message("user", "b", extra={"x": {1}})])
    with pytest.raises(HistoryError, match=r"messages\[1\]"):
        talk.to_json()


def test_save_and_load(tmp_path: Path) -> None:
    """A file holds the conversation, and is its owner's alone; one that is there keeps its mode, behind a link too."""
    file, link = tmp_path / "talk.json", tmp_path / "link.json"
    talk = Conversation(FakeModel("a", "b"), system="S")
    talk.send("one")
    talk.save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    link.symlink_to(file)
    talk.send("two")
    talk.save(str(link))
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    again = Conversation.load(link, talk.model, max_messages=2)
    assert (again.system, again.messages) == ("S", talk.messages)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "talk.json"]


def test_a_file_that_cannot_be_written_stays(tmp_path: Path) -> None:
    """A save that fails leaves the old file, and no other."""
    file = tmp_path / "talk.json"
    talk = Conversation(FakeModel(), messages="hi")
    talk.save(file)
    before = file.read_text("utf-8")
    talk.add(Message("user", "x", extra={"x": {1}}))
    with pytest.raises(HistoryError):
        talk.save(file)
    assert file.read_text("utf-8") == before
    assert list(tmp_path.iterdir()) == [file]
    for path in (tmp_path, tmp_path / "no" / "such.json", "nul\0.json"):
        with pytest.raises(HistoryError, match="cannot be written to"):
            Conversation(FakeModel()).save(path)
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is missing, no text or damaged is named."""
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    (tmp_path / "cut.json").write_text('{"llmkit"')
    for name, what in (("gone.json", "No such file"), ("latin.json", "not UTF-8"), ("cut.json", "is not JSON")):
        with pytest.raises(HistoryError, match=what) as caught:
            Conversation.load(tmp_path / name, FakeModel())
        assert name in str(caught.value)
