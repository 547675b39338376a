"""What a provider's errors teach about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.failover import Failure
from sidecar.core.learned import LESSON_S, MOST_FIELDS, MOST_LACKS, MOST_MODELS, Learned
from sidecar.core.outcome import Outcome
from sidecar.core.rejection import read_failure

EXTRA = "Extra inputs are not permitted"
MODEL = "gemini-3-flash"
NOW = 50.0
TOO_LONG = "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens"
FIELDS = {"model": MODEL, "messages": [], "seed": 7, "max_tokens": 100_000}


def refusal(
    param: str | None = "seed",
    message: str = "",
    *,
    code: str | None = None,
    outcome: Outcome = Outcome.UNSUPPORTED_PARAM,
) -> Failure:
    text = message or f'Unknown name "{param}": Cannot find field.'
    return Failure(outcome=outcome, status=400, message=text, code=code, param=param)


def learns(failure: Failure, fields: dict[str, Any] | None = None) -> bool:
    return Learned().learn(MODEL, failure, FIELDS if fields is None else fields, NOW)


def after(failure: Failure) -> Learned:
    learned = Learned()
    assert learned.learn(MODEL, failure, FIELDS, NOW)
    return learned


def test_nothing_is_known_from_the_start() -> None:
    learned = Learned()

    assert (learned.without(MODEL, NOW), learned.max_tokens(MODEL, NOW)) == (frozenset(), None)


# Fields


def test_a_field_that_is_refused_is_left_out_from_then_on() -> None:
    assert after(refusal()).without(MODEL, NOW) == {"seed"}


def test_what_one_model_refuses_another_may_take() -> None:
    assert after(refusal()).without("gemini-3-pro", NOW) == frozenset()


def test_what_is_known_already_is_not_worth_another_try() -> None:
    assert not after(refusal()).learn(MODEL, refusal(), FIELDS, NOW)


def test_a_second_field_is_learned_beside_the_first() -> None:
    learned = after(refusal())

    assert learned.learn(MODEL, refusal("user"), {**FIELDS, "user": "u"}, NOW)
    assert learned.without(MODEL, NOW) == {"seed", "user"}


@pytest.mark.parametrize("code", ["unsupported_parameter", "unknown_parameter", "extra_forbidden"])
def test_a_code_is_as_good_as_a_sentence(code: str) -> None:
    assert learns(refusal(message="No.", code=code))


KEPT = [
    *("model", "messages", "input", "prompt", "instructions", "system", "stream", "tools"),
    *("tool_choice", "response_format", "n", "stop", "modalities", "text", "dimensions"),
    *("previous_response_id", "web_search_options", "functions", "max_tokens"),
]


@pytest.mark.parametrize("name", KEPT)
def test_what_makes_it_another_answer_is_never_left_out(name: str) -> None:
    assert not learns(refusal(name), {name: 1})


DROPPED = [
    *("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias"),
    *("store", "user", "metadata", "reasoning_effort", "verbosity", "parallel_tool_calls"),
    *("prompt_cache_key", "service_tier", "stream_options", "logprobs", "top_k", "unheard_of"),
]


@pytest.mark.parametrize("name", DROPPED)
def test_sampling_and_hints_are_left_out(name: str) -> None:
    assert learns(refusal(name), {name: 1})


def test_one_name_for_the_longest_answer_is_given_up_for_the_other() -> None:
    said = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead."
    )

    assert learns(refusal("max_tokens", said))


UNTAUGHT: list[tuple[str, Failure]] = [
    ("another class", refusal(outcome=Outcome.BAD_REQUEST)),
    ("no field named", refusal(None, "Something is wrong.")),
    ("a field that was not sent", refusal("user")),
    ("a field within another", refusal("messages[0].name")),
    ("a wrong value", refusal(message="seed: Input should be a valid integer")),
    (
        "a value of several",
        refusal(
            message="Unsupported value: 'seed' does not support 'x' with this model.",
            code="unsupported_value",
        ),
    ),
]


@pytest.mark.parametrize("failure", [row[1] for row in UNTAUGHT], ids=[row[0] for row in UNTAUGHT])
def test_nothing_is_learned_from(failure: Failure) -> None:
    assert not learns(failure)


# The longest answer


def test_the_longest_answer_is_learned() -> None:
    assert after(refusal(None, TOO_LONG)).max_tokens(MODEL, NOW) == 8192


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_it_may_be_asked_for_under_any_name(name: str) -> None:
    assert learns(refusal(None, TOO_LONG), {name: 8193})


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 8192}, {"max_tokens": None}])
def test_a_shorter_answer_than_granted_teaches_nothing(fields: dict[str, Any]) -> None:
    assert not learns(refusal(None, TOO_LONG), fields)


def test_pydantic_says_it_of_the_field() -> None:
    said = "Input should be less than or equal to 4096"

    assert after(refusal("max_tokens", said)).max_tokens(MODEL, NOW) == 4096


@pytest.mark.parametrize(("second", "known"), [(4096, 4096), (9999, 8192)])
def test_only_a_smaller_limit_replaces_what_is_known(second: int, known: int) -> None:
    learned = after(refusal(None, TOO_LONG))

    learned.learn(MODEL, refusal(None, TOO_LONG.replace("8192", str(second))), FIELDS, NOW)

    assert learned.max_tokens(MODEL, NOW) == known


# What a lesson is not to be taken from


ECHOES: list[tuple[str, Any]] = [
    (
        "vLLM repeats the input",
        {
            "message": "[{'type': 'int_parsing', 'loc': ('body', 'seed'), 'msg': 'Not an integer', "
            "'input': 'max_tokens must be less than or equal to 300; seed: " + EXTRA + "'}]",
            "code": 400,
        },
    ),
    (
        "pydantic repeats it, and its own limit is about another field",
        {"detail": [{"loc": ["body", "n"], "msg": "max_tokens must be at most 300"}]},
    ),
    ("in quotes", {"error": {"message": "Invalid content 'seed is not supported'", "code": 400}}),
    (
        "in quotes, of a field that is stated",
        {"error": {"message": f"Invalid 'seed': 'seed: {EXTRA}' is no number", "param": "seed"}},
    ),
    (
        "another is refused than is stated",
        {"error": {"message": "Invalid: 'top_k' is not supported", "param": "seed"}},
    ),
    ("without quotes", {"error": f"Cannot parse this: Unknown parameter: seed. seed: {EXTRA}"}),
    ("without quotes, a limit", {"error": "You said: max_tokens must be at most 300"}),
    ("in quotes at the start", {"error": f"'seed: {EXTRA}' is no role"}),
    ("in quotes, a limit", {"error": "'max_tokens must be at most 300' is no role"}),
    ("a schema", {"error": "Invalid schema for function 'f': 'seed' is not supported."}),
    ("with another", {"error": "'seed' is not supported with this model when user is 'high'"}),
    ("beside another", {"error": "'seed' is not allowed when 'store' is false"}),
    ("with some value", {"error": "seed: Extra inputs are not permitted with store is true"}),
    ("too short to believe", {"error": "max_tokens must be less than or equal to 255"}),
]


@pytest.mark.parametrize("body", [row[1] for row in ECHOES], ids=[row[0] for row in ECHOES])
def test_what_the_provider_repeats_or_restricts_teaches_nothing(body: object) -> None:
    refused = replace(read_failure(400, {}, body, 0.0), outcome=Outcome.UNSUPPORTED_PARAM)

    assert not learns(refused, FIELDS | {"store": True, "user": "u", "n": 1, "top_k": 1})


def test_a_condition_is_heeded_although_a_code_tells() -> None:
    said = "'seed' is not supported while 'store' is true"

    assert not learns(refusal(message=said, code="unsupported_parameter"))


def test_the_shortest_grant_that_is_believed() -> None:
    said = "max_tokens must be less than or equal to 256"

    assert after(refusal(None, said)).max_tokens(MODEL, NOW) == 256


# For how long


def test_a_field_is_tried_again_after_an_hour() -> None:
    learned = after(refusal())

    assert learned.without(MODEL, NOW + LESSON_S - 1) == {"seed"}
    assert learned.without(MODEL, NOW + LESSON_S) == frozenset()


def test_a_longer_answer_is_tried_again_after_an_hour() -> None:
    learned = after(refusal(None, TOO_LONG))

    assert learned.max_tokens(MODEL, NOW + LESSON_S - 1) == 8192
    assert learned.max_tokens(MODEL, NOW + LESSON_S) is None


def test_a_missing_feature_is_tried_again_after_an_hour() -> None:
    learned = Learned()
    learned.note_lack("responses", NOW)

    assert learned.lacks("responses", NOW + LESSON_S - 1)
    assert not learned.lacks("responses", NOW + LESSON_S)


def test_what_was_forgotten_can_be_learned_again() -> None:
    learned = after(refusal())

    assert learned.learn(MODEL, refusal(), FIELDS, NOW + LESSON_S)
    assert learned.without(MODEL, NOW + LESSON_S) == {"seed"}


# As the providers say it


SAID: list[tuple[str, int, object, set[str]]] = [
    (
        "A6: Gemini",
        400,
        [{"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.'}}],
        {"seed"},
    ),
    (
        "OpenAI",
        400,
        {"error": {"message": "?", "param": "seed", "code": "unsupported_parameter"}},
        {"seed"},
    ),
    (
        "Anthropic",
        400,
        {"error": {"type": "invalid_request_error", "message": f"seed: {EXTRA}"}},
        {"seed"},
    ),
    (
        "Mistral",
        422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": EXTRA}]},
        {"seed"},
    ),
    (
        "a wrong value",
        422,
        {"detail": [{"type": "int_type", "loc": ["body", "seed"], "msg": "Not an integer"}]},
        set(),
    ),
    ("Groq", 400, {"error": {"message": "property 'seed' is unsupported"}}, {"seed"}),
]


@pytest.mark.parametrize(
    ("status", "body", "without"), [row[1:] for row in SAID], ids=[row[0] for row in SAID]
)
def test_a_refusal_is_read_and_learned_from(status: int, body: object, without: set[str]) -> None:
    learned = Learned()
    learned.learn(MODEL, read_failure(status, {}, body, 0.0), FIELDS, NOW)

    assert learned.without(MODEL, NOW) == without


# Features


def test_a_feature_that_is_missing_is_remembered() -> None:
    learned = Learned()
    learned.note_lack("responses", NOW)

    assert (learned.lacks("responses", NOW), learned.lacks("messages", NOW)) == (True, False)


# Bounds


def test_of_too_many_models_the_oldest_lesson_is_forgotten() -> None:
    learned = Learned()
    for number in range(MOST_MODELS + 1):
        learned.learn(f"m-{number}", refusal(), FIELDS, NOW)

    known = [number for number in range(MOST_MODELS + 1) if learned.without(f"m-{number}", NOW)]
    assert known == list(range(1, MOST_MODELS + 1))


def test_of_too_many_fields_the_first_is_taken_again() -> None:
    learned = Learned()
    for number in range(MOST_FIELDS + 1):
        learned.learn(MODEL, refusal(f"f{number}"), {f"f{number}": 1}, NOW)

    assert learned.without(MODEL, NOW) == {f"f{number}" for number in range(1, MOST_FIELDS + 1)}


def test_of_too_many_features_the_first_is_tried_again() -> None:
    learned = Learned()
    for number in range(MOST_LACKS + 1):
        learned.note_lack(f"f{number}", NOW)

    assert not learned.lacks("f0", NOW)
