"""The commands and their options. Each command imports its module only when it runs, so that help comes fast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from llmkit.cli import completion

app = typer.Typer(
    name="llmkit",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help, plain errors, and no waiting for rich
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _run(work: Callable[[], int], *, verbose: bool = False) -> NoReturn:
    """Run a command and exit with its exit code."""
    from llmkit.cli.failure import run_guarded

    raise typer.Exit(run_guarded(work, verbose=verbose))


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"llmkit {version('llmkit')}")
        raise typer.Exit


@app.callback()
def llmkit(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback has done the work
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file", metavar="FILE", help="Read variables from FILE instead of .env.", show_default=False
        ),
    ] = None,
    no_env_file: Annotated[bool, typer.Option("--no-env-file", help="Read no .env.")] = False,
) -> None:
    """Call any language model by name.

    \b
      llmkit demo                         see it work, offline: no key, no cost
      llmkit chat "hello" -p openrouter   ask; needs OPENROUTER_API_KEY
      llmkit chat -p ollama -m llama3.2   a conversation with a model on this machine
      llmkit models -p openrouter         which models there are, and what they cost
      llmkit providers                    what is installed, and is it configured?
      llmkit config                       which file, profiles and settings apply
      llmkit doctor                       what is wrong, and what to do

    The answer goes to stdout, everything else to stderr. Variables are read from a .env file in the working directory
    or above, too; those of the environment outrank it.

    Exit codes: 0 done, 1 a call failed, 2 the command line or the environment is wrong, 130 stopped by Ctrl-C.
    """
    from llmkit.cli.environment import load_env_file
    from llmkit.cli.failure import run_guarded

    def read() -> int:
        context.obj = None if no_env_file else load_env_file(env_file)
        return 0

    if code := run_guarded(read):
        raise typer.Exit(code)


@app.command()
def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to ask; - reads it from stdin.", show_default=False),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "-p",
            "--provider",
            metavar="NAME",
            help="Provider, profile, provider:model, or an alias. See `llmkit providers --all`.",
            autocompletion=completion.complete_providers,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="NAME", help="Model.", autocompletion=completion.complete_models),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="System message.")] = None,
    attach: Annotated[
        list[str] | None,
        typer.Option("-a", "--attach", metavar="FILE", help="File, or its address, to ask about; may be repeated."),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option("--history", metavar="FILE", help="Go on from this file, and keep the conversation in it."),
    ] = None,
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
    """Ask a model; without PROMPT, talk to it.

    \b
      llmkit chat "Why is the sky blue?" -p openrouter -m anthropic/claude-3.5-sonnet
      git diff | llmkit chat "Write a commit message" -p ollama -m llama3.2
      llmkit chat "hello" -m my-model --base-url http://localhost:8000/v1
      llmkit chat -p openai -m gpt-4o-mini --fallback ollama:llama3.2
      llmkit chat "What is in this picture?" -a photo.jpg

    The answer is streamed to stdout. A line on stderr says which model answered, the tokens of question and answer,
    and the cost. Text that is piped in is read too: with PROMPT it follows it, after an empty line.

    Without PROMPT, on a terminal, it is a conversation: /help lists its commands. Ctrl-C stops an answer and keeps
    what came; Ctrl-D ends.

    Without -p it is the configuration file's default profile, else the first of: openrouter or openai, if its key is
    set; ollama, if it answers.

    Control characters in an answer are replaced by visible ones, so that a model cannot drive the terminal; in a
    pipe, carriage returns and bidirectional controls stay. --json keeps everything.
    """
    from llmkit.cli.chat import run_chat
    from llmkit.cli.chat_options import ChatOptions

    settings: dict[str, object] = {
        "temperature": temperature,
        "max_tokens": max_tokens,
        "timeout": timeout,
        "base_url": base_url,
        "reasoning": effort,
        "fallbacks": fallback,
    }
    options = ChatOptions(
        prompt=prompt,
        provider=provider,
        model=model,
        system=system,
        attach=attach or [],
        history=history,
        settings=settings,
        assignments=setting or [],
        key_env=key_env,
        stream=not no_stream,
        reasoning=reasoning,
        json=json,
        verbose=verbose,
    )
    _run(lambda: run_chat(options), verbose=verbose)


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
    from llmkit.cli.providers import show_providers

    _run(lambda: show_providers(everything=everything, check=check, as_json=json))


@app.command(short_help="List models: price, context, abilities.")
def models(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="Only models whose id, name or description has them.", show_default=False),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "-p", "--provider", metavar="NAME", help="Whose models.", autocompletion=completion.complete_providers
        ),
    ] = None,
    info: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help="Show all that is known of one model.", show_default=False),
    ] = None,
    free: Annotated[bool, typer.Option("--free", help="Only those that cost nothing.")] = False,
    max_price: Annotated[
        float | None,
        typer.Option("--max-price", metavar="USD", help="Most US dollars per million tokens, of prompt and answer."),
    ] = None,
    min_context: Annotated[
        int | None, typer.Option("--min-context", metavar="TOKENS", help="Least tokens of context.")
    ] = None,
    supports: Annotated[
        list[str] | None,
        typer.Option("--supports", metavar="WORD", help="tools, vision, json_schema, reasoning, ...; may be repeated."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="KEY",
            help="price, context, age, name, size, throughput, intelligence, coding or agentic.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", metavar="NUMBER", help="Most rows.", min=1)] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the service, even if the list is fresh.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON: prices as text, USD per token.")] = False,
) -> None:
    """List the models of a provider, with context, prices and abilities.

    \b
      llmkit models -p openrouter --free --supports tools
      llmkit models -p openrouter claude --sort price
      llmkit models -p openrouter --sort coding --max-price 1 -n 10
      llmkit models -p openrouter -m openai/gpt-4o-mini

    Prices are US dollars per million tokens; ? is not known. Lists are kept for an hour. On a narrow terminal letters
    stand for what a model can do, and columns are left out; those that are sorted by stay.
    """
    from llmkit.cli.models import ModelsOptions, show_model, show_models

    if info is not None:
        target = info if provider is None else f"{provider}:{info}"
        _run(lambda: show_model(target, as_json=json, refresh=refresh))
    filters: dict[str, object] = {
        "free": True if free else None,
        "max_price": max_price,
        "min_context": min_context,
        "supports": supports or (),
        "query": " ".join(query) if query else None,
    }
    options = ModelsOptions(provider=provider, filters=filters, sort=sort, limit=limit, refresh=refresh, json=json)
    _run(lambda: show_models(options))


@app.command(short_help="Ask several models the same, side by side.")
def compare(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask.", show_default=False)],
    model: Annotated[
        list[str],
        typer.Option("-m", "--model", metavar="TARGET", help="provider:model or a profile; repeat it."),
    ],
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="System message.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", metavar="NUMBER", help="0 to 2.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", metavar="NUMBER", help="Most tokens of an answer.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="Longest wait for an answer, per attempt. [default: 120]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write a JSON list.")] = False,
) -> None:
    """Ask several models the same at once: answers, seconds, tokens, cost.

    \b
      llmkit compare "Why is the sky blue?" -m openrouter:openai/gpt-4o-mini -m ollama:llama3.2
    """
    from llmkit.cli.compare import run_compare

    given = {"temperature": temperature, "max_tokens": max_tokens, "timeout": timeout}
    settings = {name: value for name, value in given.items() if value is not None}
    _run(lambda: run_compare(prompt, model, system=system, settings=settings, as_json=json))


@app.command(short_help="Fetch a model with Ollama.")
def pull(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as llama3.2 or qwen3:4b.", show_default=False)],
    provider: Annotated[str, typer.Option("-p", "--provider", metavar="NAME", help="Whose machine.")] = "ollama",
    base_url: Annotated[str | None, typer.Option("--base-url", metavar="URL", help="Address of the server.")] = None,
) -> None:
    """Fetch a model onto the machine of an Ollama, with its progress. Ctrl-C stops; a new pull goes on from there."""
    from llmkit.cli.pull import run_pull

    _run(lambda: run_pull(model, provider=provider, base_url=base_url))


@app.command(short_help="Show the configuration file, and which settings apply.")
def config(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="PROFILE",
            help="A profile or a provider; without it the default profile.",
            show_default=False,
            autocompletion=completion.complete_providers,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", metavar="NAME", help="Another model.", show_default=False)
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting that the program gives; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write a JSON object.")] = False,
) -> None:
    """Show which configuration file applies, its profiles, and the settings with where each came from.

    \b
      llmkit config
      llmkit config smart
      llmkit config openrouter --set temperature=0

    Nothing is sent, and no key is shown.
    """
    from llmkit.cli.config import show_config

    _run(lambda: show_config(name, model, setting or [], as_json=json))


@app.command(short_help="Say what is wrong, and what to do.")
def doctor(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no service.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write a JSON list.")] = False,
) -> None:
    """Look at keys, credits, Ollama, versions, proxies and files, and say what to do.

    Every service whose key is set is asked whether the key is good; no model is called, and nothing costs money. The
    exit code is 1 if something is wrong.
    """
    from llmkit.cli.doctor import run_doctor

    env_file = context.find_root().obj
    _run(lambda: run_doctor(offline=offline, env_file=env_file, as_json=json))


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
    if real:
        from llmkit.cli.demo_real import run_real_demo

        _run(lambda: run_real_demo(yes=yes))
    from llmkit.cli.demo import run_demo

    _run(run_demo)
