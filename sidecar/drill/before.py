"""Rows of faults before the first content: the application notices nothing but some time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sidecar.core.outcome import Outcome
from sidecar.core.policies import BreakerPolicy
from sidecar.core.settings import Entry
from sidecar.drill.heard import Ending
from sidecar.drill.meaning import ITS_FAULT, Promises, meant_by, provided
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    QUICK_S,
    SLOW_S,
    Hits,
    Promise,
    beside_it,
    by_itself,
    names,
    over_to_the_next,
    within,
)
from sidecar.drill.row import BOTH, Row
from sidecar.drill.shares import own_turn_s, unheard_s
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
MOMENT_S = 0.5  # more than another try waits for, where no wait is stated
# What a stated wait makes of a 429 that means one of these is another try.
BUSY = frozenset((Outcome.RATE_LIMIT, Outcome.WARMING, Outcome.OVERLOADED))
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
    """Whether the same provider may be asked again in the same call, if it is up to `retry`."""
    retry = place.provider.retry
    tokens = min(retry.budget.floor + retry.budget.ratio, max(retry.budget.floor, 1))
    return retry.attempts > 0 and tokens >= 1


def opens_at_once(policy: BreakerPolicy) -> bool:
    """Whether one failure opens a breaker: by its number, or as all calls there were."""
    return policy.failure_threshold == 1 or policy.min_requests == 1


def over_to_another(
    place: Place, slack_s: float, others: Sequence[Entry], hits: Hits | None = None
) -> Promise:
    """The next one answers, which may be one of its `others`: it failed but once."""
    promise = over_to_the_next(place, slack_s, hits)
    if not others:
        return promise
    by = names((*others, *place.later))
    return replace(promise, endings=frozenset((Ending.SERVED,)), by=by)


# Refusals


def stated_wait_s(place: Place) -> float:
    """How long it asks us to stay away: what would be waited for, if anything would."""
    most_s = longest_wait_s(place)
    return min(WAIT_S, most_s) if most_s > 0 else WAIT_S


def longest_wait_s(place: Place) -> float:
    """For how long the operator wants to wait, if there is time for it and an answer after it."""
    if not can_retry(place):
        return 0.0
    turn = min(own_turn_s(place, mode) for mode in BOTH)
    return min(place.provider.retry.max_wait_s, (turn - ANSWER_S - QUICK_S) / 2)


def waits(place: Place) -> bool:
    """Whether a wait is waited for. No rate limit counts for a breaker; an overload does."""
    meant = meant_by(place.provider, Trouble.LIMITED)
    opens = meant is Outcome.OVERLOADED and opens_at_once(place.provider.breaker)
    return meant in BUSY and longest_wait_s(place) > 0 and not opens


def changes_keys(place: Place) -> bool:
    """Whether another key is used at once."""
    meant = meant_by(place.provider, Trouble.LIMITED)
    return len(place.provider.keys) > 1 and meant is Outcome.RATE_LIMIT


@provided(Trouble.LIMITED, BUSY)
def limited_once(place: Place, mode: Mode) -> Promise:
    """Waited for; or another key, or the next provider."""
    if changes_keys(place):
        return by_itself(place, mode, ANSWER_S + SLOW_S)
    if not waits(place):
        return over_to_another(place, SLOW_S, others_after_a_limit(place))
    wait_s = stated_wait_s(place)
    promise = Promise(
        endings=frozenset((Ending.SERVED,)),
        within_s=within(place, wait_s + ANSWER_S + QUICK_S - 0.1),
        by=names(place.own),
        hits=Hits(2, 2),
        gap_s=wait_s,
        gone_s=wait_s,
    )
    return beside_it(place, mode, promise)


def others_after_a_limit(place: Place) -> Sequence[Entry]:
    """Its other entries that are still asked: a rate limit is of one model."""
    if meant_by(place.provider, Trouble.LIMITED) is Outcome.OVERLOADED:
        return others_after_a_failure(place)
    return [one for one in place.own[1:] if one.model_label != place.entry.model_label]


def others_after_a_failure(place: Place) -> Sequence[Entry]:
    """Its other entries that are still asked: not where the same breaker is open."""
    if not opens_at_once(place.provider.breaker):
        return place.own[1:]
    return [one for one in place.own[1:] if one.breaker_name != place.entry.breaker_name]


@provided(Trouble.LIMITED, BUSY | ITS_FAULT)
def limited_always(place: Place, _: Mode) -> Promise:
    """The next one, after few tries."""
    most = max(2, len(place.provider.keys)) * len(place.own)
    return over_to_the_next(place, SLOW_S, Hits(1, most))


@provided(Trouble.BROKEN, frozenset((Outcome.SERVER_ERROR,)))
def stumbles(place: Place, mode: Mode) -> Promise | LeftOut:
    """Either the same one again, or the next one."""
    breaker = place.provider.breaker
    opens = opens_at_once(breaker)
    if opens and breaker.open_timeout_s < MOMENT_S:
        return LeftOut("its breaker opens, and may let a probe in before the call is over")
    if opens or not can_retry(place):
        promise = over_to_another(place, QUICK_S, others_after_a_failure(place), once(place))
    else:
        hits = Hits(1, len(place.own) + 1)
        promise = over_to_another(place, QUICK_S, place.own, hits)
    return beside_it(place, mode, promise)


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
    """The next one, when the clock has run out; nobody is asked again who ran into one."""
    asked = once(place) if place.hedges(mode) else Hits(1, 1)
    return over_to_the_next(place, QUICK_S, asked, unheard_s(place, mode))


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


@provided(Trouble.BROKEN, ITS_FAULT, status=200)
def not_taken_in(place: Place, _: Mode) -> Promise:
    """The next one, whatever the status says."""
    return over_to_the_next(place, SLOW_S)


ERRORS = (
    Row(
        id="error_event",
        does="an error event first",
        promise=not_taken_in,
        cast=plays(errs_first),
    ),
    Row(
        id="ok_error",
        does="200 with an error in it",
        promise=not_taken_in,
        cast=plays(errs_with_200),
        modes=BOTH,
    ),
    Row(
        id="error_after_preamble",
        does="benign first events, then an error",
        promise=not_taken_in,
        cast=plays(errs_after_preamble),
    ),
)

BEFORE = (*REFUSALS, *CONNECTIONS, *SILENCE, *ERRORS)
