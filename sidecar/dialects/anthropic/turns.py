"""The messages of a chat, as the turns that Anthropic's API accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sidecar.dialects.anthropic.calls import (
    Awaited,
    Calls,
    late_result,
    missing_result,
    take,
    write_result,
)
from sidecar.dialects.anthropic.parts import (
    SAID_BY_ASSISTANT,
    SAID_BY_USER,
    TEXT,
    blocks_of,
    untranslatable,
)
from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import text_in

INSTRUCTING = frozenset(("system", "developer"))
RESULTS = frozenset(("tool", "function"))
NOTHING_SAID = "(an empty message)"  # a turn must say something, and the first be the user's
BEGUN = "Your answer has been begun. Go on exactly where it ends, and repeat nothing of it:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What the turns may hold: an answer begun for the model, system messages among them.

    `recall` finds the signed thinking of an assistant's message, by the message and its place.
    """

    prefill: bool
    system_turns: bool
    recall: Callable[[int, Json], list[Json]]


@dataclass(slots=True)
class Turn:
    """What one side says. `results` answer the calls in it and follow it at once."""

    role: str
    blocks: list[Json] = field(default_factory=list)
    results: list[Json] = field(default_factory=list)
    awaited: list[Awaited] = field(default_factory=list)


def write_turns(messages: list[Json], manner: Manner) -> tuple[list[Json], list[Json]]:
    """The system blocks that open the chat, and the messages after them.

    A chat that is nothing but instructions is said by the user. Raises `Untranslatable`.
    """
    opening = leading_instructions(messages)
    system = [block for message in messages[:opening] for block in instruction(message)]
    turns = merged(flat(read_turns(messages, opening, manner)))
    if not turns:
        system, turns = [], [Turn("user", system)]
    turns = merged(place_instructions(end_with_user(turns, manner), manner))
    if turns[0].role != "user":
        turns.insert(0, Turn("user"))
    return system, [write_turn(turn) for turn in turns]


def leading_instructions(messages: list[Json]) -> int:
    """How many messages there are before the first turn."""
    instructs = [text_in(message, "role") in INSTRUCTING for message in messages]
    return [*instructs, False].index(False)


def instruction(message: Json) -> list[Json]:
    return blocks_of(message.get("content"), TEXT)


def read_turns(messages: list[Json], opening: int, manner: Manner) -> list[Turn]:
    """The turns after the first `opening` messages, calls with their results."""
    listener = Listener(manner)
    for place, message in enumerate(messages[opening:], opening):
        listener.hear(place, message)
    return listener.turns


@dataclass(slots=True)
class Listener:
    """Hears a chat, message by message. `caller` is who last spoke for the assistant."""

    manner: Manner
    turns: list[Turn] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)
    caller: Turn = field(default_factory=lambda: Turn("assistant"))

    def hear(self, place: int, message: Json) -> None:
        """The next message. Raises `Untranslatable`."""
        role = text_in(message, "role")
        if role == "assistant":
            self._hear_assistant(message, self.manner.recall(place, message))
        elif role in RESULTS:
            self._hear_result(message)
        elif role in INSTRUCTING:
            self.turns.append(Turn("system", instruction(message)))
        elif role == "user":
            self.turns.append(Turn("user", blocks_of(message.get("content"), SAID_BY_USER)))
        else:
            raise untranslatable("a role that is unknown")

    def _hear_assistant(self, message: Json, thinking: list[Json]) -> None:
        """What is said in one go is one turn, for all its results have to follow together."""
        if not self.turns or self.turns[-1] is not self.caller or self.caller.results:
            self.caller = Turn("assistant")
            self.turns.append(self.caller)
        said = blocks_of(message.get("content") or message.get("refusal"), SAID_BY_ASSISTANT)
        self.caller.blocks += [*thinking, *said]
        for block, awaited in self.calls.write(message):
            self.caller.blocks.append(block)
            self.caller.awaited.append(awaited)

    def _hear_result(self, message: Json) -> None:
        awaited = take(self.caller.awaited, message)
        if awaited:
            self.caller.results.append(write_result(message, awaited))
        else:
            self.turns.append(Turn("user", late_result(message)))


def flat(turns: list[Turn]) -> list[Turn]:
    """Results as turns of the user, none of them missing; assistants that say nothing left out."""
    flat: list[Turn] = []
    for turn in turns:
        if turn.blocks or turn.role == "user":
            flat.append(turn)
        results = [*turn.results, *map(missing_result, turn.awaited)]
        if results:
            flat.append(Turn("user", results))
    return flat


def merged(turns: list[Turn]) -> list[Turn]:
    """Neighbours of the same side as one turn."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            merged[-1].blocks += turn.blocks
        else:
            merged.append(Turn(turn.role, [*turn.blocks]))
    return merged


def end_with_user(turns: list[Turn], manner: Manner) -> list[Turn]:
    """Keep an answer that was begun where the model takes it; else ask the model to go on."""
    *before, last = turns
    if last.role != "assistant":
        return turns
    text = "\n\n".join(block["text"] for block in last.blocks if block["type"] == "text").rstrip()
    if not manner.prefill:
        return [*before, Turn("user", [{"type": "text", "text": f"{BEGUN}\n{text}"}])]
    end = last.blocks[-1]
    last.blocks[-1] = {**end, "text": end["text"].rstrip()}
    return turns


def place_instructions(turns: list[Turn], manner: Manner) -> list[Turn]:
    """Instructions within the chat: as such after a user's turn that is answered next.

    Elsewhere, and for models that know none, the user says them, marked as what they are.
    """
    placed: list[Turn] = []
    for turn, following in zip(turns, [*turns[1:], Turn("assistant")], strict=True):
        side = placed[-1].role if placed else ""
        fits = manner.system_turns and side == "user" and following.role == "assistant"
        placed.append(turn if turn.role != "system" or fits else folded(turn))
    return placed


def folded(turn: Turn) -> Turn:
    return Turn("user", [marked(block) for block in turn.blocks])


def marked(block: Json) -> Json:
    return {**block, "text": f"<system>\n{block['text']}\n</system>"}


def write_turn(turn: Turn) -> Json:
    blocks = turn.blocks or [{"type": "text", "text": NOTHING_SAID}]
    return {"role": turn.role, "content": blocks}
