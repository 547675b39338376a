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
from sidecar.config.problem import shortened
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Address, Entry, Provider, Route, Settings
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

    def __str__(self) -> str:
        return self.outcome if self.status == "0" else f"{self.outcome} {self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of a call. `error` is the sidecar's own, where no provider was asked."""

    entry: Entry
    status: int = 0
    model: str = ""
    took_s: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    error: str = ""

    @property
    def failed(self) -> list[Attempt]:
        """The tries that came to nothing."""
        return [one for one in self.attempts if one.outcome != Outcome.OK]

    @property
    def told(self) -> str:
        """What went wrong."""
        return ", ".join(map(str, self.failed)) or self.error or str(self.status)

    @property
    def cure(self) -> str:
        """What helps against the last of it."""
        return CURES.get(self.failed[-1].outcome, ELSE) if self.failed else ELSE


def entries_of(settings: Settings) -> list[Entry]:
    """Each provider and model that a chain asks for, once, with a model that can be asked for."""
    found: dict[tuple[str, str], Entry] = {}
    for route in settings.routes:
        plain = next((one for one in route.models if GLOB.isdisjoint(one)), None)
        for entry in route.chain:
            model = entry.model or plain
            found.setdefault((entry.provider.name, model or ""), replace(entry, model=model))
    return list(found.values())


def not_asked(entry: Entry) -> Finding:
    """What to say of who is not called because of what was found before."""
    cure = "cure first what is ✗ above of this provider"
    return doubt(name_of(entry), CHECK, "not asked", cure)


def name_of(entry: Entry) -> str:
    """The entry as a chain has it."""
    return f"{entry.provider.name}/{entry.model_label}"


def judge_call(heard: Heard) -> Finding:
    """What to say of a call."""
    about = name_of(heard.entry)
    if heard.entry.model is None:
        cure = "name a model in the chain, or one without a * in the route"
        return doubt(about, CHECK, "not asked: its chain takes any model's name", cure)
    if heard.status != 200:
        judge = doubt if heard.failed[-1:] and heard.failed[-1].outcome in TEMPORARY else bad
        return judge(about, CHECK, f"{heard.told} in {ms(heard.took_s)}", heard.cure)
    seen = f"200 in {ms(heard.took_s)}, answered by {heard.model}"
    if heard.failed:
        return doubt(about, CHECK, f"{seen}, after {heard.told}", heard.cure)
    return good(about, CHECK, seen)


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
                model=model_in(body, entry.provider),
                took_s=clock.monotonic() - began_s,
                attempts=tuple(attempts_in(answer.headers.get("x-sidecar-attempts", ""))),
            )

        return await asyncio.gather(*(one(number, entry) for number, entry in enumerate(entries)))


def alone_of(settings: Settings, entries: Sequence[Entry]) -> Settings:
    """A route for each entry, with a provider of its own, so that no failure hides another.

    What does not bear on a call is left out: nobody else is to hear of these.
    """
    own = [
        replace(entry, provider=replace(entry.provider, name=str(number)))
        for number, entry in enumerate(entries)
    ]
    routes = (Route(models=(one.provider.name,), chain=(one,), total_s=WITHIN_S) for one in own)
    return Settings(
        routes=tuple(routes),
        providers=tuple(one.provider for one in own),
        listen=ANYWHERE,
        admin=ANYWHERE,
        streaming=settings.streaming,
        limits=settings.limits,
    )


def attempts_in(header: str) -> Iterator[Attempt]:
    """Each `provider;outcome;status;seconds`."""
    for each in filter(None, header.split(", ")):
        _, outcome, status, _ = each.split(";")
        yield Attempt(outcome, status)


def model_in(body: bytes, provider: Provider) -> str:
    """The model that says it answered, unless a key is in its name."""
    try:
        model = str(orjson.loads(body)["model"])
    except (KeyError, TypeError, ValueError):
        return "a model without a name"
    for key in provider.keys:
        model = model.replace(key.reveal(), "***")
    return shortened(model)


def price_told(entries: Sequence[Entry]) -> str:
    """What is about to be spent."""
    asked = sum(entry.model is not None for entry in entries)
    return f"--live: {counted(asked, 'call')} of a few tokens each; your providers bill them"
