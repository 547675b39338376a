"""What holds of any operation on any record."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.breaker import Cool, Hold, Lease, Op, Release, Reset, Settle, Trip, step
from sidecar.core.events import Cause, ProbeVerdict, State
from sidecar.core.record import Policy, Record, Slot, Vote

# Drawn so that operations meet often: few pods, tokens, epochs and moments.
PODS = st.sampled_from("ab")
EPOCHS = st.integers(0, 6)
TOKENS = st.sampled_from("st")
TIMES = st.integers(0, 9)
SHORT = Policy(open_ms=2, multiplier=2.0, max_ms=8, lease_ms=2, round_ms=5)
OPS = st.one_of(
    st.builds(Trip, pod=PODS, epoch=EPOCHS, policy=st.just(SHORT), weight=st.sampled_from((1, 2))),
    st.builds(Lease, pod=PODS, epoch=EPOCHS, token=TOKENS),
    st.builds(
        Settle, pod=PODS, epoch=EPOCHS, token=TOKENS, verdict=st.sampled_from(list(ProbeVerdict))
    ),
    st.builds(Cool, pod=PODS, scope=TOKENS, until_ms=TIMES),
    st.builds(
        Hold,
        pod=PODS,
        mode=st.sampled_from((State.OPEN, State.CLOSED)),
        ttl_ms=st.one_of(st.none(), st.integers(1, 3)),
        by=PODS,
        reason=st.just(""),
    ),
    st.builds(Release, pod=PODS),
    st.builds(Reset, pod=PODS),
)
STATES = st.builds(
    Record,
    name=st.just("p"),
    epoch=EPOCHS,
    state=st.just(State.HALF_OPEN),
    until_ms=TIMES,
    rounds=st.integers(0, 3),
    succ=st.integers(0, 1),
    lost=st.integers(0, 3),
    leases=st.lists(
        st.builds(Slot, TOKENS, PODS, TIMES), max_size=2, unique_by=lambda slot: slot.token
    ).map(tuple),
    policy=st.just(SHORT),
) | st.builds(
    Record,
    name=st.just("p"),
    epoch=EPOCHS,
    state=st.sampled_from((State.CLOSED, State.OPEN)),
    until_ms=TIMES,
    votes=st.lists(
        st.builds(Vote, PODS, TIMES, st.just(1), st.just(Cause.FAILURES)), max_size=1
    ).map(tuple),
    policy=st.just(SHORT),
)


@given(record=STATES, op=OPS, now_ms=TIMES)
def test_what_is_done_twice_is_done_once_with_the_same_answer(
    record: Record, op: Op, now_ms: int
) -> None:
    once = step(record, op, now_ms)

    assert step(once[0], op, now_ms) == once


@given(record=STATES, op=OPS, now_ms=TIMES)
def test_no_epoch_ever_falls(record: Record, op: Op, now_ms: int) -> None:
    assert step(record, op, now_ms)[0].epoch >= record.epoch
