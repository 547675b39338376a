"""Gemini's signatures are neither lost nor sent to others, and its older models understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.dialect import Target
from sidecar.dialects.gemini import UNSIGNED, Signatures, generation
from sidecar.dialects.quirks import mend_request
from sidecar.dialects.tidy import Tidier
from sidecar.dialects.tidy_whole import tidy_whole
from tests.dialects.targets import target
from tests.dialects.test_anything import CHUNKS

Json = dict[str, Any]
HI = {"role": "user", "content": "Hi"}


def gemini(model: str = "gemini-3-flash", kind: str = "gemini", **fields: Any) -> Target:
    return target(kind, model, **fields)


def extra(signature: object) -> Json:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def call(name: str | None = "t1", **fields: Any) -> Json:
    function = {"name": "f", "arguments": "{}"}
    return {"id": name, "type": "function", "function": function, **fields}


def acting(*calls: Json, **fields: Any) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": [*calls], **fields}


def result(name: str) -> Json:
    return {"role": "tool", "tool_call_id": name, "content": "42"}


def hear(aim: Target, *deltas: Json) -> None:
    """Let a stream of `deltas` come from `aim`, as its reader would."""
    tidier, signatures = Tidier(aim.seed), Signatures(aim)
    for delta in deltas:
        chunk = {"choices": [{"index": 0, "delta": delta}]}
        tidier.tidy(chunk)
        signatures.note(chunk)


def hear_whole(aim: Target, message: Json) -> None:
    """Let a whole answer come from `aim`."""
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    tidy_whole(answer, aim.seed)
    Signatures(aim).note(answer)


def signatures_sent(aim: Target, *turns: Json) -> list[list[Any]]:
    """The signatures of the tool calls of each message that goes to `aim`."""
    fields = mend_request({"messages": [HI, *turns]}, aim)[0]
    return [
        [one.get("extra_content", {}).get("google", {}).get("thought_signature") for one in calls]
        for turn in fields["messages"]
        if (calls := turn.get("tool_calls"))
    ]


SAID: list[tuple[str, list[Json]]] = [
    ("on the call", [{"tool_calls": [call(**extra("abc"))]}]),
    ("on the message", [{"tool_calls": [call()], **extra("abc")}]),
    ("after the call", [{"tool_calls": [call()]}, extra("abc")]),
    ("before the call", [extra("abc"), {"tool_calls": [call()]}]),
    (
        "on a later piece of the call",
        [{"tool_calls": [call(index=4)]}, {"tool_calls": [{"index": 4, **extra("abc")}]}],
    ),
    ("on the latest", [{"tool_calls": [call(**extra("old"))]}, extra("abc")]),
    (
        "on the first of two",
        [{"tool_calls": [call(**extra("abc"))]}, {"tool_calls": [call("t2")]}],
    ),
    (
        "on the message of two",
        [{"tool_calls": [call(), call("t2")]}, extra("abc")],
    ),
]


@pytest.mark.parametrize("deltas", [row[1] for row in SAID], ids=[row[0] for row in SAID])
def test_a_signature_that_the_client_lost_is_put_back(deltas: list[Json]) -> None:
    aim = gemini()
    hear(aim, *deltas)

    assert signatures_sent(aim, acting(call()), result("t1")) == [["abc"]]


@pytest.mark.parametrize(
    "message",
    [acting(call(**extra("abc"))), acting(call(), call("t2"), **extra("abc"))],
    ids=["on the call", "on the message"],
)
def test_a_signature_of_a_whole_answer_is_put_back(message: Json) -> None:
    aim = gemini()
    hear_whole(aim, message)

    assert signatures_sent(aim, acting(call())) == [["abc"]]


def test_a_signature_is_kept_by_the_id_that_was_made_up() -> None:
    aim = gemini()
    hear(aim, {"tool_calls": [call("", **extra("abc"))]})

    assert signatures_sent(aim, acting(call("call_s1_0"))) == [["abc"]]


def test_each_call_has_its_own_signature() -> None:
    aim = gemini()
    hear(aim, {"tool_calls": [call(**extra("abc"))]}, {"tool_calls": [call("t2", **extra("def"))]})

    assert signatures_sent(aim, acting(call(), call("t2"))) == [["abc", "def"]]


def test_the_choices_of_an_answer_are_told_apart() -> None:
    aim = gemini()
    signatures = Signatures(aim)
    for index, name in enumerate(("t1", "t2")):
        delta = {"tool_calls": [call(name, index=0)]}
        signatures.note({"choices": [{"index": index, "delta": delta}]})
    signatures.note({"choices": [{"index": 1, "delta": extra("abc")}]})

    assert signatures_sent(aim, acting(call()), acting(call("t2"))) == [[UNSIGNED], ["abc"]]


def test_noting_changes_nothing() -> None:
    delta = {"tool_calls": [call(**extra("abc"))]}

    Signatures(gemini()).note({"choices": [{"index": 0, "delta": delta}]})

    assert delta == {"tool_calls": [call(**extra("abc"))]}


def test_a_signature_that_the_client_kept_goes_on() -> None:
    assert signatures_sent(gemini(), acting(call(**extra("abc")))) == [["abc"]]


def test_a_call_of_another_model_is_said_to_be_unsigned() -> None:
    turns = [acting(call(), call("t2")), result("t1"), result("t2"), acting(call("t3"))]

    assert signatures_sent(gemini(), *turns) == [[UNSIGNED, None], [UNSIGNED]]


def test_what_was_signed_by_others_is_not_sent() -> None:
    others: Json = {"extra_content": {"acme": {"thought_signature": "abc"}}}
    fields = {"messages": [acting(call(**others), **others)]}

    turn = mend_request(fields, gemini())[0]["messages"][0]

    assert turn == acting(call(**extra(UNSIGNED)))


def test_what_else_google_said_of_a_call_is_kept() -> None:
    said: Json = {"extra_content": {"google": {"x": 1}, "acme": {}}}

    turn = mend_request({"messages": [acting(call(**said))]}, gemini())[0]["messages"][0]

    assert turn["tool_calls"][0]["extra_content"] == {
        "google": {"x": 1, "thought_signature": UNSIGNED}
    }


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "models/gemini-2.0-flash"])
def test_older_models_do_without_a_signature(model: str) -> None:
    assert signatures_sent(gemini(model), acting(call())) == [[None]]


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("vertex", "google/gemini-3-flash"),
        ("cloudflare", "google/gemini-3-flash"),
        ("cloudflare-compat", "google-ai-studio/gemini-3-flash"),
    ],
)
def test_gemini_is_gemini_wherever_it_is(kind: str, model: str) -> None:
    aim = gemini(model, kind)
    hear(aim, {"tool_calls": [call(**extra("abc"))]})

    assert signatures_sent(aim, acting(call())) == [["abc"]]


def test_another_model_in_the_same_place_hears_nothing_of_signatures() -> None:
    fields = {"messages": [acting(call(**extra("abc")), **extra("abc"))]}

    mended = mend_request(fields, gemini("openai/gpt-5-mini", "cloudflare"))[0]

    assert mended == {"messages": [acting(call())]}


@pytest.mark.parametrize(
    ("model", "number"),
    [
        ("gemini-2.5-pro", 2),
        ("gemini-3-flash", 3),
        ("google/gemini-3.8-flash", 3),
        ("gemini-10-ultra", 10),
        ("gemini-flash-latest", 3),
        ("meta/llama-3.3", 0),
        ("gemini", 0),
    ],
)
def test_the_generation_is_read_from_the_name(model: str, number: int) -> None:
    assert generation(model) == number


JSON: list[Json] = [{"type": "json_object"}, {"type": "json_schema", "json_schema": {}}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize("form", JSON, ids=["object", "schema"])
def test_an_older_model_acts_rather_than_write_json(form: Json) -> None:
    fields = {"messages": [HI], "tools": TOOLS, "response_format": form}

    mended, dropped = mend_request(fields, gemini("gemini-2.5-flash"))

    assert (mended, dropped) == ({"messages": [HI], "tools": TOOLS}, ("response_format",))


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gemini-3-flash", {"tools": TOOLS, "response_format": JSON[0]}),
        ("gemini-2.5-flash", {"tools": TOOLS, "response_format": {"type": "text"}}),
        ("gemini-2.5-flash", {"response_format": JSON[0]}),
        ("gemini-2.5-flash", {"tools": [], "response_format": JSON[0]}),
    ],
    ids=["newer", "text", "no tools", "empty tools"],
)
def test_json_is_asked_for_where_nothing_speaks_against_it(model: str, fields: Json) -> None:
    given = {"messages": [HI], **fields}

    assert mend_request(given, gemini(model))[0] is given


@pytest.mark.parametrize(
    ("options", "known"),
    [
        ({"include_usage": True, "include_obfuscation": False}, {"include_usage": True}),
        ({"include_obfuscation": False}, None),
        ({"include_usage": True}, {"include_usage": True}),
    ],
    ids=repr,
)
def test_of_a_streams_options_gemini_knows_one(options: Json, known: Json | None) -> None:
    fields = mend_request({"messages": [HI], "stream_options": options}, gemini())[0]

    assert fields.get("stream_options") == known


@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        ("gemini-3-pro", "none", "minimal"),
        ("google/gemini-3-flash", "max", "high"),
        ("gemini-2.5-pro", "none", "minimal"),
        ("gemini-2.5-flash", "none", "none"),
        ("gemini-2.5-flash", "xhigh", "high"),
        ("gemini-3-flash", "medium", "medium"),
        ("gemma-4", "none", "none"),
        ("gemini-3-flash", ["max"], ["max"]),
    ],
)
def test_an_effort_is_one_that_the_model_knows(model: str, effort: object, said: object) -> None:
    asked = {"messages": [HI], "reasoning_effort": effort}

    assert mend_request(asked, target("gemini", model))[0]["reasoning_effort"] == said


@given(st.lists(CHUNKS.filter(lambda chunk: isinstance(chunk, dict)), max_size=3), st.text())
def test_any_answer_is_noted(chunks: list[Json], signature: str) -> None:
    aim = gemini()
    signatures = Signatures(aim)

    for chunk in chunks:
        signatures.note(chunk)
    hear(aim, {"tool_calls": [call(**extra(signature or "abc"))]})

    assert len(signatures_sent(aim, acting(call()))) == 1


@pytest.mark.parametrize("kind", ["gemini", "vertex"])
def test_the_longest_answer_is_said_under_one_name(kind: str) -> None:
    fields = {"messages": [], "max_tokens": 9, "max_completion_tokens": 9}

    assert mend_request(fields, target(kind)) == ({"messages": [], "max_tokens": 9}, ())
