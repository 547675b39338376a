"""The demo: three scripted providers, a sidecar in front, and a failover told step by step."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, cycle
from typing import TextIO

import aiohttp

from sidecar.app import Sidecar
from sidecar.core.settings import Address, Entry, Provider, Route, Settings
from sidecar.demo.story import POLICY, STORY, Sight, Stage, Step
from sidecar.faults.answer import Answer
from sidecar.faults.provider import ScriptedProvider

HOST = "127.0.0.1"
API_PORT, ADMIN_PORT = 8787, 9464
MODELS = {
    "gemini": "gemini-3-flash",
    "huggingface": "meta-llama/Llama-3.3-70B-Instruct",
    "anthropic": "claude-haiku-5-5",
}
WORD_S = 0.01  # between two words of an answer, so that there is something to measure
CALL_S = 5.0  # no call of the demo takes as long
BREATH_S = 0.5  # before each step, where somebody watches; well below the breaker's open time

TROUBLES = ("status_503", "reset_before_headers", "error_first")
TRICKLE_S = 0.5
WELL, ROUND = 30, 45  # calls: in each round the primary is well for the first, then in trouble

GREEN, RED, BOLD, DIM = "32", "31", "1", "2"


class Teller:
    """Writes the story: coloured and as it happens on a terminal, plain lines elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._coloured = self._live and "NO_COLOR" not in os.environ

    def say(self, text: str = "", colour: str = "") -> None:
        """One line."""
        self._write(self._paint(text, colour) + "\n")

    async def announce(self, step: Step) -> None:
        """Say what is about to happen, and let it be read."""
        if self._live:
            self._write(f"  … {step.title}. {step.what}")
            await asyncio.sleep(BREATH_S)

    def show(self, step: Step, sight: Sight) -> None:
        """Say what happened, and how one knows."""
        mark = self._paint("✓", GREEN) if sight.seen else self._paint("✗", RED)
        start = "\r" if self._live else ""
        self._write(f"{start}  {mark} {self._paint(step.title, BOLD)}. {step.what}\n")
        if not sight.seen:
            self.say("      That was not seen, but this:", RED)
        for line in sight.evidence:
            self.say(f"      {line}", DIM)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if colour and self._coloured else text


def demo(once: bool) -> int:  # noqa: FBT001  as the command line says it
    """Run the demo; returns the exit code. SIGINT and SIGTERM end it cleanly."""
    return asyncio.run(tell_until_stopped(once, sys.stdout))


async def tell_until_stopped(once: bool, out: TextIO) -> int:  # noqa: FBT001  as above
    """Tell the story; 1 if a step was not seen. Being stopped is how only the long form ends."""
    telling = asyncio.create_task(tell(once, out))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, telling.cancel)
    await asyncio.wait((telling,))
    return int(once) if telling.cancelled() else int(not telling.result())


async def tell(once: bool, out: TextIO) -> bool:  # noqa: FBT001  as above
    """Tell the story; unless `once`, go on until cancelled. True if every step was seen."""
    teller = Teller(out)
    async with set_stage() as stage:
        introduce(stage, teller)
        seen = [await play(step, stage, teller) for step in STORY]
        teller.say(f"\n{sum(seen)} of {len(seen)} steps seen. {tally(stage)}", BOLD)
        if not once:
            teller.say("From here on a call every half second; gemini fails now and then.")
            teller.say(f"Watch http://{stage.sidecar.admin}/status. Ctrl-C ends it.")
            await trickle(stage)
        return all(seen)


def introduce(stage: Stage, teller: Teller) -> None:
    """Say who plays, and how to read the evidence."""
    teller.say("Three scripted providers, one sidecar, real calls: no keys, no network.", BOLD)
    teller.say(f"  your application → http://{stage.sidecar.api}/v1 → {', '.join(MODELS)}")
    teller.say(f"  status page: http://{stage.sidecar.admin}/status")
    teller.say("  x-sidecar-attempts lists who was asked: provider;outcome;status;seconds\n", DIM)


def tally(stage: Stage) -> str:
    """What the application saw of it all."""
    errors = stage.calls - stage.answered
    return f"The application made {stage.calls} calls and saw {errors} errors."


async def play(step: Step, stage: Stage, teller: Teller) -> bool:
    """One step of the story. Whether it was seen."""
    await teller.announce(step)
    try:
        sight = await step.look(stage)
    except (aiohttp.ClientError, TimeoutError) as error:
        sight = Sight(False, (f"{type(error).__name__}: {error}",))
    teller.show(step, sight)
    return sight.seen


async def trickle(stage: Stage) -> None:
    """Keep the status page alive: calls for ever, the primary in trouble once in each round."""
    troubles = cycle(TROUBLES)
    for turn in count():
        if turn % ROUND == 0:
            stage.primary.plays("ok")
        elif turn % ROUND == WELL:
            stage.primary.plays(next(troubles))
        await stage.ask(stream=turn % 2 == 0)
        await asyncio.sleep(TRICKLE_S)


@asynccontextmanager
async def set_stage() -> AsyncIterator[Stage]:
    """Providers, the sidecar in front of them, and the client of an application."""
    answer = Answer(delay_s=WORD_S)
    async with AsyncExitStack() as stack:
        players = [
            await stack.enter_async_context(ScriptedProvider(name, answer=answer))
            for name in MODELS
        ]
        sidecar = await stack.enter_async_context(Sidecar(settings_for(players)))
        timeout = aiohttp.ClientTimeout(total=CALL_S)
        client = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        yield Stage(players[0], sidecar, client)


def settings_for(players: list[ScriptedProvider]) -> Settings:
    """One chain of all of them, for whatever model is asked for."""
    providers = tuple(
        Provider(name=one.name, kind="openai", base_url=one.base_url, breaker=POLICY)
        for one in players
    )
    chain = tuple(Entry(provider=one, model=MODELS[one.name]) for one in providers)
    return Settings(
        providers=providers,
        routes=(Route(models=("*",), chain=chain),),
        listen=Address(host=HOST, port=free(API_PORT)),
        admin=Address(host=HOST, port=free(ADMIN_PORT)),
        drain_timeout_s=1.0,
    )


def free(port: int) -> int:
    """`port`, or 0 (let the system choose) where somebody has it already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return 0
    return port
