"""The words of the command line, and the way from them to what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar import __version__, commands
from sidecar.commands import DONE, FAILED, Options
from sidecar.output import complain, open_standard_streams, written_out

if TYPE_CHECKING:
    from sidecar.core.settings import Address

ABOUT = "A reverse proxy that answers OpenAI calls from the first provider that can."
COMMANDS = "`COMMAND --help` says more; exit codes: 0 done, 1 failed, 2 wrong usage"
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

DRILL = """\
Scripted providers on this machine stand in for all of yours: no key is used,
and nothing leaves it. Each fault meets each position of each chain, with your
own clocks and breakers; it takes about as long as the longest of them. 1 where
a promise breaks. docs/drill.md has the ids of the faults.
"""

DOCTOR = """\
✓ is well, ! works but should be looked at, ✗ does not work; each has its cure.
Configuration, keys, the way to each provider (DNS, TCP, TLS, an answer), the
store, ports, clock, memory, open files. Only --live sends keys and is billed.
1 where anything is ✗.
"""
INJECTION = """\
A container that has a variable of its own keeps it. `llm-failover.dev/inject:
"false"` on a pod leaves it alone. docs/kubernetes.md says more."""

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


def parser() -> argparse.ArgumentParser:
    """Everything that can be said."""
    root = argparse.ArgumentParser(
        prog="sidecar",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"sidecar {__version__}")
    words = root.add_subparsers(title=COMMANDS, metavar="COMMAND", required=True)
    add_serving(words)
    add_reading(words)
    add_asking(words)
    add_kubernetes(words)
    return root


def add_serving(words: Words) -> None:
    """The commands that take calls."""
    word = command(words, commands.serve, SOURCES)
    word.add_argument("--config", metavar="FILE", help="the configuration")
    word.add_argument(
        "--listen", metavar="H:P", type=address, help="for applications, as 127.0.0.1:8787"
    )
    word.add_argument("--admin", metavar="H:P", type=address, help="for operators, as 0.0.0.0:9464")
    word = command(words, commands.demo, STORY)
    word.add_argument(
        "--once", action="store_true", help="end after the story; 0 if all of it happened"
    )

    word = command(words, commands.drill, DRILL + SOURCES)
    word.add_argument("--config", metavar="FILE", help="the configuration")
    word.add_argument(
        "--fault",
        metavar="ID",
        nargs="+",
        action="extend",
        default=[],
        help="only these; all of them without it",
    )
    word.add_argument("--json", action="store_true", help="all of it, for programs")


def add_reading(words: Words) -> None:
    """The commands that only read a configuration, or look at what it names."""
    word = command(words, commands.doctor, DOCTOR + SOURCES)
    word.add_argument("--config", metavar="FILE", help="the configuration")
    word.add_argument(
        "--live", action="store_true", help="also one call to each model of each chain: it costs"
    )
    word.add_argument("--json", action="store_true", help="all of it, for programs")
    word = command(words, commands.check, SOURCES)
    word.add_argument("config", metavar="FILE", nargs="?", help="the configuration")
    word = command(words, commands.explain, SOURCES)
    word.add_argument("model", metavar="MODEL", help="as the application asks for it")
    word.add_argument("--config", metavar="FILE", help="the configuration")
    command(words, commands.schema)


def add_asking(words: Words) -> None:
    """The commands that talk to a running sidecar."""
    for run in (commands.status, commands.report):
        word = asking(words, run)
        word.add_argument("--json", action="store_true", help="all of it, for programs")
    word = asking(words, commands.reset)
    word.add_argument("provider", metavar="PROVIDER", nargs="?", help="only this one")
    word = asking(words, commands.hold)
    word.add_argument("provider", metavar="PROVIDER", help="as status names it")
    word.add_argument("mode", choices=("open", "closed"), help="no calls, or all of them")
    word.add_argument(
        "--for", dest="time", metavar="TIME", type=duration, help="10m, say; or until released"
    )
    word.add_argument("--reason", metavar="TEXT", help="a line for whoever looks at it")
    word = asking(words, commands.release)
    word.add_argument("provider", metavar="PROVIDER", help="as status names it")


def add_kubernetes(words: Words) -> None:
    """The commands that put the sidecar beside other containers."""
    word = command(words, commands.inject, INJECTION)
    word.add_argument(
        "-f", dest="file", metavar="FILE", required=True, help="manifests; - is stdin"
    )
    which = word.add_mutually_exclusive_group(required=True)
    which.add_argument("--image", metavar="IMAGE", help="the sidecar's image")
    which.add_argument("--uninject", action="store_true", help="take it out again")
    add_injection(word)

    word = command(words, commands.webhook, INJECTION)
    word.add_argument("--listen", metavar="H:P", type=address, default="0.0.0.0:8443")
    word.add_argument("--cert", metavar="FILE", required=True, help="PEM; read anew on a change")
    word.add_argument("--key", metavar="FILE", required=True)
    word.add_argument("--image", metavar="IMAGE", required=True, help="the sidecar's image")
    add_injection(word)


def add_injection(word: argparse.ArgumentParser) -> None:
    """What may be different about a sidecar and what applications are told of it."""
    word.add_argument("--port", metavar="N", type=int, default=8787, help="8787")
    word.add_argument("--config-map", metavar="NAME", default="llm-failover", help="llm-failover")
    word.add_argument(
        "--secret", metavar="NAME", default="llm-failover-keys", help="llm-failover-keys"
    )
    for name in ("openai-api-base", "anthropic-base-url", "dummy-api-key"):
        variable = name.removeprefix("dummy-").upper().replace("-", "_")
        variable = variable.replace("API_KEY", "OPENAI_API_KEY")
        word.add_argument(f"--{name}", action="store_true", help=f"set {variable}, too")


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
    from sidecar.config.addresses import AddressText

    return understood(text, AddressText().parse)


def duration(text: str) -> str:
    """Make sure that `text` is a duration; a sidecar is told it in the same form."""
    from sidecar.config.quantity import parse_quantity
    from sidecar.core.units import Unit

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
