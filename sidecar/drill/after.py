"""Rows of faults after the first content, of answers that are only odd, and of refused calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sidecar.core.capability import Capability
from sidecar.core.outcome import Outcome
from sidecar.core.policies import AfterContent, ContentFilter
from sidecar.core.settings import Entry, Provider
from sidecar.drill.before import once, plays
from sidecar.drill.heard import Ending
from sidecar.drill.meaning import Promises, provided
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    BREAK_S,
    BREAK_WORDS,
    QUICK_S,
    SLOW_S,
    Hits,
    Promise,
    beside_it,
    by_itself,
    names,
    over_to_the_next,
    told_in_band,
    within,
)
from sidecar.drill.row import BOTH, Row
from sidecar.drill.shares import stalled_s
from sidecar.drill.stand_ins import Cast
from sidecar.faults.answer import Answer, Scene
from sidecar.faults.catalog import CATALOG, cut, reset, stall
from sidecar.faults.changes import end_with
from sidecar.faults.fault import Effect, Fault, play_well, stream
from sidecar.faults.steps import Step
from sidecar.faults.vendors import Trouble, complains

TOOL_S = 0.5  # a tool call has more pieces than words, and takes longer
HELD_BYTES = 8 * 1024**2  # what the long answers may need


# Answers that break off


def resumes(place: Place) -> bool:
    """Whether somebody goes on where it broke off: here they all would say the same."""
    return place.route.after_content is AfterContent.RESUME and bool(place.later)


def all_break_s(place: Place) -> float:
    """When all its entries have broken off, one after the other."""
    return BREAK_S * len(place.own)


def broken_off(place: Place, mode: Mode, gone_s: float) -> Promise:
    """After words were out: as the route's `after_content` says."""
    if place.holds(mode):
        return over_to_the_next(place, SLOW_S, gone_s=gone_s)
    if not resumes(place):
        return told_in_band(place, mode, gone_s + SLOW_S)
    return Promise(  # one that takes no beginning starts anew
        endings=frozenset((Ending.SERVED,)),
        within_s=within(place, ANSWER_S + gone_s + SLOW_S),
        gone_s=gone_s,
    )


def breaks(place: Place, mode: Mode) -> Promise:
    """The connection ends: seen at once."""
    return broken_off(place, mode, all_break_s(place))


def stalls(place: Place, mode: Mode) -> Promise:
    """Silence: seen by a clock."""
    return broken_off(place, mode, stalled_s(place, mode, BREAK_S))


def after_words(fault: Fault) -> Callable[[Place], Cast]:
    """The provider plays `fault`; if somebody may go on, all say the same words."""
    return lambda place: Cast(faults=(fault,), same_words=resumes(place))


def rejecting(provider: Provider) -> Fault:
    """Refuse what ends in an assistant's message, although the configuration says otherwise."""
    refusal = complains(provider.kind, Trouble.NO_PREFILL)

    def script(scene: Scene) -> Iterator[Step]:
        yield from refusal.script(scene) if scene.begun else play_well(scene)

    return replace(refusal, script=script)


def rejected(place: Place, mode: Mode) -> Promise | LeftOut:
    """What broke is told, not that going on was refused; unless yet another one goes on."""
    if not (resumes(place) and place.later[0].prefill):
        return LeftOut("nobody is given the beginning of an answer")
    promise = told_in_band(place, mode, all_break_s(place) + SLOW_S)
    if len(place.later) == 1:
        return promise
    going_on = breaks(place, mode)
    endings = promise.endings | going_on.endings
    limit_s = max(promise.within_s, going_on.within_s)
    return replace(going_on, endings=endings, within_s=limit_s, hits=promise.hits)


def rejected_cast(place: Place) -> Cast:
    """Whoever is to go on refuses to."""
    return replace(after_words(CUT)(place), later=rejecting)


def breaks_a_tool_call(place: Place, mode: Mode) -> Promise | LeftOut:
    """Nobody else may go on with a tool call that has begun."""
    if Capability.TOOLS in place.entry.cannot:
        return LeftOut("it cannot call tools")
    able = [entry for entry in place.later if Capability.TOOLS not in entry.cannot]
    if place.holds(mode):
        promise = over_to_the_next(place, SLOW_S + TOOL_S, gone_s=all_break_s(place))
        ending = Ending.SERVED if able else Ending.REFUSED
        return replace(promise, endings=frozenset((ending,)), by=names(able))
    promise = Promise(
        endings=frozenset((Ending.INTERRUPTED,)),
        within_s=within(place, BREAK_S + SLOW_S),
        hits=Hits(1, 1),
        untouched=names(place.later),
    )
    beside = beside_it(place, mode, promise)
    limit_s = beside.within_s + TOOL_S * (Ending.SERVED in beside.endings)
    return replace(beside, within_s=limit_s)


CUT = cut(BREAK_WORDS)
UNFINISHED = Fault(
    "no_finish",
    "ends without finish reason and [DONE]",
    Effect.INTERRUPTED,
    stream(end_with(BREAK_WORDS)),
    streamed=True,
)
BREAKS = (
    Row(
        id="cut",
        does="closed after 20 of 60 words",
        promise=breaks,
        cast=after_words(CUT),
        modes=BOTH,
    ),
    Row(
        id="reset_amid",
        does="reset after 20 of 60 words",
        promise=breaks,
        cast=after_words(reset(BREAK_WORDS)),
        modes=BOTH,
    ),
    Row(
        id="stall",
        does="silent after 20 of 60 words",
        promise=stalls,
        cast=after_words(stall(BREAK_WORDS)),
        modes=BOTH,
    ),
    Row(
        id="no_finish",
        does="ends without finish reason or [DONE]",
        promise=breaks,
        cast=after_words(UNFINISHED),
    ),
    Row(
        id="prefill_rejected",
        does="cut, and who is to go on refuses",
        promise=rejected,
        cast=rejected_cast,
    ),
    Row(
        id="tool_call_cut",
        does="closed within a tool call",
        promise=breaks_a_tool_call,
        cast=lambda _: Cast(faults=(CUT,), tools=True),
    ),
)


# Calls that it refuses


def larger_ones(place: Place) -> list[Entry]:
    """Those after it whose window is larger than all that were too small, or unknown."""
    window, found = 0, list[Entry]()
    for entry in place.route.chain[place.position :]:
        if entry in place.own:
            window = max(window, entry.context or 0)
        elif entry in place.later and (entry.context is None or entry.context > window):
            found.append(entry)
    return found


@provided(Trouble.TOO_LONG, frozenset((Outcome.CONTEXT_LENGTH,)))
def too_long(place: Place, mode: Mode) -> Promise:
    """Those whose window is larger, or unknown, are asked; else the caller hears it."""
    larger = larger_ones(place)
    if larger:
        promise = replace(over_to_the_next(place, SLOW_S, once(place)), by=names(larger))
        return beside_it(place, mode, promise)
    # where others have failed otherwise, it is not only the call that is at fault
    statuses = frozenset((400, 503)) if place.earlier else frozenset((400,))
    promise = Promise(
        endings=frozenset((Ending.REFUSED,)),
        within_s=within(place, ANSWER_S + SLOW_S),
        statuses=statuses,
        hits=once(place),
    )
    return beside_it(place, mode, promise)


@provided(Trouble.FILTERED, frozenset((Outcome.CONTENT_FILTER,)))
def filtered(place: Place, mode: Mode) -> Promise:
    """Told to the caller, unless the operator wants another opinion."""
    if place.route.content_filter is ContentFilter.FAIL_OVER:
        return over_to_the_next(place, SLOW_S, once(place))
    promise = Promise(
        endings=frozenset((Ending.REFUSED,)),
        within_s=within(place, ANSWER_S + SLOW_S),
        statuses=frozenset((400,)),
        code="content_filter",
        hits=Hits(1, 1),
        untouched=names(place.later),
    )
    return beside_it(place, mode, promise)


CALLERS = (
    Row(
        id="context_length",
        does="the prompt is too long for it",
        promise=too_long,
        cast=plays(lambda kind: complains(kind, Trouble.TOO_LONG)),
        modes=BOTH,
    ),
    Row(
        id="content_filter",
        does="its policy refuses the prompt",
        promise=filtered,
        cast=plays(lambda kind: complains(kind, Trouble.FILTERED)),
        modes=BOTH,
    ),
)


# Answers that are good, and odd


def as_ever(place: Place, mode: Mode) -> Promise:
    """It answers, and in time."""
    return by_itself(place, mode, ANSWER_S + QUICK_S, Hits(1, 1))


def in_the_end(place: Place, mode: Mode) -> Promise:
    """It answers; how fast is a matter of this machine."""
    return by_itself(place, mode, place.route.total_s, Hits(1, 1))


def if_it_fits(place: Place, mode: Mode) -> Promise | LeftOut:
    """The same, of much."""
    if place.settings.limits.response_body_bytes < HELD_BYTES:
        return LeftOut("limits.response_body is less than 8 MiB")
    return in_the_end(place, mode)


def long_row(name: str, does: str, promise: Promises, says: Answer) -> Row:
    """A row that keeps the process busy. One byte a write, where the answer is short."""
    step = 1 if promise is in_the_end else 0
    fault = Fault(name, does, Effect.SERVED, play_well, write_bytes=step)
    return Row(
        id=name,
        does=does,
        promise=promise,
        cast=lambda _: Cast(faults=(fault,), says=says),
        busy=True,
    )


TEN_WORDS = " ".join(f"byte-{number}" for number in range(1, 11))
WIDE = "Grüße an die 世界, voilà 🌍 und 👩‍🚀."
ODD = (
    Row(
        id="malformed_event",
        does="one malformed event among good ones",
        promise=as_ever,
        cast=plays(lambda _: CATALOG["malformed_event"]),
    ),
    Row(
        id="no_done",
        does="no [DONE] after the finish reason",
        promise=as_ever,
        cast=plays(lambda _: CATALOG["no_done"]),
    ),
    long_row("one_byte", "one byte a write", in_the_end, Answer(text=TEN_WORDS)),
    long_row("utf8", "characters cut at every byte", in_the_end, Answer(text=WIDE)),
    long_row("big_event", "1 MB in one event", if_it_fits, Answer(text="x" * 10**6)),
    long_row("tiny_events", "10,000 tiny events", if_it_fits, Answer(text="a b", words=10_000)),
)

AFTER = (*BREAKS, *CALLERS, *ODD)
