"""What each command does. What it needs is imported when it runs, so that help comes at once.

A command takes the options and returns the exit code; its docstring is its help.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from sidecar.output import complain, say

if TYPE_CHECKING:
    from sidecar.config import Loaded
    from sidecar.core.settings import Address
    from sidecar.kubernetes.injection import Injection
    from sidecar.remote import Json, Remote
    from sidecar.terminal.screen import Screen

DONE, FAILED, USAGE = 0, 1, 2

Options = argparse.Namespace


def serve(options: Options) -> int:
    """Answer calls until told to stop; SIGTERM drains."""
    from sidecar.config import ConfigError
    from sidecar.proxy.credential import UnusableCredential
    from sidecar.serving import serve as run

    loaded = load(options.config)
    stated = {"listen": options.listen, "admin": options.admin}
    changes = {name: where for name, where in stated.items() if where}
    settings = replace(loaded.settings, **changes)
    try:
        return run(replace(loaded, settings=settings))
    except OSError as error:
        complain(f"sidecar: {taken(settings.listen, settings.admin) or error.strerror or error}")
        return FAILED
    except UnusableCredential as error:
        complain(f"sidecar: {error}")
        return FAILED
    except ConfigError as error:
        complain(f"sidecar: {error}")
        return USAGE


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


def drill(options: Options) -> int:
    """Play every fault against a configuration, without its keys."""
    from sidecar.drill import drill as play
    from sidecar.drill import rows_of

    try:
        rows = rows_of(options.fault)
    except ValueError as error:
        complain(f"sidecar: --fault: {error}")
        return USAGE
    return play(load(options.config), rows, as_document=options.json, out=sys.stdout)


def doctor(options: Options) -> int:
    """Examine what serve would run with here, and say what cures it."""
    from sidecar.doctor import Wish
    from sidecar.doctor import doctor as examine

    wish = Wish(live=options.live, as_document=options.json)
    return examine(options.config, os.environ, wish, sys.stdout)


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
    from sidecar.terminal.overview import overview

    return ask(options, lambda remote: show(remote.status(), options, overview))


def report(options: Options) -> int:
    """Show what every provider gave and cost so far, and what to set."""
    from sidecar.terminal.report import reported

    return ask(options, lambda remote: show(remote.report(), options, reported))


def show(told: Json, options: Options, as_text: Callable[[Json, Screen], str]) -> None:
    """Put out what a sidecar told, for a person or for a program."""
    from sidecar.terminal.screen import screen_of

    screen = screen_of(sys.stdout, os.environ)
    if options.json:
        say(json.dumps(told, indent=2, ensure_ascii=not screen.draws))
    else:
        say(as_text(told, screen))


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


def inject(options: Options) -> int:
    """Put the sidecar into manifests: YAML in, YAML out."""
    try:
        from sidecar.kubernetes.manifests import Unreadable, cleaned, injected
    except ModuleNotFoundError:
        complain("sidecar: inject needs ruamel.yaml: pip install llm-failover-sidecar[kubernetes]")
        return FAILED

    name = "standard input" if options.file == "-" else options.file
    try:
        text = read_text(options.file)
        result = cleaned(text) if options.uninject else injected(text, injection(options))
    except (OSError, UnicodeDecodeError) as error:
        complain(f"sidecar: {name}: {getattr(error, 'strerror', None) or 'must be UTF-8'}")
        return FAILED
    except Unreadable as error:
        complain(f"sidecar: {name}: {error}")
        return USAGE
    for note in result.notes:
        complain(f"{name}: {note}")
    sys.stdout.write(result.text)
    return DONE


def read_text(file: str) -> str:
    """The text of a file, or of standard input for `-`, with its line ends as they are."""
    with open(
        0 if file == "-" else file, encoding="utf-8", newline="", closefd=file != "-"
    ) as source:
        return source.read()


def webhook(options: Options) -> int:
    """Put the sidecar into pods at their admission, for API servers."""
    import asyncio
    from pathlib import Path
    from ssl import SSLError

    from sidecar.clock import SystemClock
    from sidecar.core.settings import LogSettings
    from sidecar.kubernetes.webhook import Certificate, Webhook
    from sidecar.kubernetes.webhook import serve as answer
    from sidecar.observe.logs import setup

    setup(LogSettings())
    certificate = Certificate(Path(options.cert), Path(options.key))
    try:
        asyncio.run(answer(Webhook(options.listen, injection(options), certificate, SystemClock())))
    except SSLError:
        complain(
            "sidecar: --cert, --key: must be files with a certificate and its key, as PEM, "
            f"got {options.cert}, {options.key}"
        )
        return FAILED
    except OSError as error:
        file = f"{error.filename}: {error.strerror}" if error.filename else ""
        complain(f"sidecar: {file or taken(options.listen) or error}")
        return FAILED
    return DONE


def injection(options: Options) -> Injection:
    """What the options say of a sidecar, or an end with what is wrong with it."""
    from sidecar.kubernetes.injection import Injection

    try:
        return Injection(
            image=options.image,
            port=options.port,
            config_map=options.config_map,
            secret=options.secret,
            openai_api_base=options.openai_api_base,
            anthropic_base_url=options.anthropic_base_url,
            dummy_api_key=options.dummy_api_key,
        )
    except ValueError as error:
        complain(f"sidecar: --{error}")
        raise SystemExit(USAGE) from error


def change(remote: Remote, breaker: str, word: str, **body: str) -> None:
    """Have a breaker changed, and say where it stands now."""
    from sidecar.config.problem import printable
    from sidecar.terminal.standing import standing

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
