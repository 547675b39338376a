"""What lately went to a provider: a short history in slices, a rate, and what fails."""

from __future__ import annotations

from sidecar.core.events import AttemptEnded
from sidecar.core.outcome import Outcome
from sidecar.observe.traffic import SLICE_S, SLICES, Slice, Traffic
from tests.observe.scene import attempt_ended

NOW = 1_760_000_000.0  # the beginning of a slice
REFUSED = attempt_ended(outcome=Outcome.OVERLOADED, status=503, ttft_s=None)
SILENT = attempt_ended(outcome=Outcome.TIMEOUT_FIRST_TOKEN, status=0, ttft_s=None)
OK = attempt_ended()


def after(*told: tuple[AttemptEnded, float]) -> Traffic:
    """Traffic that was told of these attempts, so many seconds after `NOW`."""
    traffic = Traffic()
    for event, at_s in told:
        traffic.ended(event, NOW + at_s)
    return traffic


def test_nothing_is_told_of_nothing() -> None:
    assert (Traffic().history(NOW), Traffic().attempts_per_s(NOW, 60.0)) == ([], 0.0)


def test_the_running_slice_is_told_at_once() -> None:
    traffic = after((OK, 1.0), (REFUSED, 2.0))

    assert traffic.history(NOW + 3.0) == [Slice(int(NOW), 2, 1, 0.2, 0.2)]


def test_a_slice_ends_and_the_next_begins_on_the_round_second() -> None:
    traffic = after((OK, 9.9), (REFUSED, 10.0))

    assert [one[:3] for one in traffic.history(NOW + 11.0)] == [(NOW, 1, 0), (NOW + 10, 1, 1)]


def test_idle_slices_are_left_out() -> None:
    traffic = after((OK, 0.0), (OK, 95.0))

    assert [one.began_unix_s - NOW for one in traffic.history(NOW + 96.0)] == [0, 90]


def test_first_tokens_are_of_their_own_slice() -> None:
    slow, quick = attempt_ended(ttft_s=2.0), attempt_ended(ttft_s=0.1)

    history = after((slow, 0.0), (quick, 10.0)).history(NOW + 11.0)

    assert [(one.ttft_p50_s, one.ttft_p95_s) for one in history] == [(2.0, 2.0), (0.1, 0.1)]


def test_a_slice_without_a_good_stream_has_no_first_tokens() -> None:
    assert after((REFUSED, 0.0)).history(NOW)[0].ttft_p95_s is None


def test_the_history_is_bounded() -> None:
    traffic = after(*[(OK, float(SLICE_S * n)) for n in range(3 * SLICES)])

    assert len(traffic.history(NOW + SLICE_S * 3 * SLICES - 1)) == SLICES


def test_the_history_forgets_also_where_nothing_more_happens() -> None:
    assert after((OK, 0.0)).history(NOW + SLICES * SLICE_S) == []


def test_the_rate_is_of_the_last_minute() -> None:
    traffic = after(*[(OK, float(second)) for second in range(200)])

    assert traffic.attempts_per_s(NOW + 200.0, 3600.0) == 1.0


def test_the_rate_of_a_young_process_is_over_its_life() -> None:
    traffic = after(*[(OK, second / 2) for second in range(10)])

    assert traffic.attempts_per_s(NOW + 5.0, 5.0) == 2.0


def test_the_rate_falls_to_nothing_when_nobody_calls() -> None:
    assert after((OK, 0.0)).attempts_per_s(NOW + 61.0, 3600.0) == 0.0


def test_what_fails_is_told_by_its_status_or_its_word() -> None:
    traffic = after((REFUSED, 0.0), (SILENT, 1.0), (REFUSED, 2.0))

    assert traffic.failing == {"503": 2, "timeout_first_token": 1}


def test_a_good_answer_ends_what_fails() -> None:
    assert not after((REFUSED, 0.0), (OK, 1.0)).failing


def test_what_is_nobody_s_fault_is_no_error() -> None:
    hung_up = attempt_ended(outcome=Outcome.CANCELLED)
    caller = attempt_ended(outcome=Outcome.BAD_REQUEST, status=400)

    traffic = after((hung_up, 0.0), (caller, 0.0))

    assert (traffic.history(NOW)[0].errors, dict(traffic.failing)) == (0, {})
