"""Every form in which a provider says how long to stay away is read, and nothing else is."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from sidecar.core.retry_after import (
    LONGEST_S,
    duration,
    in_body,
    in_text,
    milliseconds,
    retry_after_s,
    seconds_or_date,
    timestamp,
)

NOW = 784111747.0  # Sun, 06 Nov 1994 08:49:07 GMT
GOOGLE = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota. Please retry in 34.4s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"},
        ],
    }
}
LOADING = {"error": "Model m is currently loading", "estimated_time": 20.0}


def openai_error(message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "requests", "code": "rate_limit_exceeded"}}


def limit_headers(form: str, **limits: str) -> dict[str, str]:
    """Headers for limits, each given as what remains and when it is reset."""
    return {
        form.format(word=word, name=name.replace("_", "-")): value
        for name, stated in limits.items()
        for word, value in zip(("remaining", "reset"), stated.split(), strict=True)
    }


openai = partial(limit_headers, "x-ratelimit-{word}-{name}")
anthropic = partial(limit_headers, "anthropic-{name}-{word}")


def wait_s(headers: dict[str, str], body: object = None) -> float | None:
    return retry_after_s(headers, body, NOW)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("50", 0.05),
        ("0", 0.0),
        ("1500.5", 1.5005),
        *((value, None) for value in ("", "soon", "-1", "nan", "inf", "1e3", "1s", "9" * 12)),
    ],
)
def test_milliseconds_are_read(value: str, expected: float | None) -> None:
    assert milliseconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("0.25", 0.25),
        (" 7 ", 7.0),
        ("2592000", 2592000.0),
        ("2592001", None),
        *((value, None) for value in ("", "soon", "-1", "nan", "inf", "1e3", "5, 10", "9" * 400)),
        *((value, None) for value in ("٣", "1_0", "0x10", "+5", ".", "1.2.3")),
    ],
)
def test_seconds_are_read(value: str, expected: float | None) -> None:
    assert seconds_or_date(value, NOW) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30.0),
        ("Sun Nov  6 08:49:37 1994", 30.0),
        ("Sun, 06 Nov 1994 08:49:06 GMT", 0.0),
        ("Tue, 06 Dec 1994 08:49:08 GMT", None),
        ("Sun, 06 Nov 1994 08:49:61 GMT", None),
        ("Sun, 31 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 CET", None),
    ],
    ids=["imf", "rfc 850", "asctime", "over", "too far", "second 61", "31 november", "zone"],
)
def test_http_dates_are_read(value: str, expected: float | None) -> None:
    assert seconds_or_date(value, NOW) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("350ms", 0.35),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("1d", 86400.0),
        ("100us", 0.0001),
        ("0s", 0.0),
        ("12", 12.0),
        ("34.400000000s", 34.4),
        *((value, None) for value in ("", "s", "1x", "-1s", "1s ago", "1 s", "1.s", "31d", "nans")),
    ],
)
def test_durations_are_read(value: str, expected: float | None) -> None:
    assert duration(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1994-11-06T08:49:37Z", 30.0),
        ("1994-11-06T08:49:37.5Z", 30.5),
        ("1994-11-06T09:49:37+01:00", 30.0),
        ("1994-11-06T08:49:06Z", 0.0),
        ("0001-01-01T00:00:00+23:59", 0.0),
        ("9999-12-31T23:59:59-23:59", None),
        ("1994-11-06T08:49:37", None),
        ("1994-11-06", None),
        ("1994-13-06T08:49:37Z", None),
        ("soon", None),
        ("", None),
    ],
    ids=[
        *("utc", "fraction", "offset", "over", "first", "last", "no zone", "no time", "month 13"),
        *("text", "empty"),
    ],
)
def test_timestamps_are_read(value: str, expected: float | None) -> None:
    assert timestamp(value, NOW) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (openai(requests="0 1s"), 1.0),
        (openai(tokens="0 6m0s"), 360.0),
        (openai(requests="0 2s", tokens="0 1s"), 2.0),
        (openai(requests="0 2s", tokens="900 9m0s"), 2.0),
        (openai(project_tokens="0 3s"), 3.0),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, None),
        (openai(requests="5 1s"), None),
        (openai(requests="0 later"), None),
        ({"x-ratelimit-remaining-requests": "0"}, None),
        (
            anthropic(
                ratelimit_input_tokens="0 1994-11-06T08:49:37Z",
                ratelimit_requests="49 1994-11-06T09:49:37Z",
            ),
            30.0,
        ),
        ({"anthropic-ratelimit-tokens-reset": "1994-11-06T08:49:37Z"}, 30.0),
        (anthropic(priority_input_tokens="0 1994-11-06T08:49:37Z"), 30.0),
        ({"ratelimit": '"api";r=0;t=295'}, 295.0),
        ({"ratelimit": '"minute"; r=0; t=7, "day"; r=12; t=4000'}, 7.0),
        ({"ratelimit": '"api";r=999;t=295'}, None),
        ({"ratelimit": '"api";r=0'}, None),
        ({"ratelimit": ";=;,,;t"}, None),
    ],
    ids=[
        *("requests", "tokens", "the longer of both", "the exhausted one", "project tokens"),
        *("only hint", "two hints", "not exhausted", "unreadable", "no reset"),
        *("anthropic", "anthropic only hint", "anthropic priority"),
        *("ietf", "ietf list", "ietf not exhausted", "ietf no reset", "ietf unreadable"),
    ],
)
def test_the_reset_of_an_exhausted_limit_is_the_wait(
    headers: dict[str, str], expected: float | None
) -> None:
    assert wait_s(headers) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (GOOGLE, 34.4),
        ([GOOGLE], 34.4),
        ([GOOGLE, GOOGLE], None),
        ({"error": {"details": [{"retryDelay": "0s"}]}}, 0.0),
        ({"error": {"details": [7, {"retryDelay": 5}, {"retryDelay": "x"}]}}, None),
        ({"error": {"details": {"retryDelay": "5s"}}}, None),
        (LOADING, 20.0),
        ({"error": "loading", "estimated_time": 945}, 945.0),
        *(({"estimated_time": value}, None) for value in (-1, 1e9, 10**400, float("nan"))),
        *(({"estimated_time": value}, None) for value in (True, "20", None, [20])),
        *((body, None) for body in (None, "text", 7, [], [[GOOGLE]], {}, {"error": None})),
    ],
)
def test_a_wait_in_the_body_is_read(body: object, expected: float | None) -> None:
    assert in_body(body) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Limit 3, Used 3. Please try again in 1.5s. Visit https://example.com.", 1.5),
        ("Please try again in 20ms.", 0.02),
        ("please Try Again in 6m0s", 360.0),
        ("Please try again in 7m59.56s.", 479.56),
        ("Please try again in 5 minutes.", None),
        ("Please try again in 5months.", None),
        ("Please try again in 5.", None),
        ("Please try again later.", None),
        ("", None),
    ],
)
def test_a_wait_in_the_message_is_read(message: str, expected: float | None) -> None:
    assert in_text(openai_error(message)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "body",
    [{"error": "try again in 2s"}, [openai_error("try again in 2s")]],
    ids=["text for an error", "list of one"],
)
def test_the_message_is_found_in_other_bodies(body: object) -> None:
    assert in_text(body) == 2.0


@pytest.mark.parametrize("told", range(5))
def test_the_most_direct_statement_wins(told: int) -> None:
    statements: list[dict[str, str]] = [
        {"retry-after-ms": "0"},
        {"retry-after": "1"},
        {},
        openai(requests="0 3s"),
    ]
    body = {**openai_error("try again in 4s"), **({"estimated_time": 2} if told <= 2 else {})}
    headers = {name: value for one in statements[told:] for name, value in one.items()}

    assert wait_s(headers, body) == told


def test_what_cannot_be_read_does_not_hide_what_can() -> None:
    headers = {"retry-after-ms": "soon", "retry-after": "inf"}

    assert wait_s(headers, LOADING) == 20.0


def test_a_wait_of_nothing_is_a_statement() -> None:
    assert wait_s({"retry-after": "0"}, LOADING) == 0.0


def test_a_provider_that_says_nothing_is_not_understood_to_say_anything() -> None:
    assert wait_s({"content-type": "application/json"}, {"error": {"message": "no"}}) is None


def test_header_names_are_found_in_any_case() -> None:
    headers = CIMultiDictProxy(CIMultiDict({"Retry-After": "3"}))

    assert retry_after_s(headers, None, NOW) == 3.0


NAMES = (
    *("retry-after-ms", "retry-after", "ratelimit"),
    *("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    *("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
)
values = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,5})?(ms|h|m|s)?", fullmatch=True),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.builds('"{}";r={};t={}'.format, st.text(max_size=3), st.integers(), st.floats()),
)
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | values,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["error", "details", "retryDelay", "estimated_time", "message"]), inner
        )
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(NAMES), values),
    bodies,
    st.floats(min_value=0, max_value=1e11),
)
def test_whatever_a_provider_says_is_a_bounded_wait_or_none(
    headers: dict[str, str], body: object, now_unix: float
) -> None:
    found = retry_after_s(headers, body, now_unix)

    assert found is None or 0 <= found <= LONGEST_S
