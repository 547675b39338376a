"""One small call to each entry of each chain, through a sidecar in this process. It is billed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import aiohttp
import orjson

from sidecar.app import Sidecar
from sidecar.clock import Clock
from sidecar.config.problem import printable, shortened
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Address, Entry, Route, Settings
from sidecar.doctor.finding import Finding, bad, counted, doubt, good, ms

CHECK = "live call"
WITHIN_S = 30.0
ANYWHERE = Address(host="127.0.0.1", port=0)
ASKED = {
    "messages": [{"role": "user", "content": "Say OK."}],
    "max_completion_tokens": 16,  # the fewest that every provider takes
}
GLOB = frozenset("*?[")

CURES: dict[str, str] = {
    Outcome.AUTH: "put a valid key of this provider into api_key",
    Outcome.FORBIDDEN: "let the key use this model, in the provider's console",
    Outcome.QUOTA_EXHAUSTED: "add credit at the provider, or raise the limit of the key",
    Outcome.RATE_LIMIT: "wait, or ask the provider for more; api_keys takes several keys",
    Outcome.MODEL_MISSING: "correct the model's name in the chain",
    Outcome.OVERLOADED: "wait: the provider has too much to do",
    Outcome.WARMING: "wait: the model is being loaded",
    Outcome.BAD_REQUEST: "look up what this model takes: it refuses the smallest call",
    **dict.fromkeys(
        (Outcome.CONNECT, Outcome.TIMEOUT_CONNECT, Outcome.TRANSPORT, Outcome.PROTOCOL),
        "see what is said above of the way to this provider",
    ),
    **dict.fromkeys(
        (Outcome.TIMEOUT_ANSWER, Outcome.TIMEOUT_TOTAL, Outcome.TIMEOUT_IDLE),
        "raise timeouts.answer if this model is slow, or choose a faster one",
    ),
}
ELSE = "look at the provider's status page; docs/errors.md has every class of error"
TEMPORARY = (Outcome.RATE_LIMIT, Outcome.OVERLOADED, Outcome.WARMING)


class Attempt(NamedTuple):
    """One try, as the header `x-sidecar-attempts` tells it."""

    outcome: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of a call. `error` is the sidecar's own, where no provider was asked."""

    entry: Entry
    status: int = 0
    model: str = ""
    took_s: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    error: str = ""


def entries_of(settings: Settings) -> list[Entry]:
    """Each provider and model that a chain asks for, once, with a model that can be asked for."""
    found: dict[tuple[str, str], Entry] = {}
    for route in settings.routes:
        plain = next((one for one in route.models if GLOB.isdisjoint(one)), None)
        for entry in route.chain:
            model = entry.model or plain
            found.setdefault((entry.provider.name, model or ""), replace(entry, model=model))
    return list(found.values())


def judge_call(heard: Heard) -> Finding:
    """What to say of a call."""
    about = f"{heard.entry.provider.name}/{heard.entry.model_label}"
    if heard.entry.model is None:
        cure = "name a model in the chain, or one without a * in the route"
        return doubt(about, CHECK, "not asked: its chain takes any model's name", cure)
    failed = [one for one in heard.attempts if one.outcome != Outcome.OK]
    told = ", ".join(f"{one.outcome} {one.status}" for one in failed) or heard.error
    if heard.status == 200:
        seen = f"200 in {ms(heard.took_s)}, answered by {heard.model}"
        if not failed:
            return good(about, CHECK, seen)
        return doubt(about, CHECK, f"{seen}, after {told}", cure_of(failed))
    will_pass = bool(failed) and failed[-1].outcome in TEMPORARY
    seen = f"{told or heard.status} in {ms(heard.took_s)}"
    return (doubt if will_pass else bad)(about, CHECK, seen, cure_of(failed))


def cure_of(failed: Sequence[Attempt]) -> str:
    """What helps against the last of them."""
    return CURES.get(failed[-1].outcome, ELSE) if failed else ELSE


async def call_all(settings: Settings, entries: Sequence[Entry], clock: Clock) -> list[Heard]:
    """Ask each of them, all at once. Nobody takes another's place."""
    alone = alone_of(settings, entries)
    timeout = aiohttp.ClientTimeout(total=WITHIN_S)
    async with Sidecar(alone) as sidecar, aiohttp.ClientSession(timeout=timeout) as http:
        url = f"http://{sidecar.api}/v1/chat/completions"

        async def one(number: int, entry: Entry) -> Heard:
            if entry.model is None:
                return Heard(entry=entry)
            began_s = clock.monotonic()
            try:
                async with http.post(url, json={"model": str(number), **ASKED}) as answer:
                    body = await answer.read()
            except (aiohttp.ClientError, TimeoutError):
                took_s = clock.monotonic() - began_s
                return Heard(entry=entry, took_s=took_s, error=f"nothing within {WITHIN_S:g} s")
            return Heard(
                entry=entry,
                status=answer.status,
                model=model_in(body),
                took_s=clock.monotonic() - began_s,
                attempts=tuple(attempts_in(answer.headers.get("x-sidecar-attempts", ""))),
            )

        return await asyncio.gather(*(one(number, entry) for number, entry in enumerate(entries)))


def alone_of(settings: Settings, entries: Sequence[Entry]) -> Settings:
    """A route for each entry, with a provider of its own, so that no failure hides another."""
    own = [
        replace(entry, provider=replace(entry.provider, name=str(number)))
        for number, entry in enumerate(entries)
    ]
    return replace(
        settings,
        routes=tuple(
            Route(models=(one.provider.name,), chain=(one,), total_s=WITHIN_S) for one in own
        ),
        providers=tuple(one.provider for one in own),
        listen=ANYWHERE,
        admin=ANYWHERE,
        store="memory",
        prices=(),
    )


def attempts_in(header: str) -> Iterator[Attempt]:
    """Each `provider;outcome;status;seconds`."""
    for each in filter(None, header.split(", ")):
        _, outcome, status, _ = each.split(";")
        yield Attempt(outcome, status)


def model_in(body: bytes) -> str:
    """The model that says it answered."""
    try:
        return shortened(printable(str(orjson.loads(body)["model"])))
    except (KeyError, TypeError, ValueError):
        return "a model without a name"


def price_told(entries: Sequence[Entry]) -> str:
    """What is about to be spent."""
    asked = sum(entry.model is not None for entry in entries)
    return f"--live: {counted(asked, 'call')} of a few tokens each; your providers bill them"
