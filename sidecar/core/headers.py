"""Which headers are passed on, and what is read from those of the application."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import isfinite

Headers = Iterable[tuple[str, str]]

UPSTREAM_REQUEST_ID = "x-upstream-request-id"

# RFC 9110, section 7.6.1; whatever `Connection` names joins them.
HOP_BY_HOP = frozenset(
    (
        *("connection", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    )
)
# What the connection to a provider decides, and no configuration.
OF_THE_CONNECTION = HOP_BY_HOP | {"accept-encoding", "content-length", "expect", "host"}
# True of the bytes that came in, and no longer of those that go out.
OF_THE_BODY = frozenset(
    (
        *("content-encoding", "content-length", "content-md5", "content-digest", "digest"),
        "repr-digest",
    )
)
NOT_TO_PROVIDER = frozenset(
    (
        *HOP_BY_HOP,
        *OF_THE_BODY,
        *("accept-encoding", "expect", "host", "x-request-id", "x-request-timeout"),
        # The application's credentials are none of the provider's business …
        *("cf-access-client-id", "cf-access-client-secret", "cookie", "cookie2"),
        *("ocp-apim-subscription-key", "x-amz-security-token", "x-auth-token"),
        # … nor are its callers, its page and its traces.
        *("forwarded", "via", "x-real-ip"),
        *("origin", "referer"),
        *("baggage", "traceparent", "tracestate"),
    )
)
NOT_TO_PROVIDER_STARTS = ("proxy-", "sec-", "x-forwarded-", "x-sidecar-", "x-stainless-")
CREDENTIAL_ENDS = ("authorization", "api-key")  # x-goog-api-key, cf-aig-authorization, …

NOT_TO_APPLICATION = frozenset(
    (
        *HOP_BY_HOP,
        *OF_THE_BODY,
        *("retry-after", "retry-after-ms", "x-should-retry"),  # the sidecar owns the retries
        *("server-timing", UPSTREAM_REQUEST_ID),  # it speaks in these itself …
        *("traceparent", "tracestate", "traceresponse"),  # … and of its own span
        *("alt-svc", "date", "nel", "report-to", "reporting-endpoints", "server", "via"),
        *("set-cookie", "set-cookie2", "x-powered-by"),
        # Rules of the provider's site for browsers and robots.
        *("clear-site-data", "expect-ct", "permissions-policy", "referrer-policy"),
        *("strict-transport-security", "timing-allow-origin", "x-content-type-options"),
        *("x-frame-options", "x-robots-tag", "x-xss-protection"),
    )
)
NOT_TO_APPLICATION_STARTS = (
    *("access-control-", "cf-", "content-security-policy", "cross-origin-", "proxy-"),
    "x-sidecar-",
)
RENAMED_TO_APPLICATION = {"x-request-id": UPSTREAM_REQUEST_ID}

KNOWN_NAMES = 256  # of which we remember what becomes of them; a few dozen are in use
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
DEADLINES = ("x-request-timeout", "x-stainless-read-timeout")
RETRY_COUNT = "x-stainless-retry-count"
COUNT = re.compile("[1-9][0-9]{0,2}")
REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def to_provider(headers: Headers, vendor: str) -> list[tuple[str, str]]:
    """The application's request headers that go on to a provider.

    `vendor` is whose own headers (`OpenAI-…`, `anthropic-…`) mean something there; may be empty.
    """
    return _passed(headers, NAMES_BY_VENDOR.get(vendor, _name_to_provider))


def to_application(headers: Headers) -> list[tuple[str, str]]:
    """The provider's answer headers that go on to the application, its request id renamed."""
    return _passed(headers, _name_to_application)


def request_id(given: str | None, fresh: Callable[[], str]) -> str:
    """The id `given` by the application if it is harmless, else a `fresh` one."""
    return given if given and REQUEST_ID.fullmatch(given) else fresh()


def deadline_s(headers: Mapping[str, str]) -> float | None:
    """How long the application itself will wait, in seconds; `None` where it does not say."""
    stated = [_positive(headers[name]) for name in DEADLINES if name in headers]
    return min([seconds for seconds in stated if seconds is not None], default=None)


def client_retry(headers: Mapping[str, str]) -> int | None:
    """Which retry of its own the application's SDK says this is; `None` for a first try."""
    stated = headers.get(RETRY_COUNT)
    return int(stated) if stated and COUNT.fullmatch(stated) else None


def _positive(seconds: str) -> float | None:
    try:
        number = float(seconds)
    except ValueError:
        return None
    return number if number > 0 and isfinite(number) else None


def _passed(headers: Headers, new_name: Callable[[str], str]) -> list[tuple[str, str]]:
    passed = []
    named: set[str] = set()
    for name, value in headers:
        if kept := new_name(name):
            if value.isprintable() or not UNFIT.search(value):
                passed.append((kept, value))
        elif name.lower() == "connection":
            named.update(map(str.strip, value.lower().split(",")))
    if named <= HOP_BY_HOP:  # as nearly always
        return passed
    return _without(passed, named)


def _without(headers: Headers, names: set[str]) -> list[tuple[str, str]]:
    return [header for header in headers if header[0].lower() not in names]


@lru_cache(KNOWN_NAMES)
def _name_to_openai(name: str) -> str:
    """The name it goes on by, empty for a header that does not."""
    return "" if name.lower().startswith("anthropic-") else _name_to_any(name)


@lru_cache(KNOWN_NAMES)
def _name_to_anthropic(name: str) -> str:
    return "" if name.lower().startswith("openai-") else _name_to_any(name)


@lru_cache(KNOWN_NAMES)
def _name_to_provider(name: str) -> str:
    return "" if name.lower().startswith(("openai-", "anthropic-")) else _name_to_any(name)


def _name_to_any(name: str) -> str:
    lower = name.lower()
    if lower in NOT_TO_PROVIDER or lower.startswith(NOT_TO_PROVIDER_STARTS):
        return ""
    return "" if lower.endswith(CREDENTIAL_ENDS) or not TOKEN.fullmatch(name) else name


NAMES_BY_VENDOR = {"openai": _name_to_openai, "anthropic": _name_to_anthropic}


@lru_cache(KNOWN_NAMES)
def _name_to_application(name: str) -> str:
    lower = name.lower()
    if lower in NOT_TO_APPLICATION or lower.startswith(NOT_TO_APPLICATION_STARTS):
        return ""
    return RENAMED_TO_APPLICATION.get(lower, name) if TOKEN.fullmatch(name) else ""
