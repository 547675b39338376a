"""Requests as each kind of provider takes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.dialect import Target, Untranslatable
from sidecar.dialects.presets import PRESETS
from sidecar.dialects.quirks import MENDS, MENDS_BY_MODEL, mend_request
from tests.dialects.targets import target
from tests.dialects.test_anything import ODD, as_json

Json = dict[str, Any]
HI = {"role": "user", "content": "Hi"}
FUNCTION = {"name": "f", "arguments": "{}"}
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
OPENAI_KINDS = [kind for kind, preset in PRESETS.items() if preset.dialect == "openai"]


def call(name: str = "t1", **fields: Any) -> Json:
    return {"id": name, "type": "function", "function": FUNCTION, **fields}


def acting(*calls: Json, **fields: Any) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": [*calls], **fields}


def result(name: str = "t1") -> Json:
    return {"role": "tool", "tool_call_id": name, "content": "42"}


def sent(to: Target | str, **fields: Any) -> Json:
    """The fields that go to a provider."""
    aim = target(to) if isinstance(to, str) else to
    return mend_request({"messages": [HI], **fields}, aim)[0]


def turns_sent(to: Target | str, *turns: object) -> list[Any]:
    """The messages that go to a provider."""
    turns_found: list[Any] = sent(to, messages=[*turns])["messages"]
    return turns_found


def dropped(to: Target | str, **fields: Any) -> tuple[str, ...]:
    aim = target(to) if isinstance(to, str) else to
    return mend_request({"messages": [HI], **fields}, aim)[1]


PLAIN = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        HI,
        acting(call("abcdefghi")),
        result("abcdefghi"),
    ],
    "tools": TOOLS,
    "tool_choice": "auto",
    "temperature": 0.5,
    "max_tokens": 9,
    "stream": True,
}


@pytest.mark.parametrize("kind", OPENAI_KINDS)
def test_a_plain_request_goes_on_as_the_very_same(kind: str) -> None:
    aim = target(kind, "deepseek-chat")  # which is peculiar to nobody

    assert mend_request(PLAIN, aim) == (PLAIN, ())
    assert mend_request(PLAIN, aim)[0] is PLAIN


def test_every_mend_of_a_preset_is_there_and_every_one_there_is_used() -> None:
    used = {name for preset in PRESETS.values() for name in preset.quirks.mends}

    assert used == {*MENDS, *MENDS_BY_MODEL}


# Fields


STRICT: list[tuple[str, str]] = [
    *(
        ("gemini", name)
        for name in (
            *("store", "metadata", "prediction", "logit_bias", "service_tier", "verbosity"),
            *("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"),
            *("web_search_options", "moderation", "reasoning", "anything"),
        )
    ),
    *(("vertex", name) for name in ("store", "anything")),
    *(("groq", name) for name in ("logprobs", "logit_bias", "top_logprobs", "store", "reasoning")),
    *(("mistral", name) for name in ("store", "user", "logprobs", "anything")),
    *(("huggingface", name) for name in ("store", "metadata")),
    *(("fireworks", name) for name in ("store", "prompt_cache_key")),
    ("openrouter", "models"),
]


@pytest.mark.parametrize(("kind", "name"), STRICT)
def test_a_field_that_would_be_refused_is_dropped_and_named(kind: str, name: str) -> None:
    assert name not in sent(kind, **{name: {}})
    assert dropped(kind, **{name: {}}) == (name,)


@pytest.mark.parametrize("kind", ["openai", "azure", "vllm", "llamacpp", "deepseek", "xai"])
def test_a_field_that_nobody_knows_goes_on_to_who_is_not_strict(kind: str) -> None:
    assert sent(kind, anything=[1])["anything"] == [1]


def test_geminis_own_options_go_on() -> None:
    body = {"google": {"thinking_config": {"include_thoughts": True}}}

    assert sent("gemini", extra_body=body, reasoning_effort="low") == {
        "messages": [HI],
        "extra_body": body,
        "reasoning_effort": "low",
    }


def test_what_was_once_refused_is_dropped() -> None:
    aim = target("openai", without=frozenset(("seed",)))

    assert mend_request({"messages": [HI], "seed": 7}, aim) == ({"messages": [HI]}, ("seed",))


@pytest.mark.parametrize("name", ["messages", "model", "stream"])
def test_a_request_stays_a_request_whatever_was_refused(name: str) -> None:
    aim = target("openai", without=frozenset((name,)))

    assert mend_request(PLAIN, aim)[0] is PLAIN


def test_a_field_of_the_request_that_was_refused_stays_in_messages_and_calls() -> None:
    aim = target("openai", without=frozenset(("name", "id", "arguments")))
    turns = [HI | {"name": "Ada"}, {"role": "assistant", "tool_calls": [{"id": "1", "name": "f"}]}]

    assert turns_sent(aim, *turns) == turns


@pytest.mark.parametrize("kind", ["huggingface", "ollama", "openrouter", "mistral", "deepseek"])
def test_who_knows_only_max_tokens_gets_it(kind: str) -> None:
    assert mend_request({"messages": [HI], "max_completion_tokens": 9}, target(kind)) == (
        {"max_tokens": 9, "messages": [HI]},
        (),
    )


def test_of_two_names_for_the_longest_answer_the_known_one_counts() -> None:
    assert sent("deepseek", max_completion_tokens=9, max_tokens=5)["max_tokens"] == 5


def test_a_name_that_was_refused_gives_way_to_the_other() -> None:
    aim = target("openai", without=frozenset(("max_tokens",)))

    assert mend_request({"messages": [HI], "max_tokens": 9}, aim) == (
        {"max_completion_tokens": 9, "messages": [HI]},
        (),
    )


def test_two_names_that_were_refused_are_dropped() -> None:
    aim = target("openai", without=frozenset(("max_tokens", "max_completion_tokens")))

    assert dropped(aim, max_tokens=9) == ("max_tokens",)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(("asked", "granted"), [(9, 9), (4096, 4096), (9000, 4096), (None, None)])
def test_an_answer_is_not_asked_longer_than_is_granted(
    name: str, asked: int | None, granted: int | None
) -> None:
    assert sent(target("openai", max_tokens=4096), **{name: asked})[name] == granted


@pytest.mark.parametrize(("asked", "granted"), [(3, 3), (20, 5)])
def test_hugging_face_gives_five_logprobs(asked: int, granted: int) -> None:
    assert sent("huggingface", top_logprobs=asked)["top_logprobs"] == granted


def test_mistral_calls_the_seed_otherwise() -> None:
    assert mend_request({"messages": [HI], "seed": 7}, target("mistral")) == (
        {"random_seed": 7, "messages": [HI]},
        (),
    )


def test_mistral_counts_without_being_asked() -> None:
    assert "stream_options" not in sent("mistral", stream_options={"include_usage": True})


@pytest.mark.parametrize("endpoint", [{"prompt": "Hi", "store": 1}, {"input": "Hi", "user": "u"}])
@pytest.mark.parametrize("kind", OPENAI_KINDS)
def test_what_is_no_chat_goes_on(kind: str, endpoint: Json) -> None:
    assert mend_request(endpoint, target(kind))[0] is endpoint


# Tools


def choosing(mode: str, *names: str) -> Json:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize("mode", ["auto", "required"])
@pytest.mark.parametrize("kind", ["xai", "gemini", "groq", "mistral", "vllm"])
def test_who_ignores_a_choice_among_tools_is_shown_only_these(kind: str, mode: str) -> None:
    fields = sent(kind, tools=TOOLS, tool_choice=choosing(mode, "g"))

    assert (fields["tools"], fields["tool_choice"]) == ([TOOLS[1]], mode)


def test_a_choice_among_no_tools_leaves_none() -> None:
    fields = sent("xai", tools=TOOLS, tool_choice=choosing("auto", "h"))

    assert fields == {"messages": [HI]}


def test_a_call_that_is_required_of_no_known_tool_cannot_be_asked_for() -> None:
    with pytest.raises(Untranslatable) as failed:
        sent("xai", tools=TOOLS, tool_choice=choosing("required", "h"))

    assert failed.value.param == "tool_choice"


def test_a_choice_among_tools_goes_on_to_openai() -> None:
    fields = {"messages": [HI], "tools": TOOLS, "tool_choice": choosing("auto", "g")}

    assert mend_request(fields, target("openai"))[0] is fields


def test_ollama_is_not_asked_for_strict_tools() -> None:
    tool = {"type": "function", "function": {"name": "f", "strict": True}}

    assert sent("ollama", tools=[tool, TOOLS[1]])["tools"] == TOOLS


FORCED: list[object] = ["required", {"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize("choice", FORCED, ids=["required", "named"])
def test_deepseek_is_not_forced_while_it_thinks(choice: object) -> None:
    aim = target("deepseek", "deepseek-reasoner")

    assert dropped(aim, tools=TOOLS, tool_choice=choice) == ("tool_choice",)


@pytest.mark.parametrize("choice", FORCED, ids=["required", "named"])
@pytest.mark.parametrize(
    ("model", "fields"),
    [("deepseek-chat", {}), ("deepseek-v4", {"thinking": {"type": "disabled"}})],
    ids=["chat", "disabled"],
)
def test_deepseek_may_be_forced_where_it_does_not_think(
    model: str, fields: Json, choice: object
) -> None:
    assert sent(target("deepseek", model), tool_choice=choice, **fields)["tool_choice"] == choice


def test_a_free_choice_stays() -> None:
    assert (
        sent(target("deepseek", "deepseek-reasoner"), tool_choice="none")["tool_choice"] == "none"
    )


@pytest.mark.parametrize("name", ["call_PTLP8xhu3uwZk4l3nlnrrJha", "t1", "", "äbcdefghi"])
def test_mistral_gets_ids_of_nine_letters_in_call_and_result(name: str) -> None:
    before, after = turns_sent("mistral", acting(call(name)), result(name))

    short = before["tool_calls"][0]["id"]
    assert after["tool_call_id"] == short
    assert (len(short), short.isascii(), short.isalnum()) == (9, True, True)


def test_two_ids_stay_two() -> None:
    turn = turns_sent("mistral", acting(call("t1"), call("t2")))[0]

    assert len({one["id"] for one in turn["tool_calls"]}) == 2


# Messages


@pytest.mark.parametrize("kind", ["gemini", "groq", "mistral", "deepseek", "vllm", "ollama"])
def test_a_developer_speaks_as_the_system(kind: str) -> None:
    assert turns_sent(kind, {"role": "developer", "content": "Be brief."}, HI) == [
        {"role": "system", "content": "Be brief."},
        HI,
    ]


@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_openai_has_developers(kind: str) -> None:
    turns = [{"role": "developer", "content": "Be brief."}, HI]

    assert turns_sent(kind, *turns) == turns


def system(content: object) -> Json:
    return {"role": "system", "content": content}


def user(content: object) -> Json:
    return {"role": "user", "content": content}


HELLO = {"role": "assistant", "content": "Hello"}
MARKED = "<system>\na\n</system>"
SYSTEMS: list[tuple[str, list[Any], list[Any]]] = [
    ("one", [system("a"), HI], [system("a"), HI]),
    ("two", [system("a"), system("b"), HI], [system("a\n\nb"), HI]),
    ("a later one", [HI, HELLO, system("a"), HI], [HI, HELLO, user(f"{MARKED}\n\nHi")]),
    (
        "a developer",
        [system("a"), HI, HELLO, {"role": "developer", "content": "a"}],
        [system("a"), HI, HELLO, user(MARKED)],
    ),
    (
        "a later one in parts",
        [HI, HELLO, system([{"type": "text", "text": "a"}, 7])],
        [HI, HELLO, user([{"type": "text", "text": MARKED}, 7])],
    ),
    ("a later one of nothing", [HI, HELLO, system(None)], [HI, HELLO, user([])]),
    (
        "in parts",
        [system("a"), system([{"type": "text", "text": "b"}])],
        [system([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])],
    ),
    ("none", [HI], [HI]),
]


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
@pytest.mark.parametrize(
    ("turns", "expected"), [row[1:] for row in SYSTEMS], ids=[row[0] for row in SYSTEMS]
)
def test_a_strict_template_gets_one_system_message(
    kind: str, turns: list[Any], expected: list[Any]
) -> None:
    assert turns_sent(kind, *turns) == expected


REPEATS: list[tuple[str, list[Any], list[Any]]] = [
    ("user", [HI, HI], [HI | {"content": "Hi\n\nHi"}]),
    ("assistant", [HI, HELLO, HELLO], [HI, HELLO | {"content": "Hello\n\nHello"}]),
    ("three", [HI, HI, HI], [HI | {"content": "Hi\n\nHi\n\nHi"}]),
    ("by turns", [HI, HELLO, HI], [HI, HELLO, HI]),
    ("results", [acting(call()), result(), result()], [acting(call()), result(), result()]),
    ("calls", [HELLO, acting(call())], [HELLO, acting(call())]),
    ("named", [HI, HI | {"name": "Ann"}], [HI, HI | {"name": "Ann"}]),
]


@pytest.mark.parametrize(
    ("turns", "expected"), [row[1:] for row in REPEATS], ids=[row[0] for row in REPEATS]
)
def test_a_strict_template_sees_both_sides_take_turns(
    turns: list[Any], expected: list[Any]
) -> None:
    assert turns_sent("vllm", *turns) == expected


@pytest.mark.parametrize(
    "kind", [kind for kind in OPENAI_KINDS if kind not in ("gemini", "vertex")]
)
def test_what_another_vendor_signed_is_not_sent(kind: str) -> None:
    signed = {"extra_content": {"google": {"thought_signature": "abc"}}}
    turn = acting(call("abcdefghi", **signed), **signed)

    assert turns_sent(target(kind, "deepseek-chat"), HI, turn)[1] == acting(call("abcdefghi"))


@pytest.mark.parametrize("kind", ["gemini", "groq", "mistral", "azure", "huggingface"])
def test_thoughts_do_not_go_to_who_rejects_them(kind: str) -> None:
    assert turns_sent(kind, HELLO | {"reasoning_content": "Hm"}) == [HELLO]


@pytest.mark.parametrize("kind", ["openai", "openrouter", "vllm"])
def test_thoughts_go_on_to_who_may_want_them(kind: str) -> None:
    turn = HELLO | {"reasoning_content": "Hm"}

    assert turns_sent(kind, turn) == [turn]


@pytest.mark.parametrize("kind", ["gemini", "groq", "mistral"])
def test_who_is_strict_hears_of_a_call_what_makes_it_one(kind: str) -> None:
    odd = acting(call("abcdefghi", index=0, x_new=1))

    assert turns_sent(kind, HI, odd)[1] == acting(call("abcdefghi"))


def test_groq_knows_no_names() -> None:
    assert turns_sent("groq", HI | {"name": "Ann"}) == [HI]


def test_deepseek_gets_its_thoughts_back_where_it_called_tools() -> None:
    hm = {"reasoning_content": "Hm"}
    turns = [HI, HELLO | hm, HI, acting(call(), **hm), result(), HELLO | hm, HI]

    assert turns_sent("deepseek", *turns) == [HI, HELLO, *turns[2:]]


# Anything


NAMES = st.sampled_from(
    (
        *(
            "role",
            "content",
            "tool_calls",
            "id",
            "tool_call_id",
            "extra_content",
            "google",
            "tools",
        ),
        *("tool_choice", "allowed_tools", "stream_options", "response_format", "type", "name"),
        *("max_tokens", "max_completion_tokens", "seed", "function", "strict", "thinking", "mode"),
    )
)
VALUES = st.recursive(
    ODD
    | st.sampled_from(("system", "developer", "user", "assistant", "required", "allowed_tools")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=5).flatmap(
    lambda fields: st.lists(st.dictionaries(NAMES, VALUES, max_size=5) | VALUES, max_size=4).map(
        lambda turns: {**fields, "messages": turns}
    )
)


@given(
    fields=FIELDS,
    kind=st.sampled_from(OPENAI_KINDS),
    model=st.sampled_from(("gemini-3-flash", "gemini-2.5-pro", "deepseek-chat", "m")),
    refused=st.frozensets(NAMES, max_size=2),
)
def test_any_request_is_mended_once_and_stays_as_it_was(
    fields: Json, kind: str, model: str, refused: frozenset[str]
) -> None:
    aim, before = target(kind, model, without=refused, max_tokens=7), as_json(fields)

    try:
        mended = mend_request(fields, aim)[0]
    except Untranslatable:
        mended = fields
    else:
        assert mend_request(mended, aim)[0] == mended
    assert as_json(fields) == before
