"""The commands and their options. What they do is in the modules that they import when they run."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="llmkit",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help, plain errors, and no waiting for rich
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"llmkit {version('llmkit')}")
        raise typer.Exit


@app.callback()
def llmkit(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    r"""Call any language model by name.

    \b
      llmkit demo                         see it work, offline: no key, no cost
      llmkit chat "hello" -p openrouter   ask; needs OPENROUTER_API_KEY
      llmkit chat -p ollama -m llama3.2   a conversation with a model on this machine
      llmkit providers                    what is installed, and is it configured?

    The answer goes to stdout, everything else to stderr.

    Exit codes: 0 done, 1 a call failed, 2 the command line or the environment is wrong, 130 stopped by Ctrl-C.
    """


@app.command()
def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to ask; - reads it from stdin.", show_default=False),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "-p", "--provider", metavar="NAME", help="Provider, or provider:model. See `llmkit providers --all`."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", metavar="NAME", help="Model.")] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="System message.")] = None,
    fallback: Annotated[
        list[str] | None,
        typer.Option("--fallback", metavar="TARGET", help="provider:model to try next; may be repeated."),
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", metavar="NUMBER", help="0 to 2.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", metavar="NUMBER", help="Most tokens of the answer.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="Longest wait for content, per attempt. [default: 120]"),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="Address of the service. Alone: an OpenAI-compatible one."),
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option("--key-env", metavar="VARIABLE", help="Environment variable that holds the key."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, such as seed=1; may be repeated."),
    ] = None,
    effort: Annotated[
        str | None, typer.Option("--effort", metavar="WORD", help="Ask for reasoning: low, medium, high, ...")
    ] = None,
    reasoning: Annotated[
        bool, typer.Option("--reasoning", help="Show the reasoning that the model sends, on stderr.")
    ] = False,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Wait for the whole answer.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the whole response as one JSON object.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what is tried, on stderr.")] = False,
) -> None:
    r"""Ask a model; without PROMPT, talk to it.

    \b
      llmkit chat "Why is the sky blue?" -p openrouter -m anthropic/claude-3.5-sonnet
      git diff | llmkit chat "Write a commit message" -p ollama -m llama3.2
      llmkit chat "hello" -m my-model --base-url http://localhost:8000/v1
      llmkit chat -p openai -m gpt-4o-mini --fallback ollama:llama3.2

    The answer is streamed to stdout. A line on stderr says which model answered, the tokens of question and answer,
    and the cost. Text that is piped in is read too: with PROMPT it follows it, after an empty line.

    Without PROMPT, on a terminal, it is a conversation: /help lists its commands. Ctrl-C stops an answer and keeps
    what came; Ctrl-D ends.

    Without -p it is the first of: openrouter or openai, if its key is set; ollama, if it answers.

    Control characters in an answer are replaced by visible ones, so that a model cannot drive the terminal; in a
    pipe, carriage returns and bidirectional controls stay. --json keeps everything.
    """
    from llmkit.cli.ask import Ask
    from llmkit.cli.chat import chat
    from llmkit.cli.failure import guarded

    named: dict[str, object] = {
        "temperature": temperature,
        "max_tokens": max_tokens,
        "timeout": timeout,
        "base_url": base_url,
        "reasoning": effort,
        "fallbacks": fallback,
    }
    ask = Ask(
        prompt=prompt,
        provider=provider,
        model=model,
        system=system,
        named=named,
        extra=setting or [],
        key_env=key_env,
        stream=not no_stream,
        reasoning=reasoning,
        json=json,
        verbose=verbose,
    )
    raise typer.Exit(guarded(lambda: chat(ask), verbose=verbose))


@app.command(short_help="Show what is installed, and whether it is configured.")
def providers(
    everything: Annotated[bool, typer.Option("--all", help="List the services that are known by name, too.")] = False,
    check: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check",
            help="--check exits 1 if a provider cannot be loaded; --no-check loads none.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write a JSON list.")] = False,
) -> None:
    """Show what is installed, from which distribution, and whether it is configured.

    Providers are loaded in another process, so that a broken one disturbs nothing. No key is shown.
    """
    from llmkit.cli.failure import guarded
    from llmkit.cli.providers import providers

    raise typer.Exit(guarded(lambda: providers(everything=everything, check=check, as_json=json)))


@app.command(short_help="See it work: offline against a simulator, or --real.")
def demo(
    real: Annotated[
        bool, typer.Option("--real", help="Use the keys and the Ollama that are found here, after saying the cost.")
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="With --real: do not ask.")] = False,
) -> None:
    """Show the main job: three providers by name, sync, async and streamed.

    Without --real the answers come from a simulator on this machine: no key is read and nothing costs money.
    """
    from llmkit.cli.failure import guarded

    if real:
        from llmkit.cli.demo_real import real_demo

        raise typer.Exit(guarded(lambda: real_demo(yes=yes)))
    from llmkit.cli.demo import demo

    raise typer.Exit(guarded(demo))
