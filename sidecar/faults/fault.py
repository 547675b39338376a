"""A fault as data: its name, what it does, what it should come to, and the script that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sidecar.faults.answer import Scene
from sidecar.faults.healthy import body_of, speech_of
from sidecar.faults.speech import Event, Speech, encode
from sidecar.faults.steps import Send, Step, Until, Wait
from sidecar.faults.wire import LAST_CHUNK, chunk, head, whole

Script = Callable[[Scene], Iterable[Step]]
Change = Callable[[Speech], Speech]

# A reset overtakes what the peer has not read yet: this lets it read first.
LET_READ = Wait(0.02)


class Effect(StrEnum):
    """What a careful proxy makes of a fault while another provider is well."""

    SERVED = "served"  # the answer is whole: it goes on to the application, tidied where needed
    FAILS_OVER = "fails_over"  # another provider answers; the application notices nothing
    INTERRUPTED = (
        "interrupted"  # streamed: an error in band, for words were out; else it fails over
    )
    CALLER = "caller"  # the call itself is at fault, it says: the application may hear so


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, or that only looks like it.

    `streamed`: it shows in streamed answers only; other calls are answered well. `on_accept`: it
    strikes before the call is read, and the connection is good for nothing else. `refuses`: nobody
    listens while it is played. `write_bytes`: how many bytes go out in one write, 0 for as many as
    there are.
    """

    id: str
    does: str
    effect: Effect
    script: Script
    streamed: bool = False
    on_accept: bool = False
    refuses: bool = False
    write_bytes: int = 0


def play_well(scene: Scene) -> Iterator[Step]:
    """Answer as a healthy provider does."""
    if scene.streams:
        yield from speak(scene, speech_of(scene))
        return
    answer = scene.answer
    yield Wait(answer.first_after_s + answer.delay_s * (len(scene.pieces) - 1))
    body, content_type = body_of(scene)
    if scene.call.method == "HEAD":
        yield Send(head(200, headers(scene, content_type)))
    else:
        yield Send(whole(200, headers(scene, content_type), body))


def speak(scene: Scene, speech: Speech) -> Iterator[Step]:
    """Stream all of `speech`, at the answer's pace, and end the body as HTTP wants it."""
    yield open_answer(scene)
    yield from send(speech.opening)
    yield from say(scene, speech.words)
    yield from send([*speech.finish, *speech.usage, *speech.done])
    yield Send(LAST_CHUNK)


def say(scene: Scene, words: Iterable[Event]) -> Iterator[Step]:
    """Word after word, at the answer's pace."""
    answer = scene.answer
    for at, event in enumerate(words):
        yield Until(answer.first_after_s + at * answer.delay_s)
        yield from send([event])


def open_answer(scene: Scene) -> Send:
    """The head of an answer of unknown length."""
    content_type = "text/event-stream; charset=utf-8" if scene.streams else "application/json"
    return Send(head(200, headers(scene, content_type) | {"transfer-encoding": "chunked"}))


def send(events: Iterable[Event]) -> Iterator[Send]:
    """Each event in a chunk of its own."""
    return (Send(chunk(encode(event))) for event in events)


def headers(scene: Scene, content_type: str) -> dict[str, str]:
    """What every answer says about itself."""
    return {"content-type": content_type, "x-request-id": f"req_{scene.name}"}


# Scripts to choose from


def break_off(words: int, *then: Step) -> Script:
    """Answer well for so many words (half a body, if not streamed), then do something else.

    The words come at the answer's pace, the half body at once.
    """

    def script(scene: Scene) -> Iterator[Step]:
        if scene.streams:
            speech = speech_of(scene)
            yield open_answer(scene)
            yield from send(speech.opening)
            yield from say(scene, speech.words[:words])
        else:
            body, content_type = body_of(scene)
            full = whole(200, headers(scene, content_type), body)
            yield Send(full[: len(full) - (len(body) + 1) // 2])
        yield from then

    return script


def begin(*then: Step) -> Script:
    """Send the head of an answer, then do something else."""

    def script(scene: Scene) -> Iterator[Step]:
        yield open_answer(scene)
        yield from then

    return script


def stream(change: Change) -> Script:
    """Stream what `change` makes of a good answer; answer well where nothing is streamed."""

    def script(scene: Scene) -> Iterator[Step]:
        if not scene.streams:
            return play_well(scene)
        return speak(scene, change(speech_of(scene)))

    return script


def reply(status: int, body: bytes, content_type: str, extra: Mapping[str, str]) -> Script:
    """Answer with exactly this, whatever was asked."""

    def script(scene: Scene) -> Iterator[Step]:
        yield Send(whole(status, headers(scene, content_type) | dict(extra), body))

    return script


def telling(script: Script, **changes: Any) -> Script:
    """Play `script` with other settings of the `Answer`."""
    return lambda scene: script(replace(scene, answer=replace(scene.answer, **changes)))


def table(effect: Effect, *rows: tuple[str, str, Change]) -> tuple[Fault, ...]:
    """Faults of streams that come to the same, one a row."""
    return tuple(Fault(name, does, effect, stream(change), True) for name, does, change in rows)
