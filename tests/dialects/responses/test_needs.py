"""What of a request only a provider's own Responses API can do."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.responses.needs import needs_native
from sidecar.dialects.responses.request import to_chat

FILE = {"type": "input_file", "file_id": "f1"}
NEEDS: list[tuple[str, Json, str]] = [
    ("previous", {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("conversation", {"conversation": {"id": "c1"}}, "conversation"),
    ("prompt", {"prompt": {"id": "p1"}}, "prompt"),
    ("background", {"background": True}, "background"),
    ("compaction", {"context_management": [{"type": "compaction"}]}, "context_management"),
    ("calls of hosted tools", {"max_tool_calls": 3}, "max_tool_calls"),
    ("unknown include", {"include": ["everything"]}, "include"),
    *(
        (kind, {"tools": [{"type": "function", "name": "f"}, {"type": kind}]}, "tools[1].type")
        for kind in (
            *("web_search", "file_search", "code_interpreter", "computer", "image_generation"),
            *("mcp", "shell", "local_shell", "apply_patch", "tool_search", "namespace"),
            *("programmatic_tool_calling", "web_search_preview_2025_03_11"),
        )
    ),
    ("hosted choice", {"tool_choice": {"type": "file_search"}}, "tool_choice.type"),
    (
        "hosted among allowed",
        {"tool_choice": {"type": "allowed_tools", "tools": [{"type": "mcp"}]}},
        "tool_choice.tools[0].type",
    ),
    ("item reference", {"input": [{"id": "msg_1"}]}, "input[0].type"),
    ("item of a hosted tool", {"input": [{"type": "web_search_call"}]}, "input[0].type"),
    ("compacted past", {"input": [{"type": "compaction"}]}, "input[0].type"),
    (
        "file by its id",
        {"input": [{"role": "user", "content": [FILE]}]},
        "input[0].content[0].file_id",
    ),
    (
        "image by its id",
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input[0].content[0].file_id",
    ),
    (
        "unknown part",
        {"input": [{"role": "user", "content": [{"type": "input_smell"}]}]},
        "input[0].content[0].type",
    ),
    (
        "file in an output",
        {"input": [{"type": "function_call_output", "call_id": "t1", "output": [FILE]}]},
        "input[0].output[0].file_id",
    ),
]
IDS = [row[0] for row in NEEDS]


@pytest.mark.parametrize(("fields", "param"), [row[1:] for row in NEEDS], ids=IDS)
def test_it_is_refused_where_there_is_no_such_api(fields: Json, param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        to_chat({"model": "m", "input": "Hi", **fields})

    assert refused.value.param == param


@pytest.mark.parametrize(("fields", "param"), [row[1:] for row in NEEDS], ids=IDS)
def test_the_reason_names_the_field(fields: Json, param: str) -> None:
    where = param.removesuffix(".type")

    assert needs_native({"model": "m", "input": "Hi", **fields}).startswith(f"`{where}`")


def test_the_reason_names_the_type_of_a_hosted_tool() -> None:
    assert "(web_search)" in needs_native({"tools": [{"type": "web_search"}]})


@pytest.mark.parametrize("kind", ["my secret prompt", "x" * 50])
def test_the_reason_repeats_nothing_that_may_be_prose(kind: str) -> None:
    assert kind not in needs_native({"input": [{"type": kind}]})


ENCRYPTED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
HARMLESS: list[tuple[str, Any]] = [
    ("store", True),
    ("truncation", "auto"),
    ("include", ["reasoning.encrypted_content", "message.output_text.logprobs"]),
    ("include", ["file_search_call.results", "web_search_call.action.sources"]),
    ("stream_options", {"include_obfuscation": False}),
    ("prompt_cache_key", "k"),
    ("background", False),
    ("previous_response_id", None),
    ("conversation", None),
    ("context_management", []),
    ("max_tool_calls", None),
    ("tools", [{"type": "custom", "name": "run"}]),
    ("input", [{"role": "user", "content": "Hi"}, ENCRYPTED]),
]


@pytest.mark.parametrize(
    ("name", "value"), HARMLESS, ids=[f"{name} {value!r}"[:40] for name, value in HARMLESS]
)
def test_any_provider_will_do(name: str, value: object) -> None:
    fields = {"model": "m", "input": "Hi", name: value}

    assert needs_native(fields) == ""
    assert to_chat(fields)["messages"] == [{"role": "user", "content": "Hi"}]
