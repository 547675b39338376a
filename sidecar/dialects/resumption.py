"""An answer that broke off after its first words, gone on with by another provider.

Either the provider is given what was said as the beginning of its own answer, or it answers the
call from the start and what was said already is swallowed, as long as it is word for word the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sidecar.core.answer import NO_CHOICES, AnswerFailed, Piece
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event
from sidecar.dialects.dialect import (
    Answered,
    Assembler,
    Json,
    Outgoing,
    ProviderSide,
    Reader,
    Reading,
    Target,
)
from sidecar.dialects.mends import without
from sidecar.dialects.odd import entries, object_in
from sidecar.dialects.openai import (
    CONTENT,
    CONTENT_FIELDS,
    REASONING,
    REASONING_FIELDS,
    choice_index,
)

MAX_TOLD_CHARS = 1024**2  # of an answer that may be gone on with: memory is bounded
NOT_TEXT = tuple(name for name in CONTENT_FIELDS if name != "content")
HEAD = ("id", "created")  # what all chunks of one answer share, whoever gives it
# Said by who began: who speaks, and what was thought. Annotations name places in another text.
SAID_ONCE = frozenset(("role", *REASONING_FIELDS, "annotations"))


class Diverged(AnswerFailed):
    """Another provider would not have said what the application has heard already."""

    def __init__(self) -> None:
        message = "the answer broke off, and another provider would have gone on differently"
        super().__init__(Outcome.CANCELLED, message, blameless=True)


class Told:
    """What the application has heard of an answer.

    `head` is what the chunks of the answer share: their id, and when it was created.
    """

    __slots__ = ("_chars", "_is_sound", "_pieces", "head")

    def __init__(self) -> None:
        self.head: Json = {}
        self._pieces: list[str] = []
        self._chars = 0
        self._is_sound = True

    @property
    def text(self) -> str:
        """The words of the only choice; none of an answer that is too long to be gone on with."""
        self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0]

    @property
    def resumable(self) -> bool:
        """Whether another provider may go on: all that was heard are words, and not the last."""
        return self._is_sound and self._chars > 0

    def note(self, reading: Reading) -> None:
        """Take in what was written of an answer, in order."""
        if reading.piece.starts and not reading.chunks:  # it went on as it came, and nobody read it
            self._is_sound = False
        for chunk in reading.chunks:
            if len(self.head) < len(HEAD):
                self.head = {name: chunk[name] for name in HEAD if chunk.get(name)} | self.head
            for choice in entries(chunk.get("choices")):
                self._note_choice(choice)

    def _note_choice(self, choice: object) -> None:
        if not isinstance(choice, dict) or not is_text_alone(choice):
            self._is_sound = False
            return
        if text := text_of(choice):
            self._pieces.append(text)
            self._chars += len(text)
        if choice.get("finish_reason") or choice.get("logprobs"):
            self._is_sound = False
        if self._chars > MAX_TOLD_CHARS:
            self._is_sound = False
            self._pieces.clear()


def is_text_alone(choice: Mapping[str, Any]) -> bool:
    """Whether a choice of a chunk is the first one, and has no content but text."""
    if choice_index(choice) or any(map(object_in(choice, "delta").get, NOT_TEXT)):
        return False
    return isinstance(text_of(choice), str | None)


def may_follow(choice: Mapping[str, Any], *, repeats: bool) -> bool:
    """Whether a choice of a chunk may come after all that was said: the call of a tool."""
    called = bool(object_in(choice, "delta").get("tool_calls")) and not repeats
    return called and not choice_index(choice) and isinstance(text_of(choice), str | None)


def text_of(choice: Mapping[str, Any]) -> Any:
    """The text of a choice of a chunk, chat or not, or what stands there instead."""
    return choice["text"] if "text" in choice else object_in(choice, "delta").get("content")


def can_prefill(fields: Json, told: Told, target: Target) -> bool:
    """Whether the chat call `fields` can be sent with what was said as the answer's beginning."""
    text = told.text
    if not text.strip() or not is_sendable(text):
        return False
    turns = entries(fields.get("messages"))
    if not turns or not target.without.isdisjoint(target.preset.prefill.fields):
        return False
    last = turns[-1]
    if not isinstance(last, dict):
        return False
    if last.get("role") != "assistant":
        return True
    return isinstance(last.get("content"), str) and not any(map(last.get, NOT_TEXT))


def is_sendable(text: str) -> bool:
    """Whether it is not cut within a character, as JSON can be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def prefilled(fields: Json, told: Told, target: Target) -> Json:
    """The chat call `fields` with what was said as the beginning of its answer.

    Without the white space at its end, which some refuse there. Only for what `can_prefill`.
    """
    form = target.preset.prefill
    *before, last = fields["messages"]
    said = told.text
    if last.get("role") == "assistant":  # the application had begun the answer itself
        said = last["content"] + said
    else:
        before, last = fields["messages"], {"role": "assistant"}
    begun = {**last, "content": said.rstrip(), **form.turn}
    return {**fields, "messages": [*before, begun], **form.fields}


class Continuation:
    """Reads the answer that goes on with what was `told`, and leaves out what was said already.

    `prefilled`: it was given that as its beginning; `echo` is what it then repeats first. Raises
    `Diverged` for an answer that is another one.
    """

    __slots__ = ("_blank", "_blank_at", "_head", "_reader", "_said", "_said_at")

    def __init__(self, reader: Reader, told: Told, *, prefilled: bool, echo: str = "") -> None:
        text = told.text
        self._reader = reader
        self._head = dict(told.head)
        self._said = echo if prefilled else text  # all of it has to be repeated …
        self._said_at = 0
        self._blank = text[len(text.rstrip()) :] if prefilled else ""  # … and of this any part may
        self._blank_at = 0

    def read(self, event: Event) -> Reading:
        """What is new in the next event. Raises `Diverged`."""
        return self.rest_of(self._reader.read(event))

    def end(self) -> Sequence[Json]:
        """What is left to say after the last event, as part of the answer that was begun."""
        return [{**chunk, **self._head} for chunk in self._reader.end()]

    def rest_of(self, reading: Reading) -> Reading:
        """What is new in a reading. Raises `Diverged`."""
        piece = reading.piece
        if piece.starts and not reading.chunks:
            raise Diverged  # words that nobody can compare
        rests = [rest for chunk in reading.chunks if (rest := self._rest_of_chunk(chunk))]
        if (piece.ends or piece.done) and self._said_at < len(self._said):
            raise Diverged
        return Reading(rest_of_piece(piece, rests), rests)

    def _rest_of_chunk(self, chunk: Json) -> Json | None:
        choices = [one for one in entries(chunk.get("choices")) if isinstance(one, dict)]
        rests = [rest for choice in choices if (rest := self._rest_of_choice(choice))]
        return {**chunk, **self._head, "choices": rests} if rests else None

    def _rest_of_choice(self, choice: Json) -> Json | None:
        repeats = self._said_at < len(self._said)
        if not (is_text_alone(choice) or may_follow(choice, repeats=repeats)):
            raise Diverged
        text = self._new_in(text_of(choice) or "")
        rest = with_text(choice, text)
        says_more = not repeats and any(object_in(rest, "delta").values())
        return rest if text or says_more or choice.get("finish_reason") else None

    def _new_in(self, text: str) -> str:
        """What of the next words was not said before. Raises `Diverged`."""
        repeated = text[: len(self._said) - self._said_at]
        if not self._said.startswith(repeated, self._said_at):
            raise Diverged
        self._said_at += len(repeated)
        return self._past_blank(text[len(repeated) :])

    def _past_blank(self, text: str) -> str:
        """What follows the white space that was said and not sent; it may come again, or not."""
        if self._blank.startswith(text, self._blank_at):
            self._blank_at += len(text)
            return ""
        rest = self._blank[self._blank_at :]
        self._blank_at = len(self._blank)
        return text[same_chars(rest, text) :]


def same_chars(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    alike = [a == b for a, b in zip(one, other, strict=False)]
    return [*alike, False].index(False)


def with_text(choice: Json, text: str) -> Json:
    """A choice with `text` for its words, and without what was said when the answer began."""
    rest = {**choice, "logprobs": None} if choice.get("logprobs") else choice
    if "text" in choice:
        return {**rest, "text": text}
    delta = without(object_in(choice, "delta"), SAID_ONCE)
    return {**rest, "delta": {**delta, "content": text} if "content" in delta else delta}


def rest_of_piece(piece: Piece, rests: Sequence[Json]) -> Piece:
    """What an event means of which these chunks are new: repeated words are at most progress."""
    choices = [choice for chunk in rests for choice in chunk["choices"]]
    speaks = any(text_of(choice) or not is_text_alone(choice) for choice in choices)
    if speaks or not piece.starts:
        return piece
    if piece == CONTENT:
        return REASONING
    return replace(piece, starts=NO_CHOICES, reasoning=True)


class Resumed:
    """A call as the provider hears it that goes on with what was `told`.

    `prefilled` and `echo` are as in `Continuation`.
    """

    def __init__(
        self, side: ProviderSide, told: Told, *, prefilled: bool = False, echo: str = ""
    ) -> None:
        self._side = side
        self._told = told
        self._echo = echo
        self.prefilled = prefilled

    @property
    def outgoing(self) -> Outgoing:
        """The request."""
        return self._side.outgoing

    def reader(self) -> Continuation:
        """What reads the rest of its streamed answer."""
        reader = self._side.reader()
        return Continuation(reader, self._told, prefilled=self.prefilled, echo=self._echo)

    def assembler(self) -> Assembler:
        """What makes a whole answer of a streamed one."""
        return self._side.assembler()

    def read_answer(self, body: bytes) -> Answered:
        """Read its whole answer, with all that was said already in it. Raises `AnswerFailed`."""
        return self._side.read_answer(body)
