"""Chunks that clients choke on, mended."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk, ParsedChatCompletion

from sidecar.dialects.tidy import Tidier, normal_usage
from tests.dialects.test_anything import CHUNKS

Json = dict[str, Any]
CLEAN = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}


def chunks_of(*deltas: object, finish: str | None = None) -> list[Json]:
    """A stream of `deltas`, the last one finished."""
    last = len(deltas) - 1
    return [
        {"choices": [{"index": 0, "delta": one, "finish_reason": finish if at == last else None}]}
        for at, one in enumerate(deltas)
    ]


def tidied(chunks: list[Json]) -> list[Json]:
    """The first choices of a stream as they go on."""
    tidier = Tidier("s1")
    for chunk in chunks:
        tidier.tidy(chunk)
    return [chunk["choices"][0] for chunk in chunks]


def deltas_of(*deltas: object) -> list[Json]:
    return [choice["delta"] for choice in tidied(chunks_of(*deltas))]


def finishes_of(*deltas: object, finish: str) -> list[Any]:
    return [choice["finish_reason"] for choice in tidied(chunks_of(*deltas, finish=finish))]


def calls_of(*deltas: object) -> list[Json]:
    return [call for delta in deltas_of(*deltas) for call in delta.get("tool_calls", ())]


def call(arguments: object = "", **fields: Any) -> Json:
    name = fields.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"function": function, **fields}]}


CLEAN_CHUNKS: list[tuple[str, Json]] = [
    ("text", {"choices": [CLEAN], "x": 1}),
    ("no choices, as Azure begins", {"choices": [], "prompt_filter_results": []}),
    ("usage", {"choices": [], "usage": {"prompt_tokens": 1}}),
    ("obfuscation", {"choices": [CLEAN], "obfuscation": "aB3"}),
    ("a completion's text", {"choices": [{"index": 0, "text": "Hi", "finish_reason": None}]}),
    (
        "a tool call",
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "role": "assistant",
                        "tool_calls": [
                            {
                                "index": 0,
                                "id": "t1",
                                "type": "function",
                                "function": {"name": "f", "arguments": "{}"},
                            }
                        ],
                    },
                    "finish_reason": "tool_calls",
                }
            ]
        },
    ),
    (
        "a tag of thinking",
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "<think>Hm"}}]},
    ),
]


@pytest.mark.parametrize(
    "chunk", [row[1] for row in CLEAN_CHUNKS], ids=[row[0] for row in CLEAN_CHUNKS]
)
def test_a_clean_chunk_is_left_alone(chunk: Json) -> None:
    chunk = {"object": "chat.completion.chunk", **chunk}
    before = orjson.dumps(chunk)

    assert (Tidier("s1").tidy(chunk), orjson.dumps(chunk)) == (False, before)


def test_a_role_is_said_once() -> None:
    said = deltas_of({"role": "assistant"}, {"role": "assistant", "content": "Hi"})

    assert said == [{"role": "assistant"}, {"content": "Hi"}]


@pytest.mark.parametrize("first", [{}, {"role": None}, {"role": ""}], ids=repr)
def test_a_role_that_nobody_said_is_the_assistants(first: Json) -> None:
    assert deltas_of(first, {"content": "Hi"}) == [{"role": "assistant"}, {"content": "Hi"}]


def test_each_choice_has_its_role() -> None:
    choices: list[Json] = [{"index": at, "delta": {"content": "Hi"}} for at in (0, 1)]

    Tidier("s1").tidy({"choices": choices})

    assert [choice["delta"]["role"] for choice in choices] == ["assistant", "assistant"]


def test_a_chunk_that_does_not_say_what_it_is_says_so() -> None:
    chunk: Json = {"choices": [CLEAN]}

    assert Tidier("s1").tidy(chunk)
    assert chunk["object"] == "chat.completion.chunk"


def test_a_text_completion_is_not_called_a_chunk_of_a_chat() -> None:
    chunk: Json = {"choices": [{"index": 0, "text": "Hi"}]}

    assert not Tidier("s1").tidy(chunk)


@pytest.mark.parametrize("choices", [None, {}, "x"], ids=repr)
def test_choices_that_are_no_list_become_one(choices: object) -> None:
    chunk = {"choices": choices, "usage": {"prompt_tokens": 1}}

    assert (Tidier("s1").tidy(chunk), chunk["choices"]) == (True, [])


def test_what_is_no_choice_is_taken_out() -> None:
    chunk: Json = {"choices": [None, CLEAN, "x"]}

    assert (Tidier("s1").tidy(chunk), chunk["choices"]) == (True, [CLEAN])


@pytest.mark.parametrize("delta", [None, "x", []], ids=repr)
def test_a_choice_without_a_delta_gets_an_empty_one(delta: object) -> None:
    assert deltas_of({"role": "assistant"}, delta) == [{"role": "assistant"}, {}]


@pytest.mark.parametrize("index", [None, "0", True], ids=repr)
def test_a_choice_without_an_index_is_the_first(index: object) -> None:
    assert tidied([{"choices": [CLEAN | {"index": index}]}])[0]["index"] == 0


def test_an_id_and_a_name_are_said_once() -> None:
    first, second = calls_of(
        call("{", index=0, id="t1", type="function", name="f"),
        call("}", index=0, id="t1", type="function", name="f"),
    )

    assert first["id"] == "t1"
    assert second == {"index": 0, "function": {"arguments": "}"}}


NUMBERINGS: list[tuple[str, list[Json], list[int]]] = [
    ("from one", [call(index=1, id="a", name="f"), call(index=2, id="b", name="g")], [0, 1]),
    ("none", [call(id="a", name="f"), call(id="b", name="g")], [0, 1]),
    ("null", [call(index=None, id="a", name="f"), call("{}", index=None)], [0, 0]),
    ("all zero", [call(index=0, id="a", name="f"), call(index=0, id="b", name="g")], [0, 1]),
    ("all zero, no ids", [call(index=0, id="", name="f"), call(index=0, name="g")], [0, 1]),
    ("none, no ids", [call(name="f"), call("{}"), call(name="g")], [0, 0, 1]),
    (
        "interleaved",
        [call(index=3, id="a", name="f"), call(index=7, id="b", name="g"), call("1", index=3)],
        [0, 1, 0],
    ),
]


@pytest.mark.parametrize(
    ("deltas", "indexes"), [row[1:] for row in NUMBERINGS], ids=[row[0] for row in NUMBERINGS]
)
def test_tool_calls_are_numbered_densely(deltas: list[Json], indexes: list[int]) -> None:
    assert [one["index"] for one in calls_of(*deltas)] == indexes


def test_a_missing_id_is_made_up_once_and_unique() -> None:
    calls = calls_of(call(id="", name="f"), call("{}"), call(id=7, name="g"))

    assert [one.get("id") for one in calls] == ["call_s1_0", None, "call_s1_1"]


@pytest.mark.parametrize(
    ("given", "kind"),
    [(call(id="a", name="f"), "function"), ({"tool_calls": [{"custom": {}}]}, "custom")],
    ids=["function", "custom"],
)
def test_a_missing_type_is_told_by_what_is_called(given: Json, kind: str) -> None:
    assert calls_of(given)[0]["type"] == kind


def test_arguments_that_are_an_object_become_text() -> None:
    assert calls_of(call({"a": [1]}, name="f"))[0]["function"]["arguments"] == '{"a":[1]}'


def test_what_is_no_tool_call_is_taken_out() -> None:
    delta = {"tool_calls": [None, *call(id="a", name="f")["tool_calls"]]}

    assert [one["id"] for one in calls_of(delta)] == ["a"]


def said_at_the_finish(*deltas: Json, finish: str = "tool_calls") -> list[Any]:
    """What the last chunk still says of tool calls."""
    last = tidied(chunks_of(*deltas, finish=finish))[-1]["delta"].get("tool_calls", [])
    return [(one["index"], one["function"]["arguments"]) for one in last]


def test_a_function_called_without_arguments_is_called_with_none_in_json() -> None:
    silent = partial(call, "", id="a", name="f", index=0)

    assert said_at_the_finish(silent(), {}) == [(0, "{}")]
    assert said_at_the_finish(silent()) == [(0, "{}")]
    assert said_at_the_finish(silent(), {"tool_calls": None}, finish="stop") == [(0, "{}")]


def test_a_function_that_was_given_arguments_is_given_no_more() -> None:
    pieces = (call("", id="a", name="f", index=0), call('{"a":1}', index=0))

    assert said_at_the_finish(*pieces, {}) == []


def test_only_the_call_without_arguments_is_given_some() -> None:
    first, second = call("", id="a", name="f", index=0), call("{}", id="b", name="f", index=1)

    assert said_at_the_finish(first, second) == [(1, "{}"), (0, "{}")]


def test_arguments_that_were_cut_short_are_not_made_up() -> None:
    assert said_at_the_finish(call("", id="a", name="f", index=0), {}, finish="length") == []


def test_an_answer_that_called_a_tool_finishes_so() -> None:
    assert finishes_of(call(id="a", name="f"), {}, finish="stop") == [None, "tool_calls"]


def test_an_answer_that_called_a_tool_may_end_otherwise() -> None:
    assert finishes_of(call(id="a", name="f"), {}, finish="length") == [None, "length"]


@pytest.mark.parametrize("delta", [{"content": "Hi"}, {"tool_calls": []}], ids=["text", "empty"])
def test_an_answer_without_a_tool_call_just_stops(delta: Json) -> None:
    assert finishes_of(delta, {}, finish="stop") == [None, "stop"]


def test_an_answer_finishes_once() -> None:
    chunks = [*chunks_of({"content": "Hi"}, {}, finish="stop"), *chunks_of({}, finish="stop")]

    assert [one["finish_reason"] for one in tidied(chunks)] == [None, "stop", None]


def test_one_choice_finishes_after_the_other() -> None:
    tidier = Tidier("s1")
    choices: list[Json] = [{"index": at, "delta": {}, "finish_reason": "stop"} for at in (0, 1)]

    for choice in choices:
        tidier.tidy({"choices": [choice]})

    assert [choice["finish_reason"] for choice in choices] == ["stop", "stop"]


PARTS: list[tuple[str, list[Any], Json]] = [
    ("text", [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}], {"content": "Hi"}),
    ("strings", ["H", "i"], {"content": "Hi"}),
    ("none", [], {"content": ""}),
    (
        "a thought in parts",
        [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}],
        {"content": "", "reasoning_content": "Hm"},
    ),
    (
        "a thought and text",
        [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}],
        {"content": "Hi", "reasoning_content": "Hm"},
    ),
    ("nonsense", [None, 5, {"text": 5}, {"thinking": {}}], {"content": ""}),
]


@pytest.mark.parametrize(
    ("parts", "said"), [row[1:] for row in PARTS], ids=[row[0] for row in PARTS]
)
def test_content_in_parts_becomes_text_and_reasoning(parts: list[Any], said: Json) -> None:
    assert deltas_of({"role": "assistant", "content": parts}) == [{"role": "assistant"} | said]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_stays_where_it_is(name: str) -> None:
    assert deltas_of({"role": "assistant", name: "Hm"}) == [{"role": "assistant", name: "Hm"}]


def test_entries_of_other_lists_get_an_index() -> None:
    details = deltas_of({"reasoning_details": [{"text": "Hm"}]})[0]["reasoning_details"]

    assert details == [{"text": "Hm", "index": 0}]


USAGES: list[tuple[str, Any, Any]] = [
    ("thinking in the total alone", (12, 35, 109), (12, 97, 109)),
    ("no output", (12, None, 109), (12, 97, 109)),
    ("no total", (12, 35, None), (12, 35, 47)),
    ("a total too small", (12, 35, 40), (12, 35, 47)),
    ("nothing but the prompt", (12, None, None), (12, 0, 12)),
    ("no numbers", (12, "35", 47.0), (12, 0, 12)),
]
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


@pytest.mark.parametrize(
    ("counted", "normal"), [row[1:] for row in USAGES], ids=[row[0] for row in USAGES]
)
def test_token_counts_are_made_to_add_up(counted: tuple[Any], normal: tuple[int]) -> None:
    usage = normal_usage({"x": 1, **dict(zip(COUNTS, counted, strict=True))})

    assert usage == {"x": 1, **dict(zip(COUNTS, normal, strict=True))}


@pytest.mark.parametrize(
    "usage",
    [None, 5, [], {}, {"prompt_tokens": "5"}, dict(zip(COUNTS, (12, 35, 47), strict=True))],
    ids=repr,
)
def test_usage_that_adds_up_or_says_nothing_stays(usage: object) -> None:
    assert normal_usage(usage) is usage


def heard(chunks: list[Json]) -> ParsedChatCompletion[None]:
    """What the openai client makes of a stream."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.construct(**chunk))
    return state.get_final_completion()


def test_the_openai_client_understands_a_stream_that_had_it_all() -> None:
    chunks = [
        {"choices": None},
        *chunks_of(
            None,
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm"}]},
            {"role": "assistant", "content": ["Hi"], "reasoning_details": [{"text": "a"}]},
            {"role": "assistant", "reasoning_details": [{"text": "b"}]},
            call("{", index=1, id="", name="f"),
            call("}", index=1, id="", type="function"),
            call({"a": 1}, index=1, id="t2", name="g"),
            {},
            finish="stop",
        ),
        *chunks_of({"role": "assistant"}, finish="stop"),
    ]
    tidier = Tidier("s1")
    for chunk in chunks:
        tidier.tidy(chunk)

    choice = heard(chunks).choices[0]
    message, calls = choice.message, choice.message.tool_calls or []

    assert (message.role, message.content, choice.finish_reason) == (
        "assistant",
        "Hi",
        "tool_calls",
    )
    assert [(one.id, one.function.name, one.function.arguments) for one in calls] == [
        ("call_s1_0", "f", "{}"),
        ("t2", "g", '{"a":1}'),
    ]


@given(st.lists(CHUNKS.filter(lambda chunk: isinstance(chunk, dict)), max_size=4))
def test_any_stream_is_tidied_in_one_go(chunks: list[Json]) -> None:
    tidier = Tidier("s1")
    for chunk in chunks:
        tidier.tidy(chunk)

    again = Tidier("s2")

    assert not any(again.tidy(chunk) for chunk in chunks)


def test_a_call_whose_every_piece_has_another_id_is_one_call() -> None:
    begun = call("", id="a", index=0, name="f")

    said = calls_of(begun, call('{"q"', id="b", index=0), call(":1}", id="c", index=0))

    assert [(one["index"], one.get("id")) for one in said] == [(0, "a"), (0, None), (0, None)]
    assert "".join(one["function"]["arguments"] for one in said) == '{"q":1}'


def test_an_unknown_id_that_names_a_tool_begins_a_call() -> None:
    said = calls_of(call(id="a", index=0, name="f"), call(id="b", index=0, name="g"))

    assert [(one["index"], one["id"]) for one in said] == [(0, "a"), (1, "b")]


def test_a_custom_tool_with_an_id_of_its_own_begins_a_call() -> None:
    custom = {"tool_calls": [{"id": "b", "index": 0, "custom": {"name": "g", "input": ""}}]}

    assert calls_of(call(id="a", index=0, name="f"), custom)[1]["id"] == "b"


@pytest.mark.parametrize(
    "last",
    [
        [{"index": 0}],
        [{"index": 0, "function": None}],
        [{"index": 0, "function": [7]}],
        [{"index": 0, "id": "a", "function": {"name": "f"}}, {"index": 0, "id": "a"}],
    ],
    ids=["nothing", "null", "a list", "one id twice"],
)
def test_a_call_without_arguments_may_end_with_a_piece_of_nothing(last: list[Json]) -> None:
    begun = {"tool_calls": [{"id": "a", "index": 0, "function": {"name": "f"}}]}

    choices = tidied(chunks_of(begun, {"tool_calls": last}, finish="tool_calls"))

    assert choices[-1]["delta"]["tool_calls"][-1]["function"]["arguments"] == "{}"
