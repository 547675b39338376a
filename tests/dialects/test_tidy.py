"""Chunks that clients choke on, mended."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.dialects.openai import StreamReader

Json = dict[str, Any]


def tidied(*deltas: Json, finish: str | None = None) -> list[Json]:
    """The choices of a stream of `deltas` as they go on, the last one finished."""
    reader = StreamReader("s1")
    last = len(deltas) - 1
    chunks = [
        {"choices": [{"index": 0, "delta": one, "finish_reason": finish if at == last else None}]}
        for at, one in enumerate(deltas)
    ]
    return [orjson.loads(reader.read(orjson.dumps(one))[1])["choices"][0] for one in chunks]


def calls_of(choices: list[Json]) -> list[Json]:
    return [call for choice in choices for call in choice["delta"].get("tool_calls", ())]


def call(arguments: str = "", **fields: Any) -> Json:
    name = fields.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"function": function, **fields}]}


def test_a_clean_chunk_goes_on_as_the_very_bytes_it_came_in() -> None:
    data = b'{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}], "x": 1}'

    assert StreamReader("s1").read(data)[1] is data


def test_a_role_is_said_once() -> None:
    roles = [
        choice["delta"].get("role")
        for choice in tidied({"role": "assistant"}, {"role": "assistant"})
    ]

    assert roles == ["assistant", None]


def test_choices_that_are_null_become_a_list() -> None:
    data = StreamReader("s1").read(b'{"choices":null,"usage":{"prompt_tokens":1}}')[1]

    assert orjson.loads(data)["choices"] == []


def test_an_id_and_a_name_are_said_once() -> None:
    first, second = calls_of(
        tidied(
            call("{", index=0, id="t1", type="function", name="f"),
            call("}", index=0, id="t1", type="function", name="f"),
        )
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
    assert [one["index"] for one in calls_of(tidied(*deltas))] == indexes


def test_a_missing_id_is_made_up_once_and_unique() -> None:
    calls = calls_of(tidied(call(id="", name="f"), call("{}"), call(id="", name="g")))

    assert [one.get("id") for one in calls] == ["call_s1_0", None, "call_s1_1"]
    assert calls[0]["type"] == "function"


def test_an_answer_that_called_a_tool_finishes_so() -> None:
    assert tidied(call(id="a", name="f"), {}, finish="stop")[-1]["finish_reason"] == "tool_calls"


def test_an_answer_without_a_tool_call_just_stops() -> None:
    assert tidied({"content": "Hi"}, {}, finish="stop")[-1]["finish_reason"] == "stop"


def test_content_in_parts_becomes_text() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}]

    assert tidied({"content": parts})[0]["delta"]["content"] == "Hi"


def test_entries_of_other_lists_get_an_index() -> None:
    details = tidied({"reasoning_details": [{"text": "Hm"}]})[0]["delta"]["reasoning_details"]

    assert details == [{"text": "Hm", "index": 0}]
