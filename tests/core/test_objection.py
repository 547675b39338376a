"""Which field a provider refuses, out of the sentences in which they say so."""

from __future__ import annotations

from timeit import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.objection import granted_for_field, granted_tokens, named_field, refuses_field

REFUSALS: list[tuple[str, str | None]] = [
    ('Invalid JSON payload received. Unknown name "seed": Cannot find field.', "seed"),
    (
        "Invalid JSON payload received. Unknown name \"strict\" at 'tools[0].function': "
        "Cannot find field.",
        None,
    ),
    ("Unrecognized request argument supplied: seed", "seed"),
    ("Unrecognized request arguments supplied: seed, user", "seed"),
    ("Unsupported parameter: 'seed' is not supported with this model.", "seed"),
    ("Unknown parameter: 'seed'.", "seed"),
    ("Unknown parameter: 'reasoning.seed'.", None),
    ('json: unknown field "seed"', "seed"),
    ("unknown field `seed`, expected one of `model`, `messages`", "seed"),
    ("seed: Extra inputs are not permitted", "seed"),
    ("messages.0.name: Extra inputs are not permitted", None),
    ("property 'seed' is unsupported", "seed"),
    ("for 'role:user' the following: ('messages.1' : property 'seed' is unsupported)", None),
    ("`seed` is not supported with this model", "seed"),
    ("`temperature` is deprecated for this model.", "temperature"),
    ("Additional properties are not allowed ('seed' was unexpected)", "seed"),
    ("The parameter seed is not supported", "seed"),
    ("top_logprobs is not supported", "top_logprobs"),
    ("Argument not supported on this model: presencePenalty", "presence_penalty"),
    ("Model grok does not support parameter presencePenalty.", "presence_penalty"),
    ("create() got an unexpected keyword argument 'seed'", "seed"),
    ("#: extraneous key [top_k] is not permitted", "top_k"),
    ("[{'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted'}]", "seed"),
    ("This response_format type is unavailable now", "response_format"),
]
VALUES = [
    (
        "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model.",
        "reasoning_effort",
    ),
    ("`temperature` and `top_p` cannot both be specified for this model.", "top_p"),
]
OTHERS = [
    "",
    "role 'system' is not supported on this model",
    "The model 'llama' is not supported",
    "The model `llama` does not exist",
    "seed: Input should be a valid integer",
    "Streaming is not supported",
]


@pytest.mark.parametrize(("text", "field"), [*REFUSALS, *VALUES])
def test_a_field_of_the_request_itself_is_named(text: str, field: str | None) -> None:
    assert named_field(text) == field


@pytest.mark.parametrize("text", OTHERS)
def test_nothing_is_named_where_no_field_is_refused(text: str) -> None:
    assert named_field(text) is None


@pytest.mark.parametrize(("text", "field"), [row for row in REFUSALS if row[1]])
def test_it_is_known_that_a_field_is_not_taken(text: str, field: str) -> None:
    assert refuses_field(text, field)


@pytest.mark.parametrize(("text", "field"), [*VALUES, *((text, "seed") for text in OTHERS)])
def test_a_wrong_value_says_nothing_of_the_field(text: str, field: str) -> None:
    assert not refuses_field(text, field)


@pytest.mark.parametrize("opening", ["", "Error: ", "400 Bad Request: ", "ValidationError: json: "])
def test_what_opens_every_error_may_stand_before(opening: str) -> None:
    assert named_field(f"{opening}Unknown parameter: 'seed'.") == "seed"


@pytest.mark.parametrize("opening", ["You wrote: ", "Invalid schema for function 'f': ", "seed, "])
def test_what_is_said_later_names_nothing(opening: str) -> None:
    assert named_field(f"{opening}'seed' is not supported") is None


def test_a_field_that_is_stated_may_be_refused_later() -> None:
    assert refuses_field("This will not do: 'seed' is not supported", "seed")


def test_a_grant_for_a_field_that_is_stated_may_come_later_but_in_no_quotes() -> None:
    assert granted_for_field("Sorry, at most: less than or equal to 4096") == 4096
    assert granted_for_field("Not 'less than or equal to 4096'") is None


def test_a_field_of_which_only_the_default_is_taken_is_not() -> None:
    assert refuses_field(
        "Unsupported value: 'temperature' does not support 0.2 with this model. "
        "Only the default (1) value is supported.",
        "temperature",
    )


LENGTHS = [
    (
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, "
        "whereas you provided 100000.",
        16384,
    ),
    (
        "Invalid 'max_tokens': integer above maximum value. Expected a value <= 16384, "
        "but got 100000 instead.",
        16384,
    ),
    ("max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens", 8192),
    ("`max_tokens` must be less than or equal to `8192`, the maximum value for it", 8192),
    ("max_completion_tokens must be less than or equal to 4096", 4096),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192),
    ("The maximum tokens you requested exceeds the model limit of 4096.", 4096),
    (
        "it has a maxOutputTokens value of 100000 but the supported range is from 1 (inclusive) "
        "to 65537 (exclusive).",
        65536,
    ),
    ("This model's maximum context length is 8192 tokens, you requested 9000", None),
    ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9000", None),
    ("max_tokens is required", None),
]


@pytest.mark.parametrize(("text", "granted"), LENGTHS)
def test_the_longest_answer_is_read(text: str, granted: int | None) -> None:
    assert granted_tokens(text) == granted


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    assert named_field(text) is None or isinstance(refuses_field(text, "seed"), bool)
    assert granted_tokens(text) is None


@pytest.mark.parametrize(
    "part",
    ["a", "a.", "a_", "'a' ", "unknown name ", "max_tokens ", "(", " 'a", " `'\"", "error: "],
)
def test_a_long_complaint_takes_no_more_than_a_moment(part: str) -> None:
    text = (part * 2_000)[:2_000]

    assert min(repeat(lambda: named_field(text), number=1, repeat=5)) < 0.05
    assert min(repeat(lambda: refuses_field(text, "a"), number=1, repeat=5)) < 0.05
