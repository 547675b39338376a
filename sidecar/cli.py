"""Words on the command line to calls. What a command needs is imported when it runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar import __version__
from sidecar.output import complain, open_standard_streams, say, written_out

if TYPE_CHECKING:
    from sidecar.config import Loaded
    from sidecar.core.settings import Address
    from sidecar.remote import Remote

DONE, FAILED, USAGE = 0, 1, 2

ABOUT = "A reverse proxy that answers OpenAI calls from the first provider that can."
FOOT = """\
`sidecar COMMAND --help` says more about a command.
Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration."""
SOURCES = """\
Without a FILE: $SIDECAR_CONFIG, else /etc/sidecar/config.yaml if it is there,
else the environment: GEMINI_API_KEY, HF_TOKEN, OPENAI_API_KEY, ..."""
WHERE = """\
Without --admin: $SIDECAR_ADMIN, else where the configuration puts the admin
listener. From another machine, changes need $SIDECAR_ADMIN_TOKEN."""
STORY = """\
Three scripted providers with a sidecar in front: a call is served, the primary
fails, the next one answers, the breaker opens, calls pass it by, a probe finds
it well again, the breaker closes. The status page shows it all in a browser."""

Options = argparse.Namespace
Run = Callable[[Options], int]
Words = Any  # argparse has no public name for what holds the commands
Parsed = TypeVar("Parsed")


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the words say; raises `SystemExit` with 0 done, 1 it failed, 2 wrong usage."""
    open_standard_streams()
    try:
        with written_out():
            options = parser().parse_args(argv)
            code = options.run(options)
    except BrokenPipeError:
        code = DONE  # whoever read us has seen enough
    except OSError as error:
        complain(f"sidecar: cannot write the output: {error.strerror or error}")
        code = FAILED
    except KeyboardInterrupt:
        code = FAILED
    raise SystemExit(code)


# The words


def parser() -> argparse.ArgumentParser:
    """Everything that can be said."""
    root = argparse.ArgumentParser(
        prog="sidecar",
        description=ABOUT,
        epilog=FOOT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"sidecar {__version__}")
    words = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_serving(words)
    add_reading(words)
    add_asking(words)
    return root


def add_serving(words: Words) -> None:
    """The commands that take calls."""
    word = command(words, serve, SOURCES)
    word.add_argument("--config", metavar="FILE", help="the configuration")
    word.add_argument(
        "--listen", metavar="H:P", type=address, help="for applications, as 127.0.0.1:8787"
    )
    word.add_argument("--admin", metavar="H:P", type=address, help="for operators, as 0.0.0.0:9464")
    word = command(words, demo, STORY)
    word.add_argument(
        "--once", action="store_true", help="end after the story; 0 if all of it happened"
    )


def add_reading(words: Words) -> None:
    """The commands that only read a configuration."""
    word = command(words, check, SOURCES)
    word.add_argument("config", metavar="FILE", nargs="?", help="the configuration")
    word = command(words, explain, SOURCES)
    word.add_argument("model", metavar="MODEL", help="as the application asks for it")
    word.add_argument("--config", metavar="FILE", help="the configuration")
    command(words, schema)


def add_asking(words: Words) -> None:
    """The commands that talk to a running sidecar."""
    word = asking(words, status)
    word.add_argument("--json", action="store_true", help="all of it, for programs")
    word = asking(words, reset)
    word.add_argument("provider", metavar="PROVIDER", nargs="?", help="only this one")
    word = asking(words, hold)
    word.add_argument("provider", metavar="PROVIDER", help="as status names it")
    word.add_argument("mode", choices=("open", "closed"), help="no calls, or all of them")
    word.add_argument(
        "--for", dest="time", metavar="TIME", type=duration, help="10m, say; or until released"
    )
    word.add_argument("--reason", metavar="TEXT", help="a line for whoever looks at it")
    word = asking(words, release)
    word.add_argument("provider", metavar="PROVIDER", help="as status names it")


def asking(words: Words, run: Run) -> argparse.ArgumentParser:
    """Add a command that asks a running sidecar."""
    word = command(words, run, WHERE)
    word.add_argument("--admin", metavar="H:P", type=address, help="its admin listener")
    word.add_argument("--config", metavar="FILE", help="its configuration")
    return word


def command(words: Words, run: Run, foot: str = "") -> argparse.ArgumentParser:
    """Add a command that is called, and explained, like the function that carries it out."""
    about = run.__doc__ or ""
    word: argparse.ArgumentParser = words.add_parser(
        run.__name__,
        help=about.rstrip("."),
        description=about,
        epilog=foot,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    word.set_defaults(run=run)
    return word


def address(text: str) -> Address:
    """Read `H:P`."""
    from sidecar.config.shapes import AddressText

    return understood(text, AddressText().parse)


def duration(text: str) -> str:
    """Make sure that `text` is a duration; a sidecar is told it in the same form."""
    from sidecar.config.quantity import parse_quantity
    from sidecar.core.settings import Unit

    understood(text, lambda text: parse_quantity(text, Unit.SECONDS))
    return text


def understood(text: str, parse: Callable[[str], Parsed]) -> Parsed:
    """What `parse` makes of `text`, or the error that says what is wanted, as for a file."""
    from sidecar.config.problem import Place, Problem, Wrong, shortened

    try:
        return parse(text)
    except Wrong as wrong:
        nowhere = Place("")  # argparse says where
        problem = Problem(place=nowhere, what=str(wrong), got=shortened(text), meant=wrong.meant)
        raise argparse.ArgumentTypeError(str(problem)) from wrong


# What they do


def serve(options: Options) -> int:
    """Answer calls until told to stop; SIGTERM drains."""
    from sidecar.app import serve as run

    loaded = load(options.config)
    stated = {"listen": options.listen, "admin": options.admin}
    changes = {name: where for name, where in stated.items() if where}
    settings = replace(loaded.settings, **changes)
    try:
        return run(replace(loaded, settings=settings))
    except OSError as error:
        complain(f"sidecar: {taken(settings.listen, settings.admin) or error.strerror or error}")
        return FAILED


def taken(*addresses: Address) -> str:
    """Which of the addresses cannot be listened on and why; empty if all of them can."""
    import socket

    with ExitStack() as stack:
        for where in addresses:
            family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
            try:
                server = socket.create_server((where.host, where.port), family=family)
            except OSError as error:
                why = (error.strerror or str(error)).partition(" (")[0]  # it names the address too
                return f"cannot listen on {where}: {why}"
            stack.enter_context(server)
    return ""


def demo(options: Options) -> int:
    """Watch a failover happen: no keys, no network."""
    from sidecar.demo import demo as tell

    return tell(options.once)


def check(options: Options) -> int:
    """Say everything that is wrong with a configuration."""
    from sidecar.config import ConfigError, find_config, load

    try:
        loaded = load(find_config(options.config, os.environ), os.environ)
    except ConfigError as error:
        say(str(error))
        return USAGE
    say(f"{loaded.source}: ok")
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    return DONE


def explain(options: Options) -> int:
    """Show the chain that a call for MODEL would walk."""
    from sidecar.config import explain as explained

    settings = load(options.config).settings
    say(explained(settings, options.model))
    return DONE if settings.route_for(options.model) else FAILED


def schema(_: Options) -> int:
    """Print the JSON Schema of the configuration file."""
    from sidecar.config import json_schema

    say(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return DONE


def status(options: Options) -> int:
    """Show who serves, and where every breaker stands."""
    from sidecar.clock import SystemClock
    from sidecar.overview import overview

    def show(remote: Remote) -> None:
        answer = remote.status()
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        if options.json:
            say(json.dumps(answer, indent=2, ensure_ascii=False))
        else:
            say(overview(answer, SystemClock.unix(), color=color))

    return ask(options, show)


def reset(options: Options) -> int:
    """Close breakers and forget the failures."""

    def close(remote: Remote) -> None:
        for name in [options.provider] if options.provider else remote.breakers():
            change(remote, name, "reset")

    return ask(options, close)


def hold(options: Options) -> int:
    """Keep a breaker open or closed, whatever its provider does."""
    stated = {"mode": options.mode, "for": options.time, "reason": options.reason}
    body = {key: word for key, word in stated.items() if word is not None}
    return ask(options, lambda remote: change(remote, options.provider, "hold", **body))


def release(options: Options) -> int:
    """Let a held breaker decide for itself again."""
    return ask(options, lambda remote: change(remote, options.provider, "release"))


def change(remote: Remote, breaker: str, word: str, **body: str) -> None:
    """Have a breaker changed, and say where it stands now."""
    from sidecar.config.problem import printable
    from sidecar.overview import standing

    say(f"{printable(breaker)}: {standing(remote.change(breaker, word, **body)).word}")


def ask(options: Options, act: Callable[[Remote], None]) -> int:
    """Do `act` with the running sidecar that the options mean."""
    from sidecar.config import ConfigError
    from sidecar.remote import RemoteError, find_remote

    try:
        act(find_remote(options.admin, options.config, os.environ))
    except (ConfigError, RemoteError) as error:
        complain(f"sidecar: {error}")
        return USAGE if isinstance(error, ConfigError) else FAILED
    return DONE


def load(config: str | None) -> Loaded:
    """Load what the options and the environment mean, or end with what is wrong with it."""
    from sidecar.config import ConfigError, find_config
    from sidecar.config import load as loaded

    try:
        return loaded(find_config(config, os.environ), os.environ)
    except ConfigError as error:
        complain(str(error))
        raise SystemExit(USAGE) from error
