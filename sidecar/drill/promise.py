"""What is promised of a fault, and whether what was seen keeps it. Pure: judged from values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sidecar.core.settings import Entry
from sidecar.drill.heard import Ending, Heard, ending_of, speakers, told
from sidecar.drill.place import Mode, Place

ANSWER_S = 1.0  # how long a healthy answer takes …
WORDS = 60  # … and has so many words: the first at once
BREAK_WORDS = 20  # said before an answer breaks
BREAK_S = ANSWER_S * BREAK_WORDS / (WORDS - 1)
QUICK_S = 0.3  # what noticing a fault at once, and asking the next one, may take
SLOW_S = 0.6  # the same where an error has to be read first
EARLIER_S = 0.1  # for each provider before it, which fails fast
NOBODY: frozenset[str] = frozenset()


class Hits(NamedTuple):
    """How often a provider may be asked."""

    least: int
    most: int

    def __str__(self) -> str:
        return counted(self.most) if self.least == self.most else f"≤ {counted(self.most)}"


def counted(hits: int) -> str:
    """A number of hits."""
    return "1 hit" if hits == 1 else f"{hits} hits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the application sees: one of `endings`, after at most `within_s`.

    A whole answer is by one of `by` (empty: whoever). An error has one of `statuses` (empty: any)
    and is called `code` (empty: anything). `hits` are those on the provider with the fault, at
    least `gap_s` apart; the `untouched` are never asked. `more` is what else is promised, for rows
    that look for themselves.

    `gone_s` is how much of the call's time is gone when the answer begins. `opened`: an error may
    find the answer opened by a comment, as 200.
    """

    endings: frozenset[Ending]
    within_s: float
    by: frozenset[str] = NOBODY
    statuses: frozenset[int] = frozenset()
    code: str = ""
    hits: Hits | None = None
    gap_s: float = 0.0
    untouched: frozenset[str] = NOBODY
    more: str = ""
    gone_s: float = 0.0
    opened: bool = False

    def __str__(self) -> str:
        return ", ".join(self._parts())

    @property
    def _ending(self) -> str:
        error = " ".join(filter(None, [*map(str, sorted(self.statuses)), self.code]))
        told = {Ending.REFUSED: error} if error else {}
        return " or ".join(told.get(one, one) for one in Ending if one in self.endings)

    def _parts(self) -> Iterator[str]:
        if self.endings:
            waited = f" after a wait of {self.gap_s:.3g} s" if self.gap_s else ""
            yield f"{self._ending} ≤ {self.within_s:.3g} s{waited}"
        if self.hits:
            yield str(self.hits)
        if self.more:
            yield self.more


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen of one fault. `wrongs` are the promises that broke; `late` is one of time."""

    saw: str
    seconds: float
    hits: Mapping[str, int]
    wrongs: tuple[str, ...] = ()
    late: str = ""

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return not (self.wrongs or self.late)

    @property
    def only_late(self) -> bool:
        """Whether nothing is wrong but the time it took: that may be this machine's fault."""
        return bool(self.late) and not self.wrongs


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is judged: an answer, what each provider has to say, and who was asked how often.

    `asked_s` is when the provider with the fault was asked, monotonic.
    """

    heard: Heard
    texts: Mapping[str, str]
    hits: Mapping[str, int]
    own: str
    asked_s: tuple[float, ...] = field(default=())


def judge(promise: Promise, seen: Evidence) -> Sight:
    """Hold what was seen against what was promised."""
    seconds = seen.heard.seconds
    late = "" if seconds <= promise.within_s else f"{seconds:.2f} s"
    return Sight(
        saw=told(seen.heard, seen.texts),
        seconds=seconds,
        hits=seen.hits,
        wrongs=(*wrong_answer(promise, seen), *wrong_hits(promise, seen)),
        late=late,
    )


def wrong_answer(promise: Promise, seen: Evidence) -> Iterator[str]:
    """What is wrong with the answer."""
    heard = seen.heard
    ending = ending_of(heard, seen.texts)
    if ending not in promise.endings:
        yield f"it ended as {ending}"
    elif ending is Ending.SERVED:
        yield from wrong_speaker(promise, seen)
    elif ending is Ending.REFUSED:
        yield from wrong_error(promise, heard)
    elif (heard.error or {}).get("type") == "invalid_request_error":
        yield "the error blames the call"


def wrong_speaker(promise: Promise, seen: Evidence) -> Iterator[str]:
    """What is wrong with whose answer it is."""
    whose, named = speakers(seen.heard, seen.texts), seen.heard.provider
    if promise.by and not whose & promise.by:
        yield f"served by {' or '.join(sorted(whose))}"
    if named not in whose:
        yield f"x-sidecar-provider says {named or 'nothing'}"


def wrong_error(promise: Promise, heard: Heard) -> Iterator[str]:
    """What is wrong with an error in place of an answer."""
    if heard.status not in promised_statuses(promise, heard):
        yield f"status {heard.status}"
    if promise.code not in ("", heard.code):
        yield f"code {heard.code or 'missing'}"
    if is_ours(heard.status) and heard.should_retry != "false":
        yield "x-should-retry is not false"


def promised_statuses(promise: Promise, heard: Heard) -> frozenset[int]:
    """What the status may be: any where none is promised, and 200 of an answer that is opened."""
    return (promise.statuses or frozenset((heard.status,))) | frozenset((200,) * promise.opened)


def is_ours(status: int) -> bool:
    """Whether an SDK would try again by itself, which it must be told not to."""
    return status == 429 or status >= 500


def wrong_hits(promise: Promise, seen: Evidence) -> Iterator[str]:
    """What is wrong with who was asked."""
    count = seen.hits.get(seen.own, 0)
    if promise.hits and not promise.hits.least <= count <= promise.hits.most:
        yield f"{counted(count)} on {seen.own}"
    for name in sorted(promise.untouched):
        if seen.hits.get(name):
            yield f"{name} was asked"
    gaps_s = [after - before for before, after in zip(seen.asked_s, seen.asked_s[1:], strict=False)]
    if promise.gap_s and min(gaps_s, default=0.0) < promise.gap_s:
        yield f"it was not asked again after {promise.gap_s:.3g} s"


# Promises as they follow from the operator's configuration


def names(entries: Iterable[Entry]) -> frozenset[str]:
    """The providers of entries."""
    return frozenset(entry.provider.name for entry in entries)


def within(place: Place, seconds: float) -> float:
    """A limit, shifted by those before who fail, and never beyond the deadline of the chain."""
    shifted = seconds + EARLIER_S * len(place.earlier)
    return min(shifted, place.route.total_s + QUICK_S)


def over_to_the_next(
    place: Place, slack_s: float, hits: Hits | None = None, gone_s: float = 0.0
) -> Promise:
    """Another provider answers, once `gone_s` are lost; or nobody is left to do so."""
    limit_s = within(place, gone_s + slack_s + ANSWER_S)
    if not place.later:
        return Promise(endings=frozenset((Ending.REFUSED,)), within_s=limit_s, hits=hits)
    served, by = frozenset((Ending.SERVED,)), names(place.later)
    return Promise(endings=served, within_s=limit_s, by=by, hits=hits, gone_s=gone_s)


def by_itself(place: Place, mode: Mode, seconds: float, hits: Hits | None = None) -> Promise:
    """The provider with the fault answers all the same."""
    promise = Promise(
        endings=frozenset((Ending.SERVED,)),
        within_s=within(place, seconds),
        by=frozenset((place.provider.name,)),
        hits=hits,
    )
    return beside_it(place, mode, promise)


def told_in_band(place: Place, mode: Mode, seconds: float, hits: Hits | None = None) -> Promise:
    """What is out cannot be taken back: an error says that this is not all."""
    endings = frozenset((Ending.INTERRUPTED,))
    promise = Promise(endings=endings, within_s=within(place, seconds), hits=hits)
    return beside_it(place, mode, promise)


def beside_it(place: Place, mode: Mode, promise: Promise) -> Promise:
    """The same; where the next one may have been asked as well, it may answer."""
    if not place.hedges(mode):
        return promise
    hits = promise.hits and Hits(1, promise.hits.most + len(place.own) - 1)
    promise = replace(promise, hits=hits, gap_s=0.0, untouched=NOBODY)
    rivals = names((*place.later, *place.own[1:]))
    if not (rivals and promise.endings):
        return promise
    by = rivals | promise.by
    limit_s = max(promise.within_s, within(place, QUICK_S + ANSWER_S + SLOW_S))
    return replace(promise, endings=promise.endings | {Ending.SERVED}, by=by, within_s=limit_s)
