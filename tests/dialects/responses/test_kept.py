"""Answers about responses that a provider keeps."""

from __future__ import annotations

import orjson
import pytest

from sidecar.core.answer import AnswerFailed
from sidecar.core.sse import EventTooLarge, encode
from sidecar.dialects.responses.ids import mint
from sidecar.dialects.responses.kept import Retelling, retold

OURS = mint("azure", "resp_1")


def test_a_response_has_our_ids() -> None:
    body = orjson.dumps({"object": "response", "id": "resp_1", "previous_response_id": "resp_0"})

    assert orjson.loads(retold(body, "azure")) == {
        "object": "response",
        "id": OURS,
        "previous_response_id": mint("azure", "resp_0"),
    }


def test_a_response_that_is_deleted_has_our_id() -> None:
    body = b'{"id": "resp_1", "object": "response.deleted", "deleted": true}'

    assert orjson.loads(retold(body, "azure"))["id"] == OURS


@pytest.mark.parametrize(
    "body",
    [
        b'{ "object": "list", "data": [{"id": "msg_1"}], "first_id": "msg_1" }',
        b'{ "object": "response" }',
        b'{ "object": 7, "id": "x" }',
        b"[1]",
        b"no JSON",
        b"",
    ],
)
def test_everything_else_is_as_it_came(body: bytes) -> None:
    assert retold(body, "azure") == body


def test_what_is_nested_deeper_than_anybody_writes_is_no_answer() -> None:
    body = b'{"object":"response","id":"r","x":' + b"[" * 1020 + b"]" * 1020 + b"}"

    with pytest.raises(AnswerFailed):
        retold(body, "azure")


def created(response_id: str) -> bytes:
    event = {"type": "response.created", "response": {"id": response_id}}
    return encode(orjson.dumps(event), b"response.created")


DELTA = b'data: {"type":"response.output_text.delta","delta":"Hi"}\n\n'
STREAM = [created("resp_1"), DELTA, b"data: oops\n\n", b"data: [DONE]\n\n"]


@pytest.mark.parametrize("size", range(1, len(created("resp_1")) + 1))
def test_a_stream_has_our_ids_wherever_it_is_cut(size: int) -> None:
    stream, retelling = b"".join(STREAM), Retelling("azure", 1000)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]

    told = b"".join(map(retelling.feed, pieces)) + retelling.end()

    assert told == created(OURS) + b"".join(STREAM[1:])


def test_a_stream_that_is_taken_up_again_begins_where_it_was_left() -> None:
    retelling, done = Retelling("azure", 1000), b'data: {"type":"response.completed","response":'

    told = retelling.feed(DELTA + done + b'{"id":"resp_1"}}\n\n')

    assert told == DELTA + done + b'{"id":"%b"}}\n\n' % OURS.encode()


def test_the_last_event_is_heard_also_without_its_end() -> None:
    retelling = Retelling("azure", 1000)

    assert retelling.feed(DELTA.strip()) + retelling.end() == DELTA


def test_an_event_that_is_too_large_to_hold_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        Retelling("azure", 10).feed(b"data: " + b"x" * 20)
