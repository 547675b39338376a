"""What is read out of an error body, whatever its shape."""

from __future__ import annotations

import re
from timeit import repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.complaint import (
    MESSAGE_CHARS,
    MOST_WORDS,
    TEXT_CHARS,
    Complaint,
    read_complaint,
    tidy,
)

EXTRA = "Extra inputs are not permitted"


def error(message: str = "", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


SHAPES: list[tuple[str, object, str]] = [
    ("object", error("boo"), "boo"),
    ("string", {"error": "boo"}, "boo"),
    ("list of errors", {"error": [{"message": "boo"}]}, "boo"),
    ("list of one", [error("boo")], "boo"),
    ("errors", {"errors": [{"message": "boo"}]}, "boo"),
    ("errors of text", {"errors": ["boo"]}, "boo"),
    ("detail text", {"detail": "boo"}, "boo"),
    ("detail list", {"detail": [{"msg": "boo", "type": "missing"}]}, "boo"),
    ("detail in a message", {"message": {"detail": [{"msg": "boo"}]}}, "boo"),
    ("message", {"message": "boo"}, "boo"),
    ("flat", {"object": "error", "message": "boo", "code": 400}, "boo"),
    ("Anthropic", {"type": "error", "error": {"type": "api_error", "message": "boo"}}, "boo"),
    ("TGI", {"error": "boo", "error_type": "generation"}, "boo"),
    ("xAI", {"code": "Some invalid argument", "error": "boo"}, "boo"),
    ("Cloudflare", {"error": [{"code": 2009}], "message": "boo", "internalCode": 2009}, "boo"),
    ("JSON text", "boo", "boo"),
    ("text", "boo\n", "boo"),
    ("HTML", "<html><style>p{}</style><h1>boo</h1></html>", "boo"),
    ("nothing", "", ""),
    ("null", None, ""),
    ("a number", 7, ""),
    ("an empty list", [], ""),
    ("an empty object", {}, ""),
    ("wrong charset", b"d\xe9sol\xe9".decode("utf-8", "replace"), "d\ufffdsol\ufffd"),
]


@pytest.mark.parametrize(
    ("body", "message"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
def test_every_shape_of_error_is_read(body: object, message: str) -> None:
    assert read_complaint(body).message == message


WORDS: list[tuple[str, object, list[str]]] = [
    ("code before type", error(type="t", code="c"), ["c", "t"]),
    ("a number", error(code=429), ["429"]),
    ("reason before all", error(code="c", details=[{"reason": "r"}]), ["r", "c"]),
    ("Anthropic's", error(type="t", details={"error_code": "e"}), ["e", "t"]),
    ("Azure's, within", error(code="c", innererror={"code": "i"}), ["i", "c"]),
    ("Azure's, beside", {**error(code="c"), "innererror": {"code": "i"}}, ["c", "i"]),
    ("TGI's", {"error": "boo", "error_type": "overloaded"}, ["overloaded"]),
    ("Cloudflare's", {"error": [], "internalCode": 2009}, ["2009"]),
    ("xAI's, beside", {"error": "boo", "code": "c"}, ["c"]),
    ("Anthropic's envelope", {"type": "error", "error": {"type": "t"}}, ["t", "error"]),
    ("said twice", error(type="t", code="t"), ["t"]),
    ("no words", error(type=None, code=True, status=[1], details="?"), []),
]


@pytest.mark.parametrize(
    ("body", "words"), [row[1:] for row in WORDS], ids=[row[0] for row in WORDS]
)
def test_codes_and_types_are_read_best_first(body: object, words: list[str]) -> None:
    assert list(read_complaint(body).words) == words


@pytest.mark.parametrize(
    ("quota", "words"),
    [
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", ("quota_per_day",)),
        ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", ()),
    ],
    ids=["a day's", "a minute's"],
)
def test_of_googles_quotas_that_of_a_day_is_told(quota: str, words: tuple[str, ...]) -> None:
    body = [error(details=[{"violations": [{"quotaId": "q"}, {"quotaId": quota}]}])]

    assert read_complaint(body).words == words


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("400", "BadRequestError"), "BadRequestError"),
        (("400",), None),
        (("error",), None),
        (("2009",), "2009"),
    ],
    ids=["vLLM", "a status alone", "an envelope alone", "Cloudflare"],
)
def test_the_code_is_the_first_word_that_tells_anything(
    words: tuple[str, ...], code: str | None
) -> None:
    assert Complaint(words=words).code == code


def test_a_phrase_is_found_beyond_what_people_are_shown() -> None:
    complaint = read_complaint(error("x" * 1_500 + " the end"))

    assert len(complaint.message) == MESSAGE_CHARS
    assert complaint.text.endswith(" the end")


def test_what_the_provider_behind_a_provider_said_is_read_but_not_shown() -> None:
    body = error("Provider returned error", metadata={"raw": "maximum context length is 8192"})

    complaint = read_complaint(body)

    assert complaint.message == "Provider returned error"
    assert "maximum context length" in complaint.text


FIELDS: list[tuple[str, object, str | None]] = [
    ("stated", error("no", param="seed"), "seed"),
    ("stated with the way to it", error("no", param="messages[0].role"), "messages[0].role"),
    ("stated as nothing", error("no", param=""), None),
    ("stated as null", error("no", param=None), None),
    ("pydantic", {"detail": [{"loc": ["body", "seed"], "msg": EXTRA}]}, "seed"),
    (
        "pydantic, deeper",
        {"detail": [{"loc": ["body", "messages", 0, "name"], "msg": EXTRA}]},
        None,
    ),
    ("pydantic, in a message", {"message": {"detail": [{"loc": ["body", "seed"]}]}}, "seed"),
    ("only told", error("seed: Extra inputs are not permitted"), "seed"),
    ("nobody's", error("no"), None),
    ("odd", error("no", loc=[{}], param=7), None),
]


@pytest.mark.parametrize(
    ("body", "field"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS]
)
def test_the_field_at_fault_is_kept(body: object, field: str | None) -> None:
    assert read_complaint(body).param == field


KEYS = (
    *("error", "errors", "detail", "message", "msg", "code", "type", "details", "param", "loc"),
    *("innererror", "metadata", "raw", "violations", "quotaId", "reason", "error_type"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
MARKED_UP = st.lists(
    st.sampled_from(("<", ">", "<b>", "<script>", "</script>", "a", " ", "\n", "<!--", "é")),
    max_size=40,
).map("".join)
TEXTS = (
    MARKED_UP | st.text(max_size=400) | st.binary().map(lambda raw: raw.decode(errors="replace"))
)


@given(body=JSON | TEXTS | TEXTS.map(error) | TEXTS.map(lambda text: [error(text)]))
def test_a_message_is_one_short_line_without_markup(body: object) -> None:
    message = read_complaint(body).message

    assert len(message) <= MESSAGE_CHARS
    assert not re.search(r"<[^<>]*>|\n", message)


@pytest.mark.parametrize("shape", [row[1] for row in SHAPES], ids=[row[0] for row in SHAPES])
@given(text=TEXTS)
def test_no_shape_lets_markup_through(shape: object, text: str) -> None:
    assert not re.search(r"<[^<>]*>", read_complaint(filled(shape, f"<i>{text}</i>")).message)


def filled(shape: Any, text: str) -> Any:
    """`shape` with `text` in all its places."""
    if isinstance(shape, list):
        return [filled(inner, text) for inner in shape]
    if isinstance(shape, dict):
        return {key: filled(inner, text) for key, inner in shape.items()}
    return text if isinstance(shape, str) else shape


def test_everything_is_bounded() -> None:
    details = [{"reason": f"r{number}"} for number in range(1_000)]

    complaint = read_complaint(error("m" * 100_000, details=details))

    assert (len(complaint.words), len(complaint.text)) == (MOST_WORDS, TEXT_CHARS)


def test_an_envelope_without_end_is_given_up() -> None:
    body: Any = "boo"
    for _ in range(1_000):
        body = [body]

    assert read_complaint(body).message == ""


def test_a_comparison_is_no_markup() -> None:
    assert tidy("a value <= 16384, but got 99999") == "a value <= 16384, but got 99999"


@pytest.mark.parametrize(
    "part", ["<", "<a ", "<script>", "<style", "<script></style>", "</script", "<<>", "a ", "<!--"]
)
def test_ten_times_the_markup_is_about_ten_times_the_work(part: str) -> None:
    few, many = (part * (size // len(part)) for size in (2_000, 20_000))

    assert seconds_for(many) < 40 * seconds_for(few) + 0.001  # a hundred times, if it were squared


def seconds_for(text: str) -> float:
    """The best of several."""
    return min(repeat(lambda: tidy(text), number=1, repeat=7))


@pytest.mark.parametrize(
    ("body", "wait_s"),
    [
        ({"error": "Model x is currently loading", "estimated_time": 20.0}, 20.0),
        ([error("Quota", details=[{"retryDelay": "34.4s"}])], 34.4),
        (error("Rate limit reached. Please try again in 1.5s."), 1.5),
        (error("boo"), None),
    ],
    ids=["Hugging Face", "Google", "OpenAI", "nobody"],
)
def test_a_body_says_how_long_to_stay_away(body: object, wait_s: float | None) -> None:
    assert read_complaint(body).wait_s == wait_s


def test_what_repeats_without_end_is_read_at_once() -> None:
    endless = read_complaint({"error": {"message": "'" + "error." * 300 + "x' is bad"}})

    assert endless.param is None
