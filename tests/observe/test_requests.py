"""The last requests with their tries: bounded, and nothing but times and outcomes."""

from __future__ import annotations

from sidecar.core.events import Skipped
from sidecar.core.outcome import Outcome, RequestOutcome, SkipReason
from sidecar.observe.requests import KEPT, LISTED, MAX_OPEN, Requests
from tests.observe.scene import ROUTE, attempt_ended, request_ended

UNIX_S = 1_760_000_000.0
SKIPPED = Skipped(request_id="req-1", route=ROUTE, provider="gemini", reason=SkipReason.OPEN)
FAILED = attempt_ended(outcome=Outcome.SERVER_ERROR, status=500, duration_s=0.3, ttft_s=None)
SERVED = attempt_ended(provider="huggingface", model="llama", duration_s=0.6, ttft_s=0.1)
ENDED = request_ended(
    outcome=RequestOutcome.FAILOVER_SUCCESS, provider="huggingface", duration_s=1.0, lost_s=0.3
)


def ended(number: int) -> Requests:
    """What remembers `number` requests, `req-0` and so on."""
    requests = Requests()
    for one in range(number):
        requests.ended(request_ended(request_id=f"req-{one}"), UNIX_S + one, float(one))
    return requests


def test_a_waterfall_tells_when_each_try_began_after_the_request() -> None:
    requests = Requests()
    requests.tried(SKIPPED, 10.0)
    requests.tried(FAILED, 10.35)
    requests.tried(SERVED, 11.0)
    requests.ended(ENDED, UNIX_S, 11.0)

    request = requests.find("req-1")

    assert request
    assert request["time"] == UNIX_S - 1.0
    assert [(one["provider"], one["start_s"], one["duration_s"]) for one in request["tries"]] == [
        ("gemini", 0.0, 0.0),
        ("gemini", 0.05, 0.3),
        ("huggingface", 0.4, 0.6),
    ]


def test_a_try_is_told_with_exactly_these_keys() -> None:
    requests = Requests()
    requests.tried(SKIPPED, 10.0)
    requests.tried(SERVED, 11.0)
    requests.ended(ENDED, UNIX_S, 11.0)

    request = requests.find("req-1")

    assert request
    skip, served = request["tries"]
    assert skip.keys() == {"provider", "outcome", "reason", "start_s", "duration_s"}
    assert served.keys() == {
        *("provider", "model", "outcome", "status", "start_s", "duration_s", "ttft_s"),
    }


def test_a_request_is_told_with_exactly_these_keys() -> None:
    request = ended(1).find("req-0")

    assert request
    assert request.keys() == {
        *("id", "time", "route", "outcome", "code", "provider", "duration_s", "ttft_s", "tries"),
        *("endpoint", "stream", "model", "overhead_s", "lost_s", "trace_id"),
    }


def test_the_list_is_of_the_newest_first() -> None:
    listed = [one["id"] for one in ended(100).latest()]

    assert listed == [f"req-{number}" for number in range(99, 99 - LISTED, -1)]


def test_only_the_last_are_kept() -> None:
    requests = ended(KEPT + 1)

    assert requests.find("req-0") is None
    assert requests.find("req-1") is not None


def test_of_two_with_one_id_the_newest_is_told() -> None:
    requests = Requests()
    requests.ended(request_ended(code=503), UNIX_S, 1.0)
    requests.ended(request_ended(code=200), UNIX_S, 2.0)

    found = requests.find("req-1")

    assert found
    assert found["code"] == 200


def test_a_request_without_a_route_is_not_kept() -> None:
    requests = Requests()
    requests.ended(request_ended(route=""), UNIX_S, 1.0)

    assert requests.find("req-1") is None


def test_tries_whose_request_never_ends_are_bounded() -> None:
    requests = Requests()
    for number in range(MAX_OPEN + 1):
        requests.tried(attempt_ended(request_id=f"req-{number}"), 1.0)
    for number in (0, MAX_OPEN):
        requests.ended(request_ended(request_id=f"req-{number}"), UNIX_S, 1.0)

    assert [one["tries"] for one in requests.latest()] == [1, 0]


def test_a_request_that_never_tried_anybody_has_no_tries() -> None:
    found = ended(1).find("req-0")

    assert found
    assert found["tries"] == []


def test_what_has_ended_takes_no_tries_along() -> None:
    requests = Requests()
    for unix_s in (UNIX_S, UNIX_S + 1):
        requests.tried(SERVED, 1.0)
        requests.ended(ENDED, unix_s, 1.0)

    assert [one["tries"] for one in requests.latest()] == [1, 1]
