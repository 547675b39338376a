"""A sidecar with scripted providers behind it and an application in front, for one fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from sidecar.app import Sidecar
from sidecar.clock import SystemClock
from sidecar.core.events import BreakerMoved, Event, State
from sidecar.drill.heard import Heard, read_answer
from sidecar.drill.place import Mode, Place
from sidecar.drill.promise import Evidence
from sidecar.drill.stand_ins import Cast, drilled, path_of, providers_of
from sidecar.faults.answer import Answer, Scene, arguments
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.wire import Call

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Count to sixty."}]
FUNCTION = {"name": "count", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": FUNCTION}]
PATIENCE_S = 5.0  # beyond the chain's own deadline: then the application gives up
LOOK_S = 0.002


@dataclass(slots=True)
class Stage:
    """All that a row needs to play. `moves` are those of every breaker, with their moments."""

    place: Place
    mode: Mode
    cast: Cast
    players: dict[str, ScriptedProvider]
    sidecar: Sidecar
    client: aiohttp.ClientSession
    moves: list[tuple[float, BreakerMoved]] = field(default_factory=list)

    @property
    def own(self) -> ScriptedProvider:
        """The provider with the fault."""
        return self.players[self.place.provider.name]

    @property
    def hits(self) -> dict[str, int]:
        """How often each provider was asked, in the order of the chain."""
        return {name: player.hits for name, player in self.players.items() if player.hits}

    @property
    def texts(self) -> dict[str, str]:
        """What each provider has to say."""
        return {name: said_by(player) for name, player in self.players.items()}

    @property
    def own_moves(self) -> list[tuple[float, BreakerMoved]]:
        """Those of the breaker in front of the provider with the fault."""
        name = self.place.entry.breaker_name
        return [(at_s, move) for at_s, move in self.moves if move.breaker == name]

    @property
    def is_open(self) -> bool:
        """Whether that breaker is open."""
        moves = self.own_moves
        return bool(moves) and moves[-1][1].to_state is State.OPEN

    def evidence(self, heard: Heard) -> Evidence:
        """All that there is to judge by."""
        asked_s = tuple(call.opened_s for call in self.own.calls)
        name = self.place.provider.name
        return Evidence(heard=heard, texts=self.texts, hits=self.hits, own=name, asked_s=asked_s)

    def hurry(self) -> None:
        """From now on everybody says everything at once."""
        for player in self.players.values():
            player.answer = replace(player.answer, delay_s=0.0)

    async def ask(self) -> Heard:
        """One call, as an application makes it."""
        began_s = SystemClock.monotonic()
        heard = await self._ask()
        return replace(heard, seconds=SystemClock.monotonic() - began_s)

    async def _ask(self) -> Heard:
        url = f"http://{self.sidecar.api}{CHAT}"
        try:
            async with self.client.post(url, json=self._call) as answer:
                heard = await listen(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Heard(wrong=type(error).__name__)
        headers = answer.headers
        return replace(
            heard,
            provider=headers.get("x-sidecar-provider", heard.provider),
            should_retry=headers.get("x-should-retry", ""),
        )

    @property
    def _call(self) -> dict[str, Any]:
        called: dict[str, Any] = {"model": self.place.model, "messages": MESSAGES}
        called["stream"] = self.mode is Mode.STREAM
        return called | ({"tools": TOOLS} if self.cast.tools else {})

    async def until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until `holds`, not for longer than `within_s`; whether it does."""
        end_s = SystemClock.monotonic() + within_s
        while not holds() and SystemClock.monotonic() < end_s:  # noqa: ASYNC110  there is no event
            await asyncio.sleep(LOOK_S)
        return holds()


async def listen(answer: aiohttp.ClientResponse) -> Heard:
    """All of an answer, or as much as there is of it."""
    body = bytearray()
    try:
        async for piece in answer.content.iter_any():
            body += piece
    except aiohttp.ClientError as error:
        heard = read_answer(answer.status, answer.content_type, bytes(body))
        return replace(heard, wrong=f"the connection breaks ({type(error).__name__})")
    return read_answer(answer.status, answer.content_type, bytes(body))


def said_by(player: ScriptedProvider) -> str:
    """All that a provider says, or calls a tool with."""
    answer = replace(player.answer, calls_tool=False)
    scene = Scene(name=player.name, call=Call(), answer=answer)
    return arguments(scene) if player.answer.calls_tool else "".join(scene.pieces)


@asynccontextmanager
async def set_stage(place: Place, mode: Mode, cast: Cast) -> AsyncIterator[Stage]:
    """Everybody in place, and nothing asked yet."""
    async with AsyncExitStack() as stack:
        players: dict[str, ScriptedProvider] = {}
        for provider in providers_of(place):
            answer: Answer = cast.answer_of(provider, place)
            player = await stack.enter_async_context(ScriptedProvider(provider.name, answer=answer))
            player.plays(*cast.faults_of(provider, place))
            players[provider.name] = player
        moves: list[tuple[float, BreakerMoved]] = []

        def note(event: Event) -> None:
            if isinstance(event, BreakerMoved):
                moves.append((SystemClock.monotonic(), event))

        settings = drilled(place, addresses(place, cast, players))
        sidecar = await stack.enter_async_context(Sidecar(settings, reports=(note,)))
        timeout = aiohttp.ClientTimeout(total=place.route.total_s + PATIENCE_S)
        client = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        yield Stage(place, mode, cast, players, sidecar, client, moves)


def addresses(place: Place, cast: Cast, players: dict[str, ScriptedProvider]) -> dict[str, str]:
    """Where each provider is, with the path that its own address has."""
    usual = Cast(faults=()).way
    return {
        one.name: (cast.way if one.name == place.provider.name else usual).url(
            players[one.name].port, path_of(one)
        )
        for one in providers_of(place)
    }
