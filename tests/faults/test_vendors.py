"""Every vendor's own words for a trouble are understood as that trouble."""

from __future__ import annotations

import orjson
import pytest

from sidecar.core.outcome import Outcome
from sidecar.core.rejection import read_failure
from sidecar.faults.answer import Answer, Scene
from sidecar.faults.fault import Fault
from sidecar.faults.steps import Send
from sidecar.faults.vendors import Trouble, complains, error_event
from sidecar.faults.wire import Call

KINDS = ("gemini", "vertex", "huggingface", "anthropic", "openai", "azure-deployments")
MEANT = {
    Trouble.LIMITED: Outcome.RATE_LIMIT,
    Trouble.OVERLOADED: Outcome.OVERLOADED,
    Trouble.BROKEN: Outcome.SERVER_ERROR,
    Trouble.TOO_LONG: Outcome.CONTEXT_LENGTH,
    Trouble.FILTERED: Outcome.CONTENT_FILTER,
}


def answered(fault: Fault) -> tuple[int, dict[str, str], object]:
    """The status, headers and JSON that a fault answers with."""
    [step] = fault.script(Scene(name="a", call=Call(), answer=Answer()))
    assert isinstance(step, Send)
    head, _, body = step.data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, orjson.loads(body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trouble", MEANT)
def test_a_trouble_is_understood_in_the_words_of(kind: str, trouble: Trouble) -> None:
    status, headers, body = answered(complains(kind, trouble))

    assert read_failure(status, headers, body, 0.0).outcome is MEANT[trouble]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wait_s", [2.0, 0.4])
def test_a_wait_is_understood_in_the_words_of(kind: str, wait_s: float) -> None:
    status, headers, body = answered(complains(kind, Trouble.LIMITED, wait_s))

    assert read_failure(status, headers, body, 0.0).wait_s == wait_s


@pytest.mark.parametrize("kind", KINDS)
def test_no_wait_is_stated_unasked_by(kind: str) -> None:
    status, headers, body = answered(complains(kind, Trouble.LIMITED))

    assert read_failure(status, headers, body, 0.0).wait_s is None


def test_google_wraps_its_error_in_a_list_and_has_the_wait_in_it() -> None:
    _, headers, body = answered(complains("gemini", Trouble.LIMITED, 2.0))

    assert isinstance(body, list)
    assert body[0]["error"]["details"][0]["retryDelay"] == "2.0s"
    assert "retry-after" not in headers


def test_hugging_face_says_only_a_text() -> None:
    _, _, body = answered(complains("huggingface", Trouble.LIMITED))

    assert body == {"error": "Rate limit reached. Please slow down."}


def test_anthropic_names_its_events() -> None:
    assert error_event("anthropic").startswith(b'event: error\ndata: {"type":"error"')


def test_a_kind_that_nobody_knows_speaks_as_openai() -> None:
    assert error_event("else").startswith(b'data: {"error":{"message"')
