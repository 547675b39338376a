"""Rows of faults before the first content: the application notices nothing but some time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sidecar.core.policies import UpstreamMode
from sidecar.drill.heard import Ending
from sidecar.drill.place import Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    QUICK_S,
    SLOW_S,
    Hits,
    Promise,
    by_itself,
    names,
    over_to_the_next,
    within,
)
from sidecar.drill.row import BOTH, Promises, Row
from sidecar.drill.stand_ins import Cast, Way
from sidecar.faults.catalog import CATALOG, OK, REFUSE, slow_first_token
from sidecar.faults.changes import all_of, end_with, only, open_with
from sidecar.faults.fault import Effect, Fault, stream
from sidecar.faults.refusals import refuse_with
from sidecar.faults.steps import Close, Send
from sidecar.faults.streams import COMMENT
from sidecar.faults.vendors import Trouble, complains, error_body, error_event
from sidecar.faults.wire import whole

WAIT_S = 2.0  # that a provider asks for, unless the configuration waits for less
LATE_S = 8.0  # after the clock for the first token
PLAIN = whole(400, {"connection": "close"}, b"This is plain HTTP.\n")


def once(place: Place) -> Hits:
    """One hit for each of its entries; those after the first may be passed over."""
    return Hits(1, len(place.own))


def plays(make: Callable[[str], Fault], way: Way = Way.HTTP) -> Callable[[Place], Cast]:
    """The provider plays what `make` makes of its kind."""
    return lambda place: Cast(faults=(make(place.provider.kind),), way=way)


def fails_over_after(seconds: float) -> Promises:
    """The next one answers, once that much time is lost."""
    return lambda place, _: over_to_the_next(place, seconds)


def can_retry(place: Place) -> bool:
    """Whether the same provider may be asked again in the same call."""
    retry, breaker = place.provider.retry, place.provider.breaker
    return retry.attempts > 0 and retry.budget.floor > 0 and breaker.failure_threshold > 1


# Refusals


def stated_wait_s(place: Place) -> float:
    """How long it asks us to stay away: what would be waited for, if anything would."""
    most_s = place.provider.retry.max_wait_s
    return min(WAIT_S, most_s) if can_retry(place) and most_s > 0 else WAIT_S


def waits(place: Place) -> bool:
    """Whether the operator wants such a wait to be waited for."""
    wait_s = stated_wait_s(place)
    fits = wait_s <= place.provider.retry.max_wait_s and wait_s < place.route.total_s
    return can_retry(place) and fits


def has_spare_keys(place: Place) -> bool:
    """Whether another key can be used at once."""
    return len(place.provider.keys) > 1


def limited_once(place: Place, _: Mode) -> Promise:
    """Waited for; or another key, or the next provider."""
    if has_spare_keys(place):
        return by_itself(place, ANSWER_S + SLOW_S)
    if not waits(place):
        return over_to_the_next(place, SLOW_S)
    wait_s = stated_wait_s(place)
    promise = by_itself(place, wait_s + ANSWER_S + QUICK_S - 0.1, Hits(2, 2))
    if place.hedges:  # the next one may be faster than the wait
        return replace(promise, by=names((*place.own, *place.later)), hits=Hits(1, 2))
    return replace(promise, gap_s=wait_s)


def limited_always(place: Place, _: Mode) -> Promise:
    """The next one, after few tries."""
    most = max(2, len(place.provider.keys)) * len(place.own)
    return over_to_the_next(place, SLOW_S, Hits(1, most))


def stumbles(place: Place, _: Mode) -> Promise:
    """Either the same one again, or the next one."""
    if not can_retry(place):
        return over_to_the_next(place, QUICK_S, once(place))
    return Promise(
        endings=frozenset((Ending.SERVED,)),
        within_s=within(place, ANSWER_S + QUICK_S),
        by=names((*place.own, *place.later)),
        hits=Hits(1, 2),
    )


def limited_cast(place: Place) -> Cast:
    """429 once, with a wait."""
    wait_s = stated_wait_s(place)
    return Cast(faults=(complains(place.provider.kind, Trouble.LIMITED, wait_s), OK))


def stumble_cast(place: Place) -> Cast:
    """500 once."""
    return Cast(faults=(complains(place.provider.kind, Trouble.BROKEN), OK))


REFUSALS = (
    Row(
        id="rate_limit_wait",
        does="429 once, with a short wait stated",
        promise=limited_once,
        cast=limited_cast,
        modes=BOTH,
    ),
    Row(
        id="rate_limit",
        does="429 always, no wait stated",
        promise=limited_always,
        cast=plays(lambda kind: complains(kind, Trouble.LIMITED)),
        modes=BOTH,
    ),
    Row(id="error_once", does="500 once", promise=stumbles, cast=stumble_cast, modes=BOTH),
)


# Connections that fail


SPEAKS_PLAIN = Fault(
    "plain_http",
    "speaks plain HTTP where TLS is meant",
    Effect.FAILS_OVER,
    lambda _: (Send(PLAIN), Close()),
    on_accept=True,
)
CONNECTIONS = (
    Row(
        id="reset",
        does="reset before the headers",
        promise=fails_over_after(QUICK_S),
        cast=plays(lambda _: CATALOG["reset_before_headers"]),
        modes=BOTH,
    ),
    Row(
        id="refused",
        does="connection refused",
        promise=fails_over_after(QUICK_S),
        cast=plays(lambda _: REFUSE),
        modes=BOTH,
    ),
    Row(
        id="dns",
        does="a host that nobody knows",
        promise=fails_over_after(QUICK_S),
        cast=plays(lambda _: OK, Way.NOWHERE),
    ),
    Row(
        id="tls",
        does="plain HTTP at an https address",
        promise=fails_over_after(QUICK_S),
        cast=plays(lambda _: SPEAKS_PLAIN, Way.HTTPS),
    ),
)


# Silence


def without_a_token(place: Place, mode: Mode) -> Promise:
    """The next one, when the clock has run out."""
    streams = mode is Mode.STREAM or place.settings.streaming.upstream is UpstreamMode.ALWAYS
    clock_s = place.first_token_s() if streams else place.answer_s()
    return over_to_the_next(place, clock_s + QUICK_S, once(place))


def late_cast(place: Place) -> Cast:
    """The first word, much too late."""
    after_s = place.entry.timeouts.first_token_s + LATE_S
    return Cast(faults=(slow_first_token(after_s),))


SILENCE = (
    Row(
        id="silence",
        does="accepts and never answers",
        promise=without_a_token,
        cast=plays(lambda _: CATALOG["silence"]),
        modes=BOTH,
    ),
    Row(
        id="comments_only",
        does="headers, then only comments",
        promise=without_a_token,
        cast=plays(lambda _: CATALOG["comments_only"]),
    ),
    Row(
        id="late_first_token",
        does="the first word too late",
        promise=without_a_token,
        cast=late_cast,
    ),
)


# Errors that look like answers


def errs_first(kind: str) -> Fault:
    """A stream of one error."""
    script = stream(only(error_event(kind)))
    return Fault("error_event", "sends an error first", Effect.FAILS_OVER, script)


def errs_with_200(kind: str) -> Fault:
    """An error that says it is none."""
    script = refuse_with(200, error_body(kind))
    return Fault("ok_error", "answers 200 with an error", Effect.FAILS_OVER, script)


def errs_after_preamble(kind: str) -> Fault:
    """All that says nothing, then an error."""
    script = stream(all_of(end_with(0, COMMENT, error_event(kind)), open_with(COMMENT)))
    return Fault("error_after_preamble", "begins, then errs", Effect.FAILS_OVER, script)


ERRORS = (
    Row(
        id="error_event",
        does="an error event first",
        promise=fails_over_after(SLOW_S),
        cast=plays(errs_first),
    ),
    Row(
        id="ok_error",
        does="200 with an error in it",
        promise=fails_over_after(SLOW_S),
        cast=plays(errs_with_200),
        modes=BOTH,
    ),
    Row(
        id="error_after_preamble",
        does="benign first events, then an error",
        promise=fails_over_after(SLOW_S),
        cast=plays(errs_after_preamble),
    ),
)

BEFORE = (*REFUSALS, *CONNECTIONS, *SILENCE, *ERRORS)
