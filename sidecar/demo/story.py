"""Seven steps of a failover, told by the demo: each does what it says, and says what it saw.

Nothing is claimed that was not seen. A step looks at the sidecar's answers, at what the primary
received and at the status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import orjson

from sidecar.app import Sidecar
from sidecar.core.policies import BreakerPolicy
from sidecar.faults.provider import ScriptedProvider

PRIMARY, SECOND = "gemini", "huggingface"
POLICY = BreakerPolicy(failure_threshold=3, success_threshold=2, open_timeout_s=2.0)
CALL = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}
LOOK_S, LOOKS = 0.1, 50  # together longer than anything the story waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the application got. `status` is 0 where the connection failed."""

    status: int
    text: str = ""
    provider: str = ""
    attempts: str = ""

    @property
    def tried(self) -> list[list[str]]:
        """The attempts: provider, outcome, status and seconds of each."""
        return [attempt.split(";") for attempt in self.attempts.split(", ")]

    @property
    def shown(self) -> tuple[str, str]:
        """Two lines of evidence."""
        return f'{self.status} "{self.text[:100]}"', f"x-sidecar-attempts: {self.attempts}"

    def came_from(self, provider: str) -> bool:
        """Whether the application got its words, and from whom."""
        said = self.status == 200 and self.text == f"Hello from {provider}."
        return said and self.provider == provider


@dataclass(frozen=True, slots=True)
class Sight:
    """Whether a step saw what it tells of, and the evidence."""

    seen: bool
    evidence: tuple[str, ...]


@dataclass(slots=True)
class Stage:
    """Who plays; and how many calls the application made, and how many of them went well."""

    primary: ScriptedProvider
    sidecar: Sidecar
    client: aiohttp.ClientSession
    calls: int = 0
    answered: int = 0

    async def ask(self, *, stream: bool = False) -> Reply:
        """One call, as an application makes it."""
        url = f"http://{self.sidecar.api}/v1/chat/completions"
        self.calls += 1
        try:
            async with self.client.post(url, json={**CALL, "stream": stream}) as answer:
                reply = Reply(
                    status=answer.status,
                    text=words_of(await answer.read()),
                    provider=answer.headers.get("x-sidecar-provider", ""),
                    attempts=answer.headers.get("x-sidecar-attempts", ""),
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            reply = Reply(status=0, text=type(error).__name__)
        self.answered += reply.came_from(reply.provider)
        return reply

    async def state(self) -> str:
        """The state of the primary's breaker, as the status says."""
        async with self.client.get(f"http://{self.sidecar.admin}/status.json") as answer:
            providers = (await answer.json())["providers"]
        return next(str(one["state"]) for one in providers if one["name"] == PRIMARY)

    async def watch_for(self, state: str) -> str:
        """Wait, not for ever, until the breaker is in `state`; the state that it is in then."""
        now = await self.state()
        for _ in range(LOOKS):
            if now == state:
                break
            await asyncio.sleep(LOOK_S)
            now = await self.state()
        return now


def words_of(body: bytes) -> str:
    """The text of an answer, whole or streamed; what else came, where it is neither."""
    if body.startswith(b"{"):
        told = orjson.loads(body)
        return str(told["choices"][0]["message"]["content"] if "choices" in told else told)
    text = "".join(map(word_of, body.splitlines()))
    return text if body.rstrip().endswith(b"data: [DONE]") else f"(broken off) {text}"


def word_of(line: bytes) -> str:
    """What one line of a stream adds to the text."""
    if not line.startswith(b"data: {"):
        return ""
    choices = orjson.loads(line[6:]).get("choices", ())
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def served(stage: Stage) -> Sight:
    """Everything is well: the first provider of the chain answers."""
    reply = await stage.ask()
    return Sight(reply.came_from(PRIMARY) and stage.primary.hits == 1, reply.shown)


async def primary_fails(stage: Stage) -> Sight:
    """The primary answers 503 to everybody, as one sees by asking it directly."""
    stage.primary.plays("status_503")
    async with stage.client.post(f"{stage.primary.base_url}/chat/completions", json=CALL) as answer:
        return Sight(answer.status == 503, (f"{PRIMARY}, asked directly: {answer.status}",))


async def fails_over(stage: Stage) -> Sight:
    """The primary is asked and fails; the second answers the very same call."""
    hits = stage.primary.hits
    reply = await stage.ask(stream=True)
    first, *_ = reply.tried
    failed = first[0] == PRIMARY and "503" in first and stage.primary.hits > hits
    return Sight(failed and reply.came_from(SECOND), reply.shown)


async def opens(stage: Stage) -> Sight:
    """As many failures as the policy allows, and the breaker opens."""
    replies = [await stage.ask() for _ in range(POLICY.failure_threshold - 1)]
    state = await stage.watch_for("open")
    seen = state == "open" and all(reply.came_from(SECOND) for reply in replies)
    return Sight(seen, (*(reply.shown[1] for reply in replies), f"status: {PRIMARY} is {state}"))


async def skipped(stage: Stage) -> Sight:
    """While the breaker is open the primary receives nothing."""
    hits = stage.primary.hits
    reply = await stage.ask(stream=True)
    asked = stage.primary.hits - hits
    passed_over = not asked and reply.tried[0][:3] == [PRIMARY, "skipped", "open"]
    told = f"calls that {PRIMARY} received meanwhile: {asked}"
    return Sight(passed_over and reply.came_from(SECOND), (*reply.shown, told))


async def probes(stage: Stage) -> Sight:
    """The primary is well again, which a call finds out once the open time is over."""
    stage.primary.plays("ok")
    hits = stage.primary.hits
    reply = await stage.ask()
    for _ in range(LOOKS):
        if stage.primary.hits > hits:
            break
        await asyncio.sleep(LOOK_S)
        reply = await stage.ask()
    state = await stage.watch_for("half_open")
    seen = state == "half_open" and reply.came_from(PRIMARY)
    return Sight(seen, (*reply.shown, f"status: {PRIMARY} is {state}"))


async def closes(stage: Stage) -> Sight:
    """Another good answer closes the breaker; the call after it is served as the first was."""
    probe = await stage.ask()
    state = await stage.watch_for("closed")
    reply = await stage.ask(stream=True)
    seen = state == "closed" and probe.came_from(PRIMARY) and reply.came_from(PRIMARY)
    return Sight(seen, (probe.shown[1], f"status: {PRIMARY} is {state}", *reply.shown))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story: what it is called, what happens, and how to see that it does."""

    title: str
    what: str
    look: Callable[[Stage], Awaitable[Sight]]


STORY = (
    Step("Served", "The application asks; gemini, first in the chain, answers.", served),
    Step("The primary fails", "From now on gemini answers nothing but 503.", primary_fails),
    Step("Failover", "The application asks for a stream, and notices nothing.", fails_over),
    Step("The breaker opens", "Three failures in a row: that is enough.", opens),
    Step("Skipped", "No more time is lost on gemini: it is not even asked.", skipped),
    Step("Half-open", "gemini is well again. After 2 s one call finds out.", probes),
    Step("Closed", "A second good answer, and gemini is back.", closes),
)
