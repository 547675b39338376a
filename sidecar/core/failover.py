"""The course of one call along its chain: which provider to try next, until when, and when to stop.

The chain is walked once, under one deadline. A provider set aside for the operator's fault is
asked after all the others, because an answer is worth more than a clean conscience. So is one that
was called off because another one was faster, should that one fail in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sidecar.core.capability import Capability
from sidecar.core.outcome import CLOCKS, Outcome, SkipReason
from sidecar.core.permit import Refusal
from sidecar.core.policies import ContentFilter
from sidecar.core.settings import Entry

MOST_AGAINS = 8  # extra tries at once: a key each, or a field that is left out
EARLY_S = 0.002  # a timer may run so much ahead of the clock that the deadline is read from
NOTHING: frozenset[Capability] = frozenset()
NO_REASON: frozenset[SkipReason] = frozenset()
PARKED = frozenset((SkipReason.PARKED,))


class Try(NamedTuple):
    """Ask `entry` now. Without content by `until_s` (monotonic) the next one gets its turn.

    It is asked `despite` what else would be a reason to pass it over. `shared`: the time of the
    whole call goes on after `until_s`; what ends there is this provider's part of it. An answer of
    which nobody hears before it is whole has to be that by `whole_s`.
    """

    entry: Entry
    until_s: float
    despite: frozenset[SkipReason] = NO_REASON
    shared: bool = False
    whole_s: float = float("inf")

    def before(self, deadline_s: float) -> Try:
        """The same, to end by `deadline_s` as well: that of a probe's lease."""
        if self.until_s <= deadline_s:
            return self
        return self._replace(until_s=deadline_s, shared=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What one attempt failed with. `wait_s` is how long the provider asked us to stay away.

    `guessed`: it stated no wait, and this one is our own. `again`: the same provider is worth
    asking once more at once, without the field that it refused or with another key. `blameless`:
    it says nothing about the provider's health. `final`: nobody else is worth asking.
    """

    outcome: Outcome
    status: int = 0
    message: str = ""
    code: str | None = None
    param: str | None = None
    wait_s: float | None = None
    guessed: bool = False
    again: bool = False
    blameless: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The walk is over: no time is left (`deadline`), or `failure` is final, or nobody is left.

    `leaving`: the sidecar is shut down, and grants calls in flight no more time.
    """

    deadline: bool = False
    leaving: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of the walk so far: an attempt that failed, or a provider passed over.

    `aside`: it was only meant to be asked beside another one.
    """

    entry: Entry
    seconds: float = 0.0
    failure: Failure | None = None
    refusal: Refusal | None = None
    aside: bool = False

    @property
    def is_slower(self) -> bool:
        """Whether it was an attempt beside another one, which was faster."""
        return self.failure is not None and self.failure.outcome is Outcome.HEDGE_LOST

    @property
    def is_failed(self) -> bool:
        """Whether it was an attempt that failed by itself."""
        return self.failure is not None and not self.is_slower

    def __str__(self) -> str:
        """The form of the header `x-sidecar-attempts`."""
        name = self.entry.provider.name
        if self.failure:
            return f"{name};{self.failure.outcome};{self.failure.status};{self.seconds:.2f}"
        return f"{name};skipped;{self.refusal.reason if self.refusal else ''};0"


def everybody(_: Entry) -> bool:
    """Let in whoever comes."""
    return True


def nobody_cares(_: Entry, __: SkipReason) -> None:
    """Tell nobody who was passed over."""


@dataclass(slots=True, kw_only=True)
class Failover:
    """The walk of one call along `chain` until `deadline_s` (monotonic).

    `one_model`: only that of the first entry that can will do, as for embeddings, whose vectors
    mean nothing beside those of another model. `needs` are beyond some providers, and so may a
    prompt of at least `tokens` be: they are passed over where another can. `admits` says whose
    breaker would let a call in now: no time is kept for the others; each keeps more where it is to
    think first (`reasoning`), and the last of the chain, where it is to give a `whole` answer, what
    that takes. `skips` is told who is passed over, and why. A provider that ran into
    a clock is not asked again.

    After `next` or `also` has given a `Try`, exactly one of `failed` or `refused` is said, or the
    walk ends.
    """

    chain: Sequence[Entry]
    deadline_s: float
    content_filter: ContentFilter = ContentFilter.RETURN
    one_model: bool = False
    needs: frozenset[Capability] = NOTHING
    tokens: int = 0
    reasoning: bool = False
    whole: bool = False
    admits: Callable[[Entry], bool] = everybody
    skips: Callable[[Entry, SkipReason], None] = nobody_cares
    steps: list[Step] = field(default_factory=list)
    _place: int = 0
    _final: Failure | None = None
    _again: Entry | None = None
    _agains: int = 0
    _last: list[Entry] = field(default_factory=list)
    _aside: list[Entry] = field(default_factory=list)
    _asks_aside: bool = False
    _late: set[str] = field(default_factory=set)  # providers
    _window: int | None = None  # tokens: who has no more is known to be too small

    def __post_init__(self) -> None:
        if self.needs and not any(self._can(entry) for entry in self.chain):
            self.needs = NOTHING
        if self.tokens and any(
            entry.context is None or entry.context > self.tokens for entry in self.chain
        ):
            self._window = self.tokens

    def next(self, now: float) -> Try | GiveUp:
        """Where the call goes now. `now` is monotonic."""
        if self._final:
            return GiveUp(failure=self._final)
        if now >= self.deadline_s - EARLY_S:
            return GiveUp(deadline=True)
        if again := self._once_more(now):
            return again
        return self._next_in_chain(now) or self._next_last(now) or GiveUp()

    @property
    def is_at_end(self) -> bool:
        """Whether the chain has nobody after the one that was named last."""
        return self._place >= len(self.chain)

    @property
    def upcoming(self) -> Entry | None:
        """Whom `also` would most likely name."""
        return next((one for one in self._later() if not self._unfit(one)), None)

    def also(self, now: float) -> Try | None:
        """Whom to ask beside the one that is being asked: the next in the chain."""
        if now >= self.deadline_s - EARLY_S:
            return None
        self._asks_aside = True
        step = self._next_in_chain(now)
        self._asks_aside = False
        return step

    @property
    def is_final(self) -> bool:
        """Whether nobody else is worth asking after what failed."""
        return self._final is not None

    def refused(self, entry: Entry, refusal: Refusal) -> None:
        """`entry` was passed over."""
        self.steps.append(Step(entry=entry, refusal=refusal, aside=entry in self._aside))
        self.skips(entry, refusal.reason)
        if refusal.reason is SkipReason.PARKED:
            self._last.append(entry)

    def failed(self, entry: Entry, failure: Failure, seconds: float) -> None:
        """An attempt at `entry` failed after `seconds`."""
        aside = entry in self._aside
        self.steps.append(Step(entry=entry, failure=failure, seconds=seconds, aside=aside))
        self._learn(entry, failure.outcome)
        if failure.final or self._is_refusal(failure):
            self._final = failure
        if failure.outcome is Outcome.HEDGE_LOST:
            self._last.append(entry)
        if failure.again and self._agains < MOST_AGAINS:
            self._again = entry

    @property
    def last_failure(self) -> Step | None:
        """The latest attempt that failed."""
        return next((step for step in reversed(self.steps) if step.is_failed), None)

    def _learn(self, entry: Entry, outcome: Outcome) -> None:
        """Who need not be asked any more after this."""
        if outcome is Outcome.CONTEXT_LENGTH and entry.context is not None:
            self._window = max(entry.context, self._window or 0)
        if outcome in CLOCKS:
            self._late.add(entry.provider.name)

    def _next_in_chain(self, now: float) -> Try | None:
        while self._place < len(self.chain):
            entry = self.chain[self._place]
            self._place += 1
            if self._asks_aside:
                self._aside.append(entry)
            if reason := self._unfit(entry):
                self.refused(entry, Refusal(reason))
                continue
            return self._try(entry, now, self._later())
        return None

    def _once_more(self, now: float) -> Try | None:
        """The provider that was just asked, where it is worth it."""
        entry, self._again = self._again, None
        if entry is None:
            return None
        self._agains += 1
        return self._try(entry, now, [*self._later(), *self._last])._replace(despite=PARKED)

    def _later(self) -> list[Entry]:
        return [one for one in self.chain[self._place :] if self.admits(one)]

    def _next_last(self, now: float) -> Try | None:
        while self._last:
            entry = self._last.pop(0)
            if not self._unfit(entry):
                return self._try(entry, now, self._last)._replace(despite=PARKED)
        return None

    def _is_refusal(self, failure: Failure) -> bool:
        """Whether the application is to hear what a content policy refused."""
        returns = self.content_filter is ContentFilter.RETURN
        return returns and failure.outcome is Outcome.CONTENT_FILTER

    def _unfit(self, entry: Entry) -> SkipReason | None:
        """Why `entry` cannot answer this call, whatever its state."""
        if entry.provider.name in self._late:
            return SkipReason.DEADLINE
        if self.one_model and entry.model != self._first_able.model:
            return SkipReason.UNSUPPORTED
        if not self._can(entry):
            return SkipReason.UNSUPPORTED
        if self._window is None or entry.context is None or entry.context > self._window:
            return None
        return SkipReason.CONTEXT

    @property
    def _first_able(self) -> Entry:
        return next(filter(self._can, self.chain), self.chain[0])

    def _can(self, entry: Entry) -> bool:
        return not self.needs or self.needs.isdisjoint(entry.cannot)

    def _needed_s(self, entry: Entry, last: Entry) -> float:
        """How long an entry needs to show that it answers."""
        if self.whole and entry is last:
            return entry.timeouts.answer_s
        return entry.timeouts.until_first_token_s(self.reasoning)

    def _try(self, entry: Entry, now: float, later: Sequence[Entry]) -> Try:
        """Ask `entry` until the next one must get its turn: each one left keeps a fair share."""
        asked = [one for one in later if not self._unfit(one)]
        share_s = (self.deadline_s - now) / (len(asked) + 1)
        kept_s = sum([min(self._needed_s(one, asked[-1]), share_s) for one in asked])
        until_s = self.deadline_s - kept_s
        return Try(entry, until_s, shared=kept_s > 0, whole_s=until_s)
