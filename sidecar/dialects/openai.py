"""OpenAI's streams, read: what each event means, and what to pass on of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from sidecar.core.answer import Piece
from sidecar.core.complaint import read_complaint
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event, encode
from sidecar.core.taxonomy import is_blameless, judge_error
from sidecar.dialects.dialect import Json, Reading, loads
from sidecar.dialects.tidy import Tidier, normal_usage

FIRST = frozenset((0,))
CONTENT = Piece(starts=FIRST)  # nearly every event of a stream, so these are made once
REASONING = Piece(reasoning=True)
SILENT = Piece()
THE_END = Piece(done=True)
GARBLED = Piece(garbled=True)
NOISE = Piece(noise=True)

CONTENT_FIELDS = ("content", "tool_calls", "refusal", "audio", "function_call", "images")
REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details")
GOOD_FINISHES = frozenset(("stop", "length", "tool_calls", "content_filter", "function_call"))
FAILED_FINISHES = ("error", "network_error")
# As Gemini says them, perhaps after a word of its OpenAI layer: `function_call_filter: …`.
FAILED_CALLS = (
    *("malformed_function_call", "unexpected_tool_call", "too_many_tool_calls"),
    "missing_thought_signature",
)
MAX_TOKENS = 10**9  # of one answer; who counts more does not count tokens


class ChatReader:
    """Reads one stream of chat or completion chunks.

    `seed` is unique to it. `note` is shown every chunk, tidied, that is to be remembered.
    """

    __slots__ = ("_last", "_note", "_tidier")

    def __init__(self, seed: str, note: Callable[[Json], None] | None = None) -> None:
        self._tidier = Tidier(seed)
        self._note = note
        self._last: tuple[Json, ...] = ()

    def read(self, event: Event) -> Reading:
        """What an event means and says; `raw` if it may go on as it came."""
        data = event.data
        if event.name == b"error":
            return Reading(read_error_event(data))
        if data.startswith(b"[DONE]"):
            return Reading(THE_END)
        try:
            chunk = loads(data)
        except ValueError:
            return Reading(GARBLED)
        if piece := read_failure(chunk):
            return Reading(piece)
        return self._read_chunk(chunk, event)

    def end(self) -> Sequence[Json]:
        """The usage, in a chunk of its own."""
        return self._last

    def _read_chunk(self, chunk: Json, event: Event) -> Reading:
        changed = self._tidier.tidy(chunk)
        if self._note:
            self._note(chunk)
        usage = chunk.pop("usage", None) if chunk.get("usage") else None
        if usage is None:
            raw = b"" if changed else event.raw or encode(event.data)
            return Reading(read_choices(chunk["choices"]), (chunk,), raw)
        usage = normal_usage(usage)
        self._last = ({**chunk, "choices": [], "usage": usage},)
        piece = read_choices(chunk["choices"], read_usage(usage))
        return Reading(piece, (chunk,) if chunk["choices"] else ())


def read_error_event(data: bytes) -> Piece:
    """An event that is called an error is one, whatever it holds."""
    try:
        return failed_piece(loads(data))
    except ValueError:
        return failed_piece(data.decode("utf-8", "replace"))


def read_failure(chunk: object) -> Piece | None:
    """What an event says that is no chunk: an error, or nothing."""
    if not isinstance(chunk, dict):
        return read_odd_event(chunk)
    if is_error(chunk):
        return failed_piece(chunk)
    has_choices = isinstance(chunk.get("choices"), list)
    return None if has_choices or isinstance(chunk.get("usage"), dict) else NOISE


def read_choices(choices: list[object], usage: Usage | None = None) -> Piece:
    """What the choices of one chunk mean."""
    if len(choices) == 1 and usage is None:
        return read_choice(choices[0])
    return merged(choices, usage)


def is_error(body: Mapping[str, Any]) -> bool:
    """Whether it is an error, in the envelope of OpenAI, Anthropic or Cloudflare."""
    told = body.get("type") == "error" or body.get("success") is False
    return told or bool(body.get("error"))


def read_odd_event(chunk: object) -> Piece:
    """A list may be Gemini's shape of an error; nothing else is known."""
    return failed_piece(chunk) if read_complaint(chunk).words else GARBLED


def failed_piece(chunk: object) -> Piece:
    complaint = read_complaint(chunk)
    return Piece(
        failure=judge_error(200, complaint, Outcome.STREAM_ERROR),
        message=complaint.message,
        blameless=is_blameless(complaint),
        complaint=complaint,
    )


def read_choice(choice: object) -> Piece:
    """What one choice of a chunk says."""
    if not isinstance(choice, dict):
        return SILENT
    finish = finish_of(choice)
    starts = has_content(choice)
    if not finish:
        return read_unfinished(choice, starts=starts)
    if has_failed(finish):
        return Piece(
            failure=Outcome.GENERATION_FAILED, message=f"the provider finished with {finish}"
        )
    index = frozenset((choice_index(choice),))
    return Piece(
        starts=index if starts else frozenset(),
        ends=index,
        filtered=finish == "content_filter",
        cut=finish == "length" or "delta" not in choice,
    )


def has_failed(finish: str) -> bool:
    """Whether a finish says that there is no answer."""
    if finish in GOOD_FINISHES:  # as nearly always
        return False
    return finish in FAILED_FINISHES or finish.lower().endswith(FAILED_CALLS)


def finish_of(choice: Mapping[str, Any]) -> str:
    """Why a choice ended; empty where it did not."""
    finish = choice.get("finish_reason")
    return finish if isinstance(finish, str) else ""


def read_unfinished(choice: Mapping[str, Any], *, starts: bool) -> Piece:
    if starts:
        index = choice_index(choice)
        return Piece(starts=frozenset((index,))) if index else CONTENT
    delta = choice.get("delta")
    if isinstance(delta, dict) and any(map(delta.get, REASONING_FIELDS)):
        return REASONING
    return SILENT


def has_content(choice: Mapping[str, Any]) -> bool:
    """Whether a user would see something of this choice."""
    delta = choice.get("delta")
    if isinstance(delta, dict):
        return any(map(delta.get, CONTENT_FIELDS))
    return bool(choice.get("text"))


def choice_index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def merged(choices: list[object], usage: Usage | None) -> Piece:
    """One piece for an event with several choices, or none, and perhaps usage."""
    whole = Piece(usage=usage)
    for choice in choices:
        piece = read_choice(choice)
        if piece.failure:
            return piece
        whole = replace(
            whole,
            starts=whole.starts | piece.starts,
            ends=whole.ends | piece.ends,
            reasoning=whole.reasoning or piece.reasoning,
            filtered=whole.filtered or piece.filtered,
            cut=whole.cut or piece.cut,
        )
    return whole


def read_usage(usage: object) -> Usage | None:
    """Token counts, or `None` where there are none to trust."""
    if not isinstance(usage, dict) or not is_count(usage.get("prompt_tokens")):
        return None
    completion = usage.get("completion_tokens")
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(
        input=usage["prompt_tokens"],
        output=completion if is_count(completion) else 0,
        cached_input=cached if is_count(cached) else 0,
    )


def is_count(value: object) -> TypeGuard[int]:
    """Whether it may be added to a counter, which never falls."""
    return type(value) is int and 0 <= value <= MAX_TOKENS
