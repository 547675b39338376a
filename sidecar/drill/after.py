"""Rows of faults after the first content, of answers that are only odd, and of refused calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sidecar.core.capability import Capability
from sidecar.core.policies import AfterContent, ContentFilter, UpstreamMode
from sidecar.core.settings import Provider
from sidecar.drill.before import once, plays
from sidecar.drill.heard import Ending
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    BREAK_S,
    BREAK_WORDS,
    QUICK_S,
    SLOW_S,
    Hits,
    Promise,
    by_itself,
    names,
    over_to_the_next,
    told_in_band,
    within,
)
from sidecar.drill.row import BOTH, Promises, Row
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


def broken_off(place: Place, silent_s: float) -> Promise:
    """After words were out: as the route's `after_content` says."""
    seconds = BREAK_S + silent_s + SLOW_S
    if place.route.after_content is AfterContent.BUFFER:
        return over_to_the_next(place, seconds)
    if not resumes(place):
        return told_in_band(place, seconds)
    limit_s = within(place, ANSWER_S + seconds)  # one that takes no beginning starts anew
    return Promise(endings=frozenset((Ending.SERVED,)), within_s=limit_s)


def breaks(place: Place, mode: Mode) -> Promise:
    """The connection ends: seen at once."""
    if mode is Mode.WHOLE:
        return over_to_the_next(place, BREAK_S + SLOW_S)
    return broken_off(place, 0.0)


def stalls(place: Place, mode: Mode) -> Promise:
    """Silence: seen by a clock."""
    if mode is Mode.STREAM:
        return broken_off(place, place.idle_s())
    streams = place.settings.streaming.upstream is UpstreamMode.ALWAYS
    clock_s = BREAK_S + place.idle_s() if streams else place.answer_s()
    return over_to_the_next(place, clock_s + SLOW_S)


def after_words(fault: Fault) -> Callable[[Place], Cast]:
    """The provider plays `fault`; if somebody may go on, all say the same words."""
    return lambda place: Cast(faults=(fault,), same_words=resumes(place))


def rejecting(provider: Provider) -> Fault:
    """Refuse what ends in an assistant's message, although the configuration says otherwise."""
    refusal = complains(provider.kind, Trouble.NO_PREFILL)

    def script(scene: Scene) -> Iterator[Step]:
        yield from refusal.script(scene) if scene.begun else play_well(scene)

    return replace(refusal, script=script)


def rejected(place: Place, _: Mode) -> Promise | LeftOut:
    """What broke is told, not that going on was refused; unless yet another one goes on."""
    if not (resumes(place) and place.later[0].prefill):
        return LeftOut("nobody is given the beginning of an answer")
    promise = told_in_band(place, BREAK_S + SLOW_S)
    if len(place.later) == 1:
        return promise
    endings = promise.endings | {Ending.SERVED}
    return replace(promise, endings=endings, within_s=broken_off(place, 0.0).within_s)


def rejected_cast(place: Place) -> Cast:
    """Whoever is to go on refuses to."""
    return replace(after_words(CUT)(place), later=rejecting)


def breaks_a_tool_call(place: Place, _: Mode) -> Promise | LeftOut:
    """Nobody else may go on with a tool call that has begun."""
    if Capability.TOOLS in place.entry.cannot:
        return LeftOut("it cannot call tools")
    seconds = BREAK_S + SLOW_S
    if place.route.after_content is AfterContent.BUFFER:
        promise = over_to_the_next(place, seconds + TOOL_S)
        able = [entry for entry in place.later if Capability.TOOLS not in entry.cannot]
        ending = Ending.SERVED if able else Ending.REFUSED
        return replace(promise, endings=frozenset((ending,)), by=names(able))
    return replace(told_in_band(place, seconds, Hits(1, 1)), untouched=names(place.later))


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


def too_long(place: Place, _: Mode) -> Promise:
    """Those whose window is larger, or unknown, are asked; else the caller hears it."""
    window = place.entry.context
    larger = [
        one for one in place.later if window is None or one.context is None or one.context > window
    ]
    if larger:
        return replace(over_to_the_next(place, SLOW_S, once(place)), by=names(larger))
    # where others have failed otherwise, it is not only the call that is at fault
    statuses = frozenset((400, 503)) if place.earlier else frozenset((400,))
    return Promise(
        endings=frozenset((Ending.REFUSED,)),
        within_s=within(place, ANSWER_S + SLOW_S),
        statuses=statuses,
        hits=once(place),
    )


def filtered(place: Place, _: Mode) -> Promise:
    """Told to the caller, unless the operator wants another opinion."""
    if place.route.content_filter is ContentFilter.FAIL_OVER:
        return over_to_the_next(place, SLOW_S, once(place))
    return Promise(
        endings=frozenset((Ending.REFUSED,)),
        within_s=within(place, ANSWER_S + SLOW_S),
        statuses=frozenset((400,)),
        code="content_filter",
        hits=Hits(1, 1),
        untouched=names(place.later),
    )


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


def as_ever(place: Place, _: Mode) -> Promise:
    """It answers, and in time."""
    return by_itself(place, ANSWER_S + QUICK_S, Hits(1, 1))


def in_the_end(place: Place, _: Mode) -> Promise:
    """It answers; how fast is a matter of this machine."""
    return by_itself(place, place.route.total_s, Hits(1, 1))


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
