"""Streams that break or end wrongly: before the first content nobody notices, after it all hear."""

from __future__ import annotations

from sidecar.core.outcome import Outcome
from sidecar.faults.answer import Json
from sidecar.faults.catalog import reset
from sidecar.faults.changes import WORDS, end_with, only
from sidecar.faults.fault import Fault
from sidecar.faults.refusals import FAILED
from sidecar.faults.refusals import openai as as_openai
from sidecar.faults.speech import Event, data, named
from sidecar.faults.streams import ERROR, ERROR_FLAT, ERROR_IN_CHUNK, ERROR_TGI
from tests.stories.conformance.scripts import says
from tests.stories.conformance.strikes import (
    CHAT,
    ENDS,
    MESSAGES,
    RESPONSES,
    a_first,
    assert_fails_over,
    assert_interrupted,
    assert_served,
    bytes_of,
    endpoints,
    everywhere,
    over,
)

WITH_A_LAST_WORD = (CHAT, MESSAGES)  # a Response is whole with its last event, and not before
TOLD = {"code": "server_error", "message": FAILED}
OVERLOADED: Json = {"type": "error", "error": {"type": "overloaded_error", "message": FAILED}}
FLAT: Json = {"type": "error", **TOLD, "param": None, "sequence_number": 1}
FAILED_RESPONSE: Json = {
    "type": "response.failed",
    "sequence_number": 1,
    "response": {"id": "resp_1", "object": "response", "status": "failed", "error": TOLD},
}
ERRORS: tuple[Event, ...] = (
    ERROR,
    ERROR_TGI,
    ERROR_IN_CHUNK,
    b"event: error\n" + data(ERROR),
    b"event: error\n" + data(ERROR_FLAT),
    data([as_openai(FAILED)]),
    named("error", OVERLOADED),
    named("error", FLAT),
    data(FLAT),
)
ERRORS_OF_RESPONSES: tuple[Event, ...] = (named("response.failed", FAILED_RESPONSE),)


@over()
async def test_b9_an_error_before_content_is_never_heard(kind: str) -> None:
    alone = [everywhere(only(error)) for error in ERRORS[:2]]
    after_role = [everywhere(end_with(0, error)) for error in ERRORS]
    await assert_fails_over(kind, *alone, *after_role)


@over((RESPONSES,))
async def test_b9_a_response_that_fails_before_content_is_never_heard(kind: str) -> None:
    failed = [end_with(0, *ERRORS_OF_RESPONSES), only(*ERRORS_OF_RESPONSES)]
    await assert_fails_over(kind, *map(everywhere, failed), wires=(RESPONSES,))


@over()
async def test_b10_an_error_after_content_is_raised_in_the_providers_words(kind: str) -> None:
    told = [everywhere(end_with(WORDS, error)) for error in ERRORS]
    await assert_interrupted(kind, *told, said=FAILED.rstrip("."))


@over((RESPONSES,))
async def test_b10_a_response_that_fails_after_content_raises(kind: str) -> None:
    told = everywhere(end_with(WORDS, *ERRORS_OF_RESPONSES))
    await assert_interrupted(kind, told, wires=(RESPONSES,), said=FAILED.rstrip("."))


@over()
async def test_b10_what_broke_is_never_said_to_be_whole(kind: str) -> None:
    async with a_first(kind) as world:
        world.first.plays(everywhere(end_with(WORDS, ERROR)))
        for endpoint in endpoints(kind):
            heard = await bytes_of(world, endpoint)

            assert b"Hello" in heard
            assert not any(end in heard for end in ENDS)
            assert b'"finish_reason":"' not in heard


@over()
async def test_b11_an_end_before_content_is_never_heard(kind: str) -> None:
    await assert_fails_over(kind, "role_then_end", "nothing", "comments_then_end")


@over(WITH_A_LAST_WORD)
async def test_b11_an_end_that_is_all_there_is_ends_nothing(kind: str) -> None:
    await assert_fails_over(kind, "done_only", wires=WITH_A_LAST_WORD)


@over((RESPONSES,))
async def test_b11_a_response_that_comes_as_its_last_event_alone_is_served(kind: str) -> None:
    await assert_served(kind, "done_only", wires=(RESPONSES,))


@over()
async def test_b12_an_end_amid_content_is_called_truncated(kind: str) -> None:
    truncated = Outcome.STREAM_TRUNCATED
    await assert_interrupted(kind, "end_after_words", "neither", code=truncated)


@over(WITH_A_LAST_WORD)
async def test_b12_a_last_word_without_a_finish_is_no_end(kind: str) -> None:
    truncated = Outcome.STREAM_TRUNCATED
    await assert_interrupted(kind, "done_without_finish", wires=WITH_A_LAST_WORD, code=truncated)


@over(WITH_A_LAST_WORD)
async def test_b13_a_finish_is_enough_of_an_end(kind: str) -> None:
    await assert_served(kind, "no_done", wires=WITH_A_LAST_WORD)


@over((RESPONSES,))
async def test_b13_a_response_without_its_last_event_is_truncated(kind: str) -> None:
    await assert_interrupted(kind, "no_done", wires=(RESPONSES,), code=Outcome.STREAM_TRUNCATED)


@over()
async def test_b14_a_reset_amid_content_is_an_error_in_band(kind: str) -> None:
    await assert_interrupted(kind, reset(), "cut", code=Outcome.TRANSPORT)


@over()
async def test_b14_a_reset_before_content_is_never_heard(kind: str) -> None:
    await assert_fails_over(kind, reset(0), "headers_then_close", "bad_chunk")


@over(WITH_A_LAST_WORD)
async def test_b15_an_unterminated_last_word_is_heard(kind: str) -> None:
    await assert_served(kind, "done_unterminated", wires=WITH_A_LAST_WORD)


@over()
async def test_b15_any_other_unterminated_event_is_not(kind: str) -> None:
    truncated = Outcome.STREAM_TRUNCATED
    await assert_interrupted(kind, "finish_unterminated", "half_json", code=truncated)


@over()
async def test_b16_a_whole_answer_to_a_streamed_call_becomes_a_stream(kind: str) -> None:
    await assert_served(kind, "json_for_stream")


@over()
async def test_b17_an_error_with_status_200_is_never_heard(kind: str) -> None:
    shapes: list[Fault] = [says(ERROR), says(ERROR_TGI), says(OVERLOADED), says([ERROR])]
    await assert_fails_over(kind, "ok_error", "ok_error_string", *shapes)


@over()
async def test_one_event_that_is_no_json_is_passed_over_and_two_are_a_failure(kind: str) -> None:
    await assert_served(kind, "malformed_event")
    await assert_interrupted(kind, "malformed_events", code=Outcome.PROTOCOL)
