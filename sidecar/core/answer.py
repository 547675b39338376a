"""Judges a streamed answer piece by piece: what to hold, when to commit, whether it was whole.

The commit point is the first content that a user can see (text, tool call, refusal, audio). What
comes before it is held, so that a failure there can still be hidden by another provider. After it
a stream that breaks is said to be broken: no finish reason is ever made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from sidecar.core.complaint import Complaint
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome

HELD_BYTES = 1024**2  # a longer preamble (reasoning) goes out: memory is bounded, the secret is not
NO_CHOICES: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one event of a stream means, whatever format it came in.

    `starts` are the indexes of the choices that it gives content to, `ends` of those it finishes.
    `failure` is set where the event says that the answer failed, with `message` and the
    `complaint` to go with it, and `blameless` where that says nothing about the provider's health.
    `noise` is nothing that a client expects: a ping. `cut`: what it finishes may well be empty.
    """

    starts: frozenset[int] = NO_CHOICES
    ends: frozenset[int] = NO_CHOICES
    reasoning: bool = False
    filtered: bool = False
    cut: bool = False
    done: bool = False
    garbled: bool = False
    noise: bool = False
    usage: Usage | None = None
    failure: Outcome | None = None
    message: str = ""
    blameless: bool = False
    complaint: Complaint | None = field(default=None, compare=False)  # evidence, not meaning


class Move(Enum):
    """What to do with an event."""

    HOLD = auto()
    RELAY = auto()
    DROP = auto()
    END = auto()  # the answer is whole; nothing more is expected


class AnswerFailed(Exception):
    """The provider's answer is none, or broke off. Before the commit nobody needs to know.

    `blameless`: that says nothing about the provider's health. `complaint` is what the provider
    itself said of it, if it did.
    """

    def __init__(
        self,
        outcome: Outcome,
        message: str,
        *,
        blameless: bool = False,
        complaint: Complaint | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
        self.blameless = blameless
        self.complaint = complaint


@dataclass(slots=True)
class Judge:
    """The state of one streamed answer.

    `filter_fails` makes a refusal by policy a failure; `choices` is how many were asked for.
    """

    filter_fails: bool = False
    choices: int = 1
    committed: bool = False
    progressed: bool = False
    usage: Usage | None = None
    _held_bytes: int = 0
    _begun: bool = False
    _filtered: bool = False
    _cut: bool = False
    _skipped: bool = False
    _open: set[int] = field(default_factory=set)
    _finished: set[int] = field(default_factory=set)

    def judge(self, piece: Piece, size: int) -> Move:
        """Say what to do with an event of `size` bytes. Raises `AnswerFailed`."""
        self._begun = True
        if piece.done:
            self._note(piece)
            return self.end(done=True)
        if piece.noise:
            return Move.DROP
        if piece.failure is not None:
            raise AnswerFailed(
                piece.failure,
                piece.message,
                blameless=piece.blameless,
                complaint=piece.complaint,
            )
        if piece.garbled:
            return self._skip_garbled()
        self._note(piece)
        if self.committed or self._commits(piece, size):
            self.committed = True
            return Move.RELAY
        return Move.HOLD

    def end(self, *, done: bool) -> Move:
        """The stream is over, with the provider's word that it is `done` or without.

        Raises `AnswerFailed` unless every choice begun was finished; without that word, also where
        fewer were finished than were asked for.
        """
        if not self._begun:
            raise AnswerFailed(Outcome.PROTOCOL, "the provider's stream has no events")
        if not (self._all_finished if done else self.whole):
            raise AnswerFailed(
                Outcome.STREAM_TRUNCATED,
                "the provider ended the stream before the answer was finished",
            )
        if self._filtered and self.filter_fails and not self.committed:
            raise AnswerFailed(
                Outcome.CONTENT_FILTER, "the provider's content policy refused an answer"
            )
        if self._is_empty:
            raise AnswerFailed(
                Outcome.GENERATION_FAILED, "the provider's answer is empty", blameless=True
            )
        return Move.END

    @property
    def _is_empty(self) -> bool:
        """Whether nothing was said, by policy or otherwise, and nothing is charged for it."""
        silent = not (self.committed or self.progressed or self._filtered or self._cut)
        return silent and self.usage is not None and self.usage.output == 0

    @property
    def whole(self) -> bool:
        """Whether the answer would be whole if the stream ended here without another word."""
        return self._all_finished and len(self._finished) >= self.choices

    @property
    def _all_finished(self) -> bool:
        return bool(self._finished) and not self._open

    def _note(self, piece: Piece) -> None:
        self._open |= piece.starts
        self._open -= piece.ends
        self._finished |= piece.ends
        self._filtered = self._filtered or piece.filtered
        self._cut = self._cut or piece.cut
        self.progressed = self.progressed or piece.reasoning or bool(piece.starts)
        self.usage = piece.usage or self.usage

    def _commits(self, piece: Piece, size: int) -> bool:
        self._held_bytes += size
        overfull = self._held_bytes > HELD_BYTES
        if overfull and not self.progressed:
            raise AnswerFailed(Outcome.PROTOCOL, "the provider sent much and said nothing")
        return bool(piece.starts) or overfull

    def _skip_garbled(self) -> Move:
        """One garbled event among good ones is skipped; what follows shows whether it mattered."""
        if not self.committed or self._skipped:
            raise AnswerFailed(Outcome.PROTOCOL, "the provider sent events that are not JSON")
        self._skipped = True
        return Move.DROP
