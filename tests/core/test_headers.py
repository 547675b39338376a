"""Headers go on to whom they concern, and nobody's secrets with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from sidecar.core.headers import client_retry, deadline_s, request_id, to_application, to_provider

SENT_BY_THE_SDK = [
    ("Host", "127.0.0.1:8787"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "AsyncOpenAI/Python 3.54.0"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "3.54.0"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Runtime-Version", "3.11.9"),
    ("X-Stainless-Async", "async:asyncio"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
    ("X-Stainless-Helper-Method", "chat.completions.stream"),
    ("X-Stainless-Raw-Response", "true"),
    ("Authorization", "Bearer sk-application"),
    ("OpenAI-Organization", "org-1"),
    ("OpenAI-Project", "proj-1"),
    ("OpenAI-Beta", "assistants=v2"),
    ("Content-Length", "210"),
]
FOR_ANY_PROVIDER = [
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "AsyncOpenAI/Python 3.54.0"),
]
FOR_OPENAI = [
    *FOR_ANY_PROVIDER,
    ("OpenAI-Organization", "org-1"),
    ("OpenAI-Project", "proj-1"),
    ("OpenAI-Beta", "assistants=v2"),
]
names = st.one_of(
    st.sampled_from(["Connection", "Authorization", "x-team", "X-Request-Id", "Set-Cookie"]),
    st.text(max_size=12),
)
any_headers = st.lists(st.tuples(names, st.text(max_size=12)), max_size=8)


def test_what_the_sdk_says_of_itself_reaches_no_provider() -> None:
    assert to_provider(SENT_BY_THE_SDK, "") == FOR_ANY_PROVIDER


def test_openai_headers_reach_those_who_know_them() -> None:
    assert to_provider(SENT_BY_THE_SDK, "openai") == FOR_OPENAI


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding"),
        *("Upgrade", "HTTP2-Settings", "Proxy-Authorization", "Proxy-Anything", "Expect"),
        *("Authorization", "api-key", "X-Api-Key", "x-goog-api-key", "cf-aig-authorization"),
        *("Cookie", "Ocp-Apim-Subscription-Key", "X-Serverless-Authorization", "x-auth-token"),
        *("Host", "Content-Length", "Content-Encoding", "Accept-Encoding", "Content-Digest"),
        *("Origin", "Referer", "Sec-Fetch-Mode", "sec-ch-ua", "X-Sidecar-After-Content"),
        *("X-Request-Id", "x-request-timeout", "Forwarded", "X-Forwarded-For", "X-Real-IP"),
        *("Via", "traceparent", "tracestate", "baggage", "OpenAI-Beta", "X-STAINLESS-LANG"),
        *("anthropic-beta", "Anthropic-Version"),
        *("", "two words", "a:b", "a\r\nb", "ü"),
    ],
)
def test_a_request_header_stays_here(name: str) -> None:
    assert to_provider([(name, "1")], "") == []


@pytest.mark.parametrize(
    ("name", "vendor"), [("anthropic-beta", "anthropic"), ("OpenAI-Organization", "openai")]
)
def test_a_vendors_own_headers_go_on_to_that_vendor_alone(name: str, vendor: str) -> None:
    others = {"openai", "anthropic", ""} - {vendor}

    assert to_provider([(name, "1")], vendor) == [(name, "1")]
    assert [to_provider([(name, "1")], other) for other in others] == [[], []]


@pytest.mark.parametrize(
    "name",
    [
        *("User-Agent", "Accept", "Content-Type", "X-Team", "HTTP-Referer", "X-Title"),
        *("X-HF-Bill-To", "cf-aig-metadata", "Idempotency-Key", "Secure-Mode"),
    ],
)
def test_a_request_header_goes_on(name: str) -> None:
    assert to_provider([(name, "1")], "") == [(name, "1")]


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Proxy-Authenticate"),
        *("Content-Length", "Content-Encoding", "Set-Cookie", "Server", "Date", "Via", "Alt-Svc"),
        *("x-should-retry", "Retry-After", "retry-after-ms", "Server-Timing", "NEL", "Report-To"),
        *("Strict-Transport-Security", "Access-Control-Allow-Origin", "CF-Ray", "cf-cache-status"),
        *("Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Frame-Options"),
        *("X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy"),
        *("x-sidecar-provider", "x-upstream-request-id", "X-Powered-By", "", "a b"),
    ],
)
def test_an_answer_header_stays_here(name: str) -> None:
    assert to_application([(name, "1")]) == []


@pytest.mark.parametrize(
    "name",
    [
        *("Content-Type", "x-ratelimit-remaining-requests", "openai-processing-ms"),
        *("anthropic-ratelimit-tokens-reset", "request-id", "Inference-Id", "Cache-Control"),
    ],
)
def test_an_answer_header_goes_on(name: str) -> None:
    assert to_application([(name, "1")]) == [(name, "1")]


def test_the_providers_request_id_gets_another_name() -> None:
    assert to_application([("X-Request-ID", "req_1")]) == [("x-upstream-request-id", "req_1")]


def test_what_connection_names_stays_here() -> None:
    headers = [
        *(("X-Hop", "1"), ("Connection", "close, X-HOP ,, X-Other"), ("x-other", "2")),
        *(("Connection", "x-third"), ("X-Third", "3"), ("X-Team", "search")),
    ]

    assert to_provider(iter(headers), "") == [("X-Team", "search")]


def test_a_header_that_comes_twice_goes_on_twice() -> None:
    headers = [("X-Tag", "a"), ("X-Tag", "b")]

    assert to_application(CIMultiDict(headers).items()) == headers


@pytest.mark.parametrize(
    "value",
    ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "a\x1bb", "a\x7f", "a\udcffb"],
    ids=["crlf", "lf", "cr", "nul", "escape", "delete", "undecodable byte"],
)
def test_a_value_unfit_for_the_wire_never_passes(value: str) -> None:
    headers = [("X-Team", value)]

    assert [*to_provider(headers, "openai"), *to_application(headers)] == []


@pytest.mark.parametrize("value", ["", "a\tb", "Grüße", "a\u00a0b"], ids=repr)
def test_other_values_pass_unchanged(value: str) -> None:
    assert to_provider([("X-Team", value)], "") == [("X-Team", value)]


@given(any_headers)
def test_nothing_is_made_up(headers: list[tuple[str, str]]) -> None:
    passed = [*to_provider(headers, "openai"), *to_application(headers)]

    assert {value for _, value in passed} <= {value for _, value in headers}


@given(any_headers)
def test_what_passes_is_fit_for_the_wire(headers: list[tuple[str, str]]) -> None:
    passed = [*to_provider(headers, "openai"), *to_application(headers)]
    lines = [f"{name}: {value}" for name, value in passed]

    assert all(line.encode() and not {*"\r\n\0"} & {*line} for line in lines)


@pytest.mark.parametrize("given_id", ["a", "req_1.2-3", "A" * 128])
def test_a_harmless_request_id_is_kept(given_id: str) -> None:
    assert request_id(given_id, lambda: "fresh") == given_id


@pytest.mark.parametrize(
    "given_id",
    [None, "", "A" * 129, "a b", "a\n", "ü", "a/b", "<b>", "٣"],
    ids=["none", "empty", "long", "space", "line end", "letter", "slash", "markup", "digit"],
)
def test_any_other_request_id_is_replaced(given_id: str | None) -> None:
    assert request_id(given_id, lambda: "fresh") == "fresh"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-request-timeout": "30"}, 30.0),
        ({"x-stainless-read-timeout": "600"}, 600.0),
        ({"x-request-timeout": "30", "x-stainless-read-timeout": "600"}, 30.0),
        ({"x-request-timeout": "900", "x-stainless-read-timeout": "600.5"}, 600.5),
        ({"x-request-timeout": "soon", "x-stainless-read-timeout": "600"}, 600.0),
        ({"x-request-timeout": "0", "x-stainless-read-timeout": "600"}, 600.0),
        *(({"x-request-timeout": value}, None) for value in ("-1", "nan", "inf", "", "None")),
    ],
)
def test_the_applications_shorter_deadline_is_read(
    headers: dict[str, str], expected: float | None
) -> None:
    assert deadline_s(headers) == expected


def test_the_deadline_is_found_in_any_case() -> None:
    assert deadline_s(CIMultiDictProxy(CIMultiDict({"X-Request-Timeout": "5"}))) == 5.0


@pytest.mark.parametrize(
    ("stated", "count"),
    [("2", 2), ("0", None), ("", None), ("-1", None), ("many", None), ("9" * 99, None)],
)
def test_a_retry_of_the_applications_sdk_is_counted(stated: str, count: int | None) -> None:
    assert client_retry({"x-stainless-retry-count": stated}) == count
