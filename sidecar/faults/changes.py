"""Changes to a good stream, small enough to be put together: a good one in, another out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import orjson

from sidecar.faults.answer import PROMPT_TOKENS, Json
from sidecar.faults.fault import Change
from sidecar.faults.speech import Event, Speech, encode

Alter = Callable[[Json], Json]
WORDS = 2  # said before something happens; the shortest answer has three


# Events added or left out


def only(*events: Event) -> Change:
    """Nothing but `events`."""
    return lambda _speech: Speech(words=list(events))


def open_with(*events: Event) -> Change:
    """`events` before all others."""
    return lambda speech: replace(speech, opening=[*events, *speech.opening])


def between(*events: Event) -> Change:
    """`events` in the middle of the words."""
    return lambda speech: replace(
        speech, words=[*speech.words[:WORDS], *events, *speech.words[WORDS:]]
    )


def end_with(words: int, *events: Event) -> Change:
    """So many words, then `events`, and the body ends."""
    return lambda speech: Speech(opening=speech.opening, words=[*speech.words[:words], *events])


def leave_out(*parts: str) -> Change:
    """Everything but these `parts` of the speech."""
    return lambda speech: replace(speech, **{part: [] for part in parts})


# The same events, altered


def each_event(alter: Callable[[Json], Event]) -> Change:
    """Every JSON event as `alter` makes it."""

    def changed(events: list[Event]) -> list[Event]:
        return [event if isinstance(event, bytes) else alter(event) for event in events]

    return lambda speech: Speech(
        opening=changed(speech.opening),
        words=changed(speech.words),
        finish=changed(speech.finish),
        usage=changed(speech.usage),
        done=speech.done,
    )


def each_choice(alter: Alter) -> Change:
    """Every choice as `alter` makes it."""
    return each_event(lambda event: event | {"choices": [alter(one) for one in event["choices"]]})


def each_delta(alter: Alter) -> Change:
    """Every delta as `alter` makes it; text completions have none."""
    return each_choice(
        lambda choice: choice | {"delta": alter(choice["delta"])} if "delta" in choice else choice
    )


def each_tool_call(alter: Alter) -> Change:
    """Every piece of a tool call as `alter` makes it."""
    return each_delta(
        lambda delta: (
            delta | {"tool_calls": [alter(call) for call in delta["tool_calls"]]}
            if "tool_calls" in delta
            else delta
        )
    )


def without(name: str) -> Alter:
    """Leave out a field."""
    return lambda body: {key: value for key, value in body.items() if key != name}


def finish_as(reason: str) -> Change:
    """Another finish reason."""
    return each_choice(
        lambda choice: choice | {"finish_reason": choice["finish_reason"] and reason}
    )


def think_first(**delta: Any) -> Change:
    """Reasoning before the first word, in the shape of a role chunk."""

    def change(speech: Speech) -> Speech:
        thought = each_delta(lambda _delta: delta)(Speech(opening=speech.opening)).opening
        return replace(speech, opening=[*speech.opening, *thought, *thought])

    return change


def usage_of(speech: Speech) -> Json:
    """The usage that belongs to a speech, as a field."""
    said = len(speech.words)
    counted = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": said}
    return {"usage": counted | {"total_tokens": PROMPT_TOKENS + said}}


def usage_at_the_finish(speech: Speech) -> Speech:
    """The usage where the finish reason is, and none after it."""
    counted = each_event(lambda event: event | usage_of(speech))(Speech(finish=speech.finish))
    return replace(speech, finish=counted.finish, usage=[])


def usage_unasked(speech: Speech) -> Speech:
    """A usage event, asked for or not."""
    return replace(speech, usage=[{"choices": []} | usage_of(speech)])


def all_of(*changes: Change) -> Change:
    """One change after the other."""
    return lambda speech: reduce(lambda changed, change: change(changed), changes, speech)


# The same events, in other bytes


def rewrite(change: Callable[[bytes], bytes]) -> Change:
    """The whole stream in other bytes."""
    return lambda speech: Speech(words=[change(b"".join(map(encode, speech.events)))])


def in_many_lines(text: bytes) -> bytes:
    """Every JSON over many lines, each a `data:` of its own."""
    return b"".join([spread_out(line) for line in text.splitlines(keepends=True)])


def spread_out(line: bytes) -> bytes:
    """A `data:` of JSON as many, any other line as it is."""
    if not line.startswith(b"data: {"):
        return line
    lines = orjson.dumps(orjson.loads(line[6:]), option=orjson.OPT_INDENT_2).split(b"\n")
    return b"".join([b"data: %b\n" % one for one in lines])
