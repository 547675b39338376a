"""Reading calls and writing answers, byte by byte."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.faults.wire import Call, Inbox, chunk, head, parse_head, read_call, whole

PLAIN = b'POST /v1/x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{"a":1}'
CHUNKED = (
    b"POST /v1/x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    b'3\r\n{"a\r\n4;x\r\n":1}\r\n0\r\na: b\r\n\r\n'
)


async def read(*pieces: bytes) -> Call | None:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    return await read_call(Inbox(reader), lambda: 5.0)


async def test_a_call_is_read_with_its_query_and_json() -> None:
    call = await read(PLAIN)

    assert call is not None
    assert (call.method, call.path, call.json, call.opened_s) == (
        "POST",
        "/v1/x?y=1",
        {"a": 1},
        5.0,
    )


async def test_a_chunked_body_with_extensions_and_trailers_is_put_together() -> None:
    call = await read(CHUNKED)

    assert call is not None
    assert call.body == b'{"a":1}'


async def test_a_body_that_is_not_json_has_no_json() -> None:
    call = await read(b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n\xff{]")

    assert call is not None
    assert call.json is None


@pytest.mark.parametrize("size", range(len(PLAIN)))
async def test_a_peer_that_leaves_within_a_call_made_none(size: int) -> None:
    assert await read(PLAIN[:size]) is None


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
        b"x" * 70_000,
    ],
    ids=[
        "empty",
        "no version",
        "no colon",
        "no number",
        "negative",
        "huge",
        "bad chunk",
        "endless",
    ],
)
async def test_nonsense_is_an_error(nonsense: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        await read(nonsense)


def test_headers_sent_twice_are_joined() -> None:
    _, _, headers = parse_head(b"GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n")

    assert headers == {"x-a": "1, 2"}


def test_looking_ahead_loses_no_byte() -> None:
    async def scene() -> Call | None:
        reader = asyncio.StreamReader()
        inbox = Inbox(reader)
        looking = asyncio.create_task(inbox.left())
        await asyncio.sleep(0)
        reader.feed_data(PLAIN)
        await asyncio.sleep(0)
        looking.cancel()
        await asyncio.wait((looking,))
        return await read_call(inbox, lambda: 0.0)

    call = asyncio.run(scene())

    assert call is not None
    assert call.method == "POST"


def test_an_answer_states_its_length() -> None:
    answer = whole(503, {"retry-after": "2"}, b"no")

    assert answer == (
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 2\r\n\r\nno"
    )


def test_a_status_that_nobody_registered_has_a_head_too() -> None:
    assert head(529, {}) == b"HTTP/1.1 529 Unknown\r\n\r\n"


def test_a_chunk_states_its_length_in_hex() -> None:
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
