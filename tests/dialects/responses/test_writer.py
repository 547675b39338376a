"""Chat chunks as the events of a Response, read by the openai SDK."""

from __future__ import annotations

from collections import defaultdict

import openai
import pytest
from openai.types.responses import ResponseFailedEvent

from sidecar.core.outcome import Outcome
from sidecar.dialects.dialect import Json, Reading
from sidecar.dialects.openai import SILENT
from sidecar.dialects.responses.writer import failed_for
from tests.dialects.responses.sdk import (
    ERROR,
    TYPES,
    USAGE,
    application,
    call,
    chunk,
    client_of,
    events_of,
    final,
    last_of,
    of_choices,
    parsed,
    put_together,
    read,
    streamed,
    types_of,
)

CUSTOM = {"type": "custom", "name": "run"}
WEATHER = {"id": "t1", "name": "weather"}
TIME = {"id": "t2", "name": "time"}


def test_text_comes_in_the_order_that_clients_want() -> None:
    stream = streamed(
        application(),
        chunk(role="assistant", content=""),
        chunk(content="Hi"),
        chunk(content=" you"),
        chunk("stop"),
    )

    assert types_of(stream) == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]


def test_a_tool_call_comes_in_the_order_that_clients_want() -> None:
    stream = streamed(
        application(),
        chunk(tool_calls=[call(0, "", **WEATHER)]),
        chunk(tool_calls=[call(0, '{"city":')]),
        chunk(tool_calls=[call(0, '"Bonn"}')]),
        chunk("tool_calls"),
    )

    assert types_of(stream) == [
        *("created", "in_progress", "output_item.added"),
        *("function_call_arguments.delta", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done", "completed"),
    ]


def test_reasoning_is_done_when_the_answer_begins() -> None:
    stream = streamed(
        application(), chunk(reasoning_content="Hm"), chunk(content="Hi"), chunk("stop")
    )

    assert types_of(stream)[2:] == [
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]


def test_a_refusal_comes_in_the_order_that_clients_want() -> None:
    stream = streamed(application(), chunk(refusal="No."), chunk("stop"))

    assert types_of(stream)[2:] == [
        *("output_item.added", "content_part.added", "refusal.delta"),
        *("refusal.done", "content_part.done", "output_item.done", "completed"),
    ]


def test_a_custom_tool_gets_its_text_out_of_the_json_around_it() -> None:
    stream = streamed(
        application(tools=[CUSTOM]),
        chunk(tool_calls=[call(0, '{"input":', id="t1", name="run")]),
        chunk(tool_calls=[call(0, '"ls -l"}')]),
        chunk("tool_calls"),
    )

    (item,) = put_together(stream)
    assert (item["type"], item["call_id"], item["input"]) == ("custom_tool_call", "t1", "ls -l")
    assert types_of(stream)[2:] == [
        *("output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done"),
        *("output_item.done", "completed"),
    ]


@pytest.mark.parametrize("arguments", ["ls", "[1]", '{"input":5}', '{"command":"ls"}', ""])
def test_what_is_not_wrapped_as_asked_is_the_text_of_a_custom_tool(arguments: str) -> None:
    stream = streamed(
        application(tools=[CUSTOM]), chunk(tool_calls=[call(0, arguments, id="t1", name="run")])
    )

    assert put_together(stream)[0]["input"] == arguments


MANY: list[Json] = [
    chunk(role="assistant", content=""),
    chunk(reasoning_content="H"),
    chunk(reasoning="m"),
    chunk(content="Let me "),
    chunk(content="see"),
    chunk(refusal="or not"),
    chunk(tool_calls=[call(0, '{"a":', **WEATHER)]),
    chunk(tool_calls=[call(1, "{", **TIME), call(0, "1}")]),
    chunk(tool_calls=[call(1, "}")]),
    chunk("tool_calls"),
    of_choices(usage=USAGE),
]


def test_several_tool_calls_may_come_mixed() -> None:
    calls = [item for item in put_together(streamed(application(), *MANY)) if "call_id" in item]

    assert [(one["call_id"], one["name"], one["arguments"]) for one in calls] == [
        ("t1", "weather", '{"a":1}'),
        ("t2", "time", "{}"),
    ]


def test_the_output_at_the_end_is_the_items_that_were_done() -> None:
    stream = streamed(application(tools=[CUSTOM]), *MANY)

    assert last_of(stream)["output"] == put_together(stream)


def test_the_pieces_of_every_text_make_up_its_whole() -> None:
    pieces: dict[tuple[object, ...], str] = defaultdict(str)
    wholes: dict[tuple[object, ...], str] = {}
    for event in events_of(streamed(application(), *MANY)):
        place = (event.get("item_id"), event.get("content_index"), event.get("summary_index"))
        if event["type"].endswith(".delta"):
            pieces[place] += event["delta"]
        for name in {"text", "refusal", "arguments"} & event.keys():
            wholes[place] = event[name]

    assert pieces == wholes
    assert len(wholes) == 5


def test_the_helper_of_the_sdk_reads_it() -> None:
    response = final(streamed(application(), *MANY))

    assert response.output_text == "Let me see"
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == 2


def test_content_in_the_first_chunk_comes_after_the_opening() -> None:
    writer = application().writer()

    first = writer.write(Reading(SILENT, [chunk(content="Hi")]))

    assert types_of(first)[:2] == ["created", "in_progress"]
    assert types_of(first)[-1] == "output_text.delta"


def test_what_says_nothing_writes_nothing() -> None:
    assert application().writer().write(Reading(SILENT)) == b""


def test_an_answer_without_a_chunk_is_still_one() -> None:
    assert types_of(streamed(application())) == ["created", "in_progress", "completed"]


def test_the_model_is_the_one_that_answered() -> None:
    stream = streamed(application(), chunk(content="Hi"), chunk("stop"))

    models = {event["response"]["model"] for event in events_of(stream) if "response" in event}
    assert models == {"gemini-3"}


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
def test_an_answer_that_was_cut_short_says_why(finish: str, reason: str) -> None:
    stream = streamed(application(), chunk(content="Hi"), chunk(finish), of_choices(usage=USAGE))

    assert types_of(stream)[-1] == "incomplete"
    response = last_of(stream)
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": reason}
    assert response["usage"]["total_tokens"] == 12


def test_only_the_item_that_was_cut_short_is_incomplete() -> None:
    stream = streamed(
        application(),
        chunk(content="Hi"),
        chunk(tool_calls=[call(0, "{}", **WEATHER)]),
        chunk(tool_calls=[call(1, "{", **TIME)]),
        chunk("length"),
    )

    statuses = [item["status"] for item in last_of(stream)["output"]]
    assert statuses == ["completed", "completed", "incomplete"]


def test_text_after_a_tool_call_is_another_message() -> None:
    stream = streamed(
        application(),
        chunk(content="Hi"),
        chunk(tool_calls=[call(0, "{}", **WEATHER)]),
        chunk(content="there"),
        chunk("tool_calls"),
    )

    kinds = [item["type"] for item in put_together(stream)]
    assert kinds == ["message", "function_call", "message"]


def test_other_choices_are_not_heard() -> None:
    other = {"index": 1, "delta": {"content": "Ho"}, "finish_reason": "length"}
    stream = streamed(application(), of_choices(other), chunk(content="Hi"), chunk("stop"))

    assert final(stream).output_text == "Hi"
    assert last_of(stream)["status"] == "completed"


def test_log_probabilities_go_with_their_text() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "Ho"}]}
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [token]}}
    stream = streamed(application(), of_choices(choice), chunk("stop"))

    likely = {"token": "Hi", "logprob": -0.5, "bytes": []}
    told = [{**likely, "top_logprobs": [{"token": "Ho", "logprob": -9999.0, "bytes": []}]}]
    (delta,) = (one for one in events_of(stream) if one["type"] == "response.output_text.delta")
    assert delta["logprobs"] == told
    assert put_together(stream)[0]["content"][0]["logprobs"] == told


def test_what_broke_off_failed_and_is_raised() -> None:
    writer = application().writer()
    stream = writer.write(Reading(SILENT, [chunk(content="Hi")])) + writer.broken(ERROR)

    with (
        pytest.raises(openai.APIError, match="it broke off"),
        client_of(stream).responses.stream(model="smart", input="Hi") as events,
    ):
        events.until_done()


def broken_after(*chunks: Json) -> list[Json]:
    """What the events of a stream say that broke off."""
    writer = application().writer()
    written = [writer.write(Reading(SILENT, [one])) for one in chunks]
    return [parsed(event.data) for event in read(b"".join(written) + writer.broken(ERROR))]


def test_what_broke_off_is_shown_as_far_as_it_came() -> None:
    *_, failed, error = broken_after(
        chunk(content="Hi"), chunk(tool_calls=[call(0, '{"a', **WEATHER)])
    )

    response = ResponseFailedEvent.model_validate(failed).response
    assert response.status == "failed"
    assert response.output_text == "Hi"
    assert failed["response"]["output"][1]["arguments"] == '{"a'
    assert failed["response"]["output"][1]["status"] == "incomplete"
    assert error == {"error": ERROR}


def test_what_broke_before_it_began_still_begins() -> None:
    *begun, _ = broken_after()

    assert [event["type"] for event in begun] == [
        *("response.created", "response.in_progress", "response.failed"),
    ]


def test_a_failure_has_a_code_that_a_response_may_have() -> None:
    *_, failed, _ = broken_after()

    assert failed["response"]["error"] == {"code": "server_error", "message": "it broke off"}


def test_every_event_is_what_the_sdk_says_it_is() -> None:
    for event in events_of(streamed(application(tools=[CUSTOM]), *MANY)):
        assert TYPES[event["type"]].model_validate(event).to_dict() == event


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.RATE_LIMIT, "rate_limit_exceeded"),
        (Outcome.CONTEXT_LENGTH, "invalid_prompt"),
        (Outcome.TIMEOUT_IDLE, "server_error"),
    ],
)
def test_a_response_fails_for_one_of_its_own_reasons(outcome: Outcome, code: str) -> None:
    error = {"message": "It broke.", "code": outcome.value}

    assert failed_for(error) == {"code": code, "message": "It broke."}
