"""Good streams in an unusual hand: the bytes are odd, and every SDK hears the whole answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sidecar.faults.answer import Scene
from sidecar.faults.changes import between, open_with, rewrite
from sidecar.faults.fault import Effect, Fault, open_answer, telling
from sidecar.faults.healthy import speech_of
from sidecar.faults.speech import encode
from sidecar.faults.steps import Send, Step, Wait
from sidecar.faults.wire import LAST_CHUNK, chunk
from tests.stories.conformance.strikes import (
    assert_fails_over,
    assert_served,
    everywhere,
    over,
)
from tests.stories.voices import Reply
from tests.stories.world import QUICK

MOMENT = Wait(0.002)  # long enough for what was sent to be read by itself
HASTY = replace(QUICK, first_token_s=0.3)
WIDE = "Grüße 世界 🌍"


@over()
async def test_b1_a_byte_order_mark_costs_no_event(kind: str) -> None:
    await assert_served(kind, "bom")


@over()
async def test_b2_a_line_may_end_in_any_way(kind: str) -> None:
    await assert_served(kind, "cr", "crlf", "mixed_line_ends")


def in_pieces(scene: Scene) -> Iterator[Step]:
    """Cut within every character, after each of its bytes."""
    yield open_answer(scene)
    for event in speech_of(scene).events:
        for piece in torn(encode(event)):
            yield Send(chunk(piece))
            yield MOMENT
    yield Send(LAST_CHUNK)


def torn(data: bytes) -> Iterator[bytes]:
    """`data` in pieces, no two bytes of one character in one of them."""
    start = 0
    for at, byte in enumerate(data):
        if byte & 0b1100_0000 == 0b1000_0000:  # it goes on with a character
            yield data[start:at]
            start = at
    yield data[start:]


@over()
async def test_b3_a_character_may_be_cut_after_each_of_its_bytes(kind: str) -> None:
    wide = telling(in_pieces, text=WIDE)
    await assert_served(kind, Fault("torn", "", Effect.SERVED, wide), reply=Reply(WIDE))


@over()
async def test_b4_a_thousand_comments_are_no_event(kind: str) -> None:
    await assert_served(kind, "comments", "comments_between")


@over()
async def test_b5_comments_are_no_first_token(kind: str) -> None:
    await assert_fails_over(kind, "comments_only", timeouts=HASTY)


def numbered(text: bytes) -> bytes:
    """An id that stays, and more blank lines than an event needs."""
    return b"id: 1\n" + text.replace(b"\n\n", b"\n\n\n\n\n")


@over()
async def test_b6_fields_without_data_never_reach_an_sdk(kind: str) -> None:
    sticky = everywhere(rewrite(numbered))
    await assert_served(kind, "retry_line", "ids", "ping", "ping_data", sticky)


@over()
async def test_b7_an_event_with_blank_data_is_none(kind: str) -> None:
    blanks = (b"data\n\n", b"data:  \n\n", b"event: x\ndata:\ndata:\n\n")
    first = [everywhere(open_with(blank)) for blank in blanks]
    later = [everywhere(between(blank)) for blank in blanks]
    await assert_served(kind, "empty_data", "blank_lines", *first, *later)


@over()
async def test_b8_json_may_spread_over_many_lines(kind: str) -> None:
    await assert_served(kind, "many_lines")
