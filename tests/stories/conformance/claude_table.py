"""What Claude hears of each field of a chat request: the table of the Messages API, row by row."""

from __future__ import annotations

from typing import Any, NamedTuple

from sidecar.dialects.dialect import Json
from sidecar.dialects.legal import safe_id
from tests.dialects.anthropic.requests import (
    assistant,
    call,
    function,
    result,
    returned,
    system,
    text,
    turn,
    used,
    user,
)
from tests.stories.conformance.claude import NEWEST, OLDER
from tests.stories.voices import PNG

ANCIENT = "claude-3-7-sonnet-20250219"
OPUS_4_5 = "claude-opus-4-5"
PDF = "JVBERi0xLjQK"
UNNAMED = safe_id("")  # the id of a call that has none
MARK = {"cache_control": {"type": "ephemeral"}}
HI = turn("user", text("Hi."))


class Row(NamedTuple):
    """What the application asks, and what Claude hears in place of or beside the plain request."""

    asked: Json
    heard: Json
    dropped: tuple[str, ...] = ()


def told(*messages: Json, **heard: Any) -> tuple[Json, Json]:
    """A row about messages: those of the application."""
    return {"messages": list(messages)}, heard


def tools(*offered: Json, **heard: Any) -> tuple[Json, Json]:
    """A row about tools."""
    return {"tools": list(offered)}, heard


def marked(words: str) -> Json:
    return {**text(words), **MARK}


CITY: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = function("weather", description="It tells.", parameters=CITY)
HEARD_WEATHER = {"name": "weather", "description": "It tells.", "input_schema": CITY}
TIME = function("time")
HEARD_TIME = {"name": "time", "input_schema": {"type": "object", "properties": {}}}
# A tool of the past is still declared, and not to be called.
PAST = {
    "tools": [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}],
    "tool_choice": {"type": "none"},
}
PARIS = '{"city":"Paris"}'
ADAPTIVE = {"type": "adaptive"}


def image(url: str, **more: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**members: str) -> Json:
    return {"type": "file", "file": members}


def chosen(choice: Any) -> Json:
    return {"tools": [WEATHER, TIME], "tool_choice": choice}


def offered(choice: Json) -> Json:
    return {"tools": [HEARD_WEATHER, HEARD_TIME], "tool_choice": choice}


THEMES: dict[str, tuple[str, dict[str, Row]]] = {
    "how long": (
        NEWEST,
        {
            "as advised": Row({}, {}),
            "max_tokens": Row({"max_tokens": 5}, {"max_tokens": 5}),
            "max_completion_tokens": Row({"max_completion_tokens": 7}, {"max_tokens": 7}),
            "more than the model can": Row({"max_tokens": 10**7}, {"max_tokens": 128_000}),
        },
    ),
    "who instructs": (
        NEWEST,
        {
            "system and developer at the start": Row(
                *told(
                    system("Be kind."),
                    {"role": "developer", "content": "Be brief."},
                    user("Hi."),
                    system="Be kind.\n\nBe brief.",
                )
            ),
            "marked for the cache": Row(
                *told(
                    system([marked("Be kind.")]),
                    user("Hi."),
                    system=[marked("Be kind.")],
                )
            ),
            "a breakpoint of OpenAI's": Row(
                *told(
                    user([{**text("Hi."), "prompt_cache_breakpoint": {"mode": "explicit"}}]),
                    messages=[turn("user", marked("Hi."))],
                )
            ),
        },
    ),
    "whose turn": (
        NEWEST,
        {
            "a name": Row(*told({**user("Hi."), "name": "Ann"})),
            "one side twice": Row(
                *told(user("Hi."), user("You?"), messages=[turn("user", text("Hi."), text("You?"))])
            ),
            "the assistant first": Row(
                *told(
                    assistant("Hello."),
                    user("Hi."),
                    messages=[
                        turn("user", text("(an empty message)")),
                        turn("assistant", text("Hello.")),
                        HI,
                    ],
                )
            ),
            "blank text": Row(
                *told(
                    user("Hi."),
                    assistant("  "),
                    user([text(""), text("You?")]),
                    messages=[turn("user", text("Hi."), text("You?"))],
                )
            ),
            "reasoning of somebody else": Row(
                *told(
                    user("Hi."),
                    {"role": "assistant", "content": "Hello.", "reasoning_content": "Hm."},
                    user("Bye."),
                    messages=[HI, turn("assistant", text("Hello.")), turn("user", text("Bye."))],
                )
            ),
            "a refusal": Row(
                *told(
                    user("Hi."),
                    {"role": "assistant", "content": None, "refusal": "No."},
                    user("Bye."),
                    messages=[HI, turn("assistant", text("No.")), turn("user", text("Bye."))],
                )
            ),
            "an answer begun, which is refused": Row(
                *told(
                    user("Hi."),
                    assistant("Hel "),
                    messages=[
                        turn(
                            "user",
                            text("Hi."),
                            text(
                                "Your answer has been begun. Go on exactly where it ends,"
                                " and repeat nothing of it:\nHel"
                            ),
                        )
                    ],
                )
            ),
        },
    ),
    "an answer begun": (
        OLDER,
        {
            "ends without a blank": Row(
                *told(user("Hi."), assistant("Hel "), messages=[HI, turn("assistant", text("Hel"))])
            ),
        },
    ),
    "calls and results": (
        NEWEST,
        {
            "together, before any text": Row(
                *told(
                    user("Hi."),
                    assistant("Look:", call("a", "weather", PARIS), call("b", "weather", "")),
                    result("b", "cold"),
                    result("a", [text("warm")]),
                    user("So?"),
                    messages=[
                        HI,
                        turn(
                            "assistant",
                            text("Look:"),
                            used("a", "weather", {"city": "Paris"}),
                            used("b", "weather"),
                        ),
                        turn(
                            "user",
                            returned("b", "cold"),
                            returned("a", [text("warm")]),
                            text("So?"),
                        ),
                    ],
                    **PAST,
                )
            ),
            "arguments that are no JSON": Row(
                *told(
                    user("Hi."),
                    assistant(None, call("a", "weather", '{"city"')),
                    result("a"),
                    messages=[
                        HI,
                        turn("assistant", used("a", "weather", {"_raw": '{"city"'})),
                        turn("user", returned("a")),
                    ],
                    **PAST,
                )
            ),
            "a result that is missing": Row(
                *told(
                    user("Hi."),
                    assistant(None, call("a", "weather")),
                    user("Never mind."),
                    messages=[
                        HI,
                        turn("assistant", used("a", "weather")),
                        turn(
                            "user",
                            {
                                **returned(
                                    "a", "There is no result: the call was not carried out."
                                ),
                                "is_error": True,
                            },
                            text("Never mind."),
                        ),
                    ],
                    **PAST,
                )
            ),
            "a result with an image": Row(
                *told(
                    user("Hi."),
                    assistant(None, call("a", "weather")),
                    result("a", [image("https://example.com/a.png")]),
                    messages=[
                        HI,
                        turn("assistant", used("a", "weather")),
                        turn(
                            "user",
                            returned(
                                "a",
                                [
                                    {
                                        "type": "image",
                                        "source": {
                                            "type": "url",
                                            "url": "https://example.com/a.png",
                                        },
                                    }
                                ],
                            ),
                        ),
                    ],
                    **PAST,
                )
            ),
            "a deprecated function": Row(
                *told(
                    user("Hi."),
                    {
                        "role": "assistant",
                        "content": None,
                        "function_call": {"name": "weather", "arguments": PARIS},
                    },
                    {"role": "function", "name": "weather", "content": "warm"},
                    messages=[
                        HI,
                        turn("assistant", used(UNNAMED, "weather", {"city": "Paris"})),
                        turn("user", returned(UNNAMED, "warm")),
                    ],
                    **PAST,
                )
            ),
        },
    ),
    "images and files": (
        NEWEST,
        {
            "an image by its data": Row(
                *told(
                    user([image(f"data:image/png;base64,{PNG}", detail="high")]),
                    messages=[
                        turn(
                            "user",
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": PNG,
                                },
                            },
                        )
                    ],
                )
            ),
            "an image by its address": Row(
                *told(
                    user([image("https://example.com/a.png", detail="low")]),
                    messages=[
                        turn(
                            "user",
                            {
                                "type": "image",
                                "source": {"type": "url", "url": "https://example.com/a.png"},
                            },
                        )
                    ],
                )
            ),
            "a PDF": Row(
                *told(
                    user([file(filename="a.pdf", file_data=f"data:application/pdf;base64,{PDF}")]),
                    messages=[
                        turn(
                            "user",
                            {
                                "type": "document",
                                "source": {
                                    "type": "base64",
                                    "media_type": "application/pdf",
                                    "data": PDF,
                                },
                                "title": "a.pdf",
                            },
                        )
                    ],
                )
            ),
            "plain text": Row(
                *told(
                    user([file(file_data="data:text/plain;base64,SGku")]),
                    messages=[
                        turn(
                            "user",
                            {
                                "type": "document",
                                "source": {
                                    "type": "text",
                                    "media_type": "text/plain",
                                    "data": "Hi.",
                                },
                            },
                        )
                    ],
                )
            ),
        },
    ),
    "plain options": (
        NEWEST,
        {
            "stop": Row({"stop": "END"}, {"stop_sequences": ["END"]}),
            "blank stop": Row({"stop": ["END", "\n"]}, {"stop_sequences": ["END"]}, ("stop",)),
            "user": Row({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
            "safety_identifier": Row(
                {"safety_identifier": "s-1"}, {"metadata": {"user_id": "s-1"}}
            ),
            "an address": Row({"user": "ann@example.com"}, {}, ("user",)),
            "auto": Row({"service_tier": "auto"}, {"service_tier": "auto"}),
            "default": Row({"service_tier": "default"}, {"service_tier": "standard_only"}),
            "fast": Row({"service_tier": "fast"}, {"speed": "fast"}),
            "flex": Row({"service_tier": "flex"}, {}, ("service_tier",)),
        },
    ),
    "no counterpart": (
        NEWEST,
        {
            name: Row({name: value}, {}, (name,))
            for name, value in {
                "logprobs": True,
                "top_logprobs": 2,
                "logit_bias": {"1": 2},
                "seed": 7,
                "frequency_penalty": 0.5,
                "presence_penalty": 0.5,
                "prediction": {"type": "content", "content": "x"},
                "verbosity": "low",
                "store": True,
                "metadata": {"a": "b"},
                "prompt_cache_key": "k",
                "web_search_options": {},
            }.items()
        },
    ),
    "tools": (
        NEWEST,
        {
            "a schema": Row(*tools(WEATHER, tools=[HEARD_WEATHER])),
            "none": Row(*tools(TIME, tools=[HEARD_TIME])),
            "strict": Row(
                *tools(
                    function(
                        "weather",
                        strict=True,
                        parameters={
                            "type": "object",
                            "properties": {"city": {"type": "string", "minLength": 1}},
                        },
                    ),
                    tools=[{"name": "weather", "input_schema": CITY, "strict": True}],
                )
            ),
            "deprecated functions": Row(
                {"functions": [WEATHER["function"]], "function_call": "auto"},
                {"tools": [HEARD_WEATHER], "tool_choice": {"type": "auto"}},
            ),
            "forced where none may be": Row(
                {"tools": [WEATHER], "tool_choice": "required"},
                {"tools": [HEARD_WEATHER], "tool_choice": {"type": "auto"}},
                ("tool_choice",),
            ),
        },
    ),
    "choice of tools": (
        OLDER,
        {
            "none": Row(chosen("none"), offered({"type": "none"})),
            "auto": Row(chosen("auto"), offered({"type": "auto"})),
            "required": Row(chosen("required"), offered({"type": "any"})),
            "one": Row(
                chosen({"type": "function", "function": {"name": "time"}}),
                offered({"type": "tool", "name": "time"}),
            ),
            "some": Row(
                chosen(
                    {
                        "type": "allowed_tools",
                        "allowed_tools": {
                            "mode": "required",
                            "tools": [{"type": "function", "function": {"name": "time"}}],
                        },
                    }
                ),
                {"tools": [HEARD_TIME], "tool_choice": {"type": "any"}},
            ),
            "one at a time": Row(
                {"tools": [TIME], "parallel_tool_calls": False},
                {
                    "tools": [HEARD_TIME],
                    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
                },
            ),
            "none, one at a time": Row(
                {"tools": [TIME], "tool_choice": "none", "parallel_tool_calls": False},
                {"tools": [HEARD_TIME], "tool_choice": {"type": "none"}},
            ),
            "forced while it thinks": Row(
                {"tools": [TIME], "tool_choice": "required", "reasoning_effort": "low"},
                {
                    "tools": [HEARD_TIME],
                    "tool_choice": {"type": "auto"},
                    "thinking": {"type": "enabled", "budget_tokens": 2048},
                },
                ("tool_choice",),
            ),
        },
    ),
    "form": (
        NEWEST,
        {
            "text": Row({"response_format": {"type": "text"}}, {}),
            "any JSON": Row(
                {"response_format": {"type": "json_object"}},
                {
                    "system": "Answer with a single JSON object and nothing else:"
                    " no Markdown, no words around it."
                },
            ),
            "a schema": Row(
                {
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {"name": "n", "strict": True, "schema": CITY},
                    }
                },
                {"output_config": {"format": {"type": "json_schema", "schema": CITY}}},
            ),
        },
    ),
    "form, of who knows none": (
        ANCIENT,
        {
            "a schema": Row(
                {
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {"name": "n", "schema": CITY},
                    }
                },
                {
                    "tools": [
                        {
                            "name": "answer",
                            "description": "Gives the answer. Call it once, with the whole answer.",
                            "input_schema": CITY,
                        }
                    ],
                    "tool_choice": {"type": "tool", "name": "answer"},
                },
            ),
        },
    ),
    "effort": (
        "claude-opus-5",
        {
            effort: Row({"reasoning_effort": effort}, heard)
            for effort, heard in {
                "none": {"thinking": {"type": "disabled"}},
                "minimal": {"thinking": ADAPTIVE, "output_config": {"effort": "low"}},
                "low": {"thinking": ADAPTIVE, "output_config": {"effort": "low"}},
                "medium": {"thinking": ADAPTIVE, "output_config": {"effort": "medium"}},
                "high": {"thinking": ADAPTIVE, "output_config": {"effort": "high"}},
                "xhigh": {"thinking": ADAPTIVE, "output_config": {"effort": "xhigh"}},
                "max": {"thinking": ADAPTIVE, "output_config": {"effort": "max"}},
            }.items()
        },
    ),
    "effort, of who cannot but think": (
        "claude-fable-5-2",
        {
            "none": Row({"reasoning_effort": "none"}, {"output_config": {"effort": "low"}}),
        },
    ),
    "effort, of who has fewer levels": (
        OPUS_4_5,
        {
            "max": Row(
                {"reasoning_effort": "max", "max_tokens": 20_000},
                {
                    "max_tokens": 20_000,
                    "thinking": {"type": "enabled", "budget_tokens": 10_000},
                    "output_config": {"effort": "high"},
                },
            ),
            "no room": Row(
                {"reasoning_effort": "low", "max_tokens": 1500},
                {"max_tokens": 1500, "output_config": {"effort": "low"}},
                ("reasoning_effort",),
            ),
        },
    ),
}
