"""Whatever providers do and whichever clock runs out, the application is never told a lie.

What it sees is the whole answer of one provider, or one that was honestly gone on with, or a
beginning of such an answer and then an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import openai
from hypothesis import given, note, settings
from hypothesis import strategies as st

from sidecar.app import Sidecar
from sidecar.core.policies import (
    AfterContent,
    Hedge,
    RetryPolicy,
    Streaming,
    Timeouts,
    UpstreamMode,
)
from sidecar.core.settings import Settings
from sidecar.faults.answer import Scene
from sidecar.faults.catalog import Effect, Fault
from sidecar.faults.fault import LET_READ, headers, open_answer, play_well
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.speech import DONE, chunk_of, encode
from sidecar.faults.steps import Close, Reset, Send, Step, Wait
from sidecar.faults.wire import LAST_CHUNK, chunk, whole
from tests.stories.voices import openai_at
from tests.stories.world import MESSAGES, MODEL, settings_for
from tests.virtual import run

WORDS = ["one", "two", "three", "four", "five", "six"]
OTHERS = ["one", "two", "three", "vier", "fünf"]
NAMES = ("first", "second", "third")
CLOCKS = Timeouts(first_token_s=12.0, idle_s=30.0, answer_s=120.0, total_s=200.0)

ERROR = {"error": {"message": "It failed.", "type": "server_error", "code": None, "param": None}}
NOISE: dict[str, bytes] = {
    "comment": b": keep-alive\n\n",
    "malformed": b'data: {"choices": [oops]}\n\n',
    "ping": b"event: ping\n\n",
}


class Line(NamedTuple):
    """What a provider does before the next word: it may wait, and send what is none."""

    wait_s: float = 0.0
    noise: str = ""


@dataclass(frozen=True)
class Part:
    """What one provider does: its words, what comes between them, and how it ends."""

    words: tuple[str, ...]
    lines: tuple[Line, ...]
    said: int
    ending: str
    before: str = ""

    @property
    def text(self) -> str:
        """The whole answer that it would give: where it finishes, that is what it said by then."""
        return " ".join(self.words[: self.said] if self.finishes else self.words)

    @property
    def finishes(self) -> bool:
        """Whether it says that it is done."""
        return self.ending in ("finish", "no done")

    def script(self, scene: Scene) -> Iterator[Step]:
        """Play it."""
        if self.before:
            yield from BEFORE[self.before]
            return
        if not scene.streams:
            yield from self.whole(scene)
            return
        yield open_answer(scene)
        yield Send(chunk(encode(chunk_of(scene, {"role": "assistant", "content": ""}))))
        pieces = [word if at == 0 else f" {word}" for at, word in enumerate(self.words)]
        rest = pieces[begun_by(scene) : self.said]
        for piece, line in zip(rest, self.lines, strict=False):
            if line.wait_s:
                yield Wait(line.wait_s)
            if line.noise:
                yield Send(chunk(NOISE[line.noise]))
            yield Send(chunk(encode(chunk_of(scene, {"content": piece}))))
        yield from ENDINGS[self.ending](scene)

    def whole(self, scene: Scene) -> Iterator[Step]:
        """The same without a stream: all of it, or half of it."""
        yield Wait(sum(line.wait_s for line in self.lines[: self.said]))
        told = replace(scene, answer=replace(scene.answer, text=self.text))
        if self.finishes and self.text:
            yield from play_well(told)
        elif self.ending == "stall":
            yield Wait()
        elif self.ending == "error":
            yield Send(whole(200, headers(scene, "application/json"), b'{"error": "It failed."}'))
        else:
            yield Send(whole(200, headers(scene, "application/json"), b"x" * 99)[:-50])
            yield Close()


def begun_by(scene: Scene) -> int:
    """How many words a call brings as the beginning of the answer."""
    last = scene.asked["messages"][-1]
    return len(last["content"].split()) if last["role"] == "assistant" else 0


def finish(scene: Scene) -> Send:
    return Send(chunk(encode(chunk_of(scene, {}, "stop"))))


ENDINGS: dict[str, Any] = {
    "finish": lambda scene: (finish(scene), Send(chunk(DONE)), Send(LAST_CHUNK)),
    "no done": lambda scene: (finish(scene), Send(LAST_CHUNK)),
    "done alone": lambda _: (Send(chunk(DONE)), Send(LAST_CHUNK)),
    "neither": lambda _: (Send(LAST_CHUNK),),
    "error": lambda _: (Send(chunk(encode(ERROR))), Send(LAST_CHUNK)),
    "cut": lambda _: (LET_READ, Close()),
    "reset": lambda _: (LET_READ, Reset()),
    "stall": lambda _: (Wait(),),
}
BEFORE: dict[str, tuple[Step, ...]] = {
    "503": (Send(whole(503, {"content-type": "text/plain"}, b"down")),),
    "500": (Send(whole(500, {"content-type": "text/plain"}, b"down")),),
    "429": (Send(whole(429, {"content-type": "text/plain", "retry-after": "1"}, b"busy")),),
    "silence": (Wait(),),
    "reset": (LET_READ, Reset()),
}


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """What a provider may do. Half of them are well."""
    words = tuple(draw(st.sampled_from([WORDS, WORDS, OTHERS])))
    if draw(st.booleans()):
        return Part(words, (Line(),) * len(words), len(words), "finish")
    line = st.builds(
        Line,
        wait_s=st.sampled_from([0.0, 0.0, 0.5, 11.0, 13.0, 29.0, 31.0]),
        noise=st.sampled_from(["", "", "", *NOISE]),
    )
    return Part(
        words,
        tuple(draw(st.lists(line, min_size=len(words), max_size=len(words)))),
        draw(st.integers(min_value=0, max_value=len(words))),
        draw(st.sampled_from(sorted(ENDINGS))),
        draw(st.sampled_from(["", "", "", *BEFORE])),
    )


@dataclass(frozen=True)
class Case:
    """A chain, what each of it does, and how it is asked."""

    parts: tuple[Part, ...]
    mode: AfterContent
    upstream: UpstreamMode
    hedge: Hedge
    prefill: bool
    stream: bool
    patience_s: float


CASES = st.builds(
    Case,
    parts=st.tuples(parts(), parts(), parts()),
    mode=st.sampled_from(AfterContent),
    upstream=st.sampled_from(UpstreamMode),
    hedge=st.sampled_from([Hedge(), Hedge(after=5.0)]),
    prefill=st.booleans(),
    stream=st.sampled_from([True, True, False]),
    patience_s=st.sampled_from([600.0, 600.0, 20.0]),
)


def settings_of(case: Case, providers: list[ScriptedProvider]) -> Settings:
    made = settings_for(
        *providers,
        timeouts=CLOCKS,
        retry=RetryPolicy(),
        streaming=Streaming(upstream=case.upstream, keep_alive_s=10.0),
        hedge=case.hedge,
    )
    (route,) = made.routes
    chain = tuple(replace(entry, prefill=case.prefill) for entry in route.chain)
    return replace(made, routes=(replace(route, chain=chain, after_content=case.mode),))


@asynccontextmanager
async def played(case: Case) -> AsyncIterator[tuple[Sidecar, list[ScriptedProvider]]]:
    async with AsyncExitStack() as stack:
        providers = [await stack.enter_async_context(ScriptedProvider(name)) for name in NAMES]
        for provider, part in zip(providers, case.parts, strict=True):
            provider.plays(Fault("random", "anything", Effect.SERVED, part.script))
        sidecar = await stack.enter_async_context(Sidecar(settings_of(case, providers)))
        yield sidecar, providers


class Seen(NamedTuple):
    """What the application saw: the words, whether it was told that they are all, and an error."""

    text: str
    is_whole: bool
    error: openai.APIError | None


async def seen_of(case: Case, sidecar: Sidecar) -> Seen:
    client = openai_at(f"http://{sidecar.api}").with_options(timeout=case.patience_s)
    text, is_whole = "", False
    try:
        if not case.stream:
            completion = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
            return Seen(completion.choices[0].message.content or "", True, None)
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for event in stream:
            for choice in event.choices:
                text += choice.delta.content or ""
                is_whole = is_whole or choice.finish_reason is not None
    except openai.APIError as error:
        return Seen(text, is_whole, error)
    finally:
        await client.close()
    return Seen(text, is_whole, None)


def texts_of(case: Case) -> set[str]:
    """The whole answers that there are."""
    return {part.text for part in case.parts}


def goes_on(case: Case) -> bool:
    """Whether a provider may go on with what another one began."""
    return case.prefill and case.mode is AfterContent.RESUME


def is_gone_on_with(case: Case, text: str) -> bool:
    """Whether a text was begun by one and finished by another, no word lost, doubled or moved."""
    count = len(text.split())
    ends = [part for part in case.parts if part.finishes and part.said <= count]
    return goes_on(case) and bool(ends) and is_in_order(case, text)


def is_in_order(case: Case, text: str) -> bool:
    """Whether each word is what somebody has to say in its place."""
    words = text.split()
    columns = [
        {part.words[place] for part in case.parts if place < len(part.words)}
        for place in range(len(words))
    ]
    return text == " ".join(words) and all(
        word in column for word, column in zip(words, columns, strict=True)
    )


@settings(max_examples=2 * settings().max_examples)
@given(CASES)
def test_no_interleaving_of_faults_and_clocks_makes_a_lie(case: Case) -> None:
    async def story() -> None:
        async with played(case) as (sidecar, providers):
            seen = await seen_of(case, sidecar)
            note(repr(seen))
            hits = [provider.hits for provider in providers]
            upstreams = list(sidecar._upstreams.values())

        assert (seen.error is None) == seen.is_whole
        if seen.is_whole:
            assert seen.text in texts_of(case) or is_gone_on_with(case, seen.text)
        else:
            assert any(text.startswith(seen.text) for text in texts_of(case)) or goes_on(case)
            assert is_in_order(case, seen.text)
        assert not seen.error or case.stream or not seen.text
        assert max(hits) <= 2
        assert all(upstream.in_flight == 0 for upstream in upstreams)
        assert not isinstance(seen.error, openai.APITimeoutError)

    run(story)
