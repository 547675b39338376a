"""How long a provider asks us to stay away, in all the forms that providers say it.

Every reader gives seconds from now, never negative, or `None` for what it cannot read: a header
we cannot read is a header we were not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

LONGEST_S = 30 * 86400.0  # who asks for more does not mean it
HTTP_DATES = (  # RFC 9110, section 5.6.7: the form to write, and two that are still to be read
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %d %H:%M:%S %Y",
)
NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,20})?"
UNIT_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
SPAN = rf"(?:{NUMBER}(?:ms|us|ns|[dhms]))+"
PLAIN_NUMBER = re.compile(NUMBER)
SPAN_ONLY = re.compile(SPAN)
SPAN_PARTS = re.compile(rf"({NUMBER})([a-z]+)")
SPAN_IN_TEXT = re.compile(rf"try again in ({SPAN})(?![a-z])", re.IGNORECASE)

OPENAI_LIMITS = ("requests", "tokens", "project-tokens")
ANTHROPIC_LIMITS = (
    *("ratelimit-requests", "ratelimit-tokens", "ratelimit-input-tokens"),
    *("ratelimit-output-tokens", "priority-input-tokens", "priority-output-tokens"),
)


class Limit(NamedTuple):
    """A rate limit as a header states it: what remains (`None`: unsaid), and when it is reset."""

    remaining: float | None
    reset_s: float


def retry_after_s(headers: Mapping[str, str], body: object, now_unix: float) -> float | None:
    """How long to stay away, by the most direct statement there is.

    `headers` are asked for lower-case names. `body` is the parsed JSON, or `None`. Not for a
    successful answer: some providers send `retry-after` with those, too.
    """
    return _first(_stated(headers, body, now_unix))


def _stated(headers: Mapping[str, str], body: object, now_unix: float) -> Iterator[float | None]:
    yield milliseconds(headers.get("retry-after-ms", ""))
    yield seconds_or_date(headers.get("retry-after", ""), now_unix)
    yield in_body(body)
    yield exhausted_s(limits(headers, now_unix))
    yield in_text(body)


def milliseconds(value: str) -> float | None:
    """Read a `retry-after-ms` header."""
    number = _number(value)
    return None if number is None else _sane(number / 1000)


def seconds_or_date(value: str, now_unix: float) -> float | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3). A date that is over is no wait."""
    number = _number(value)
    return _sane(number) if number is not None else _http_date(value, now_unix)


def duration(value: str) -> float | None:
    """Read `6m0s`, `350ms`, `1h2m3.5s`, or a number of seconds."""
    if SPAN_ONLY.fullmatch(value):
        parts = SPAN_PARTS.findall(value)
        return _sane(sum(float(number) * UNIT_S[unit] for number, unit in parts))
    number = _number(value)
    return None if number is None else _sane(number)


def timestamp(value: str, now_unix: float) -> float | None:
    """Read an RFC 3339 time. One that is over is no wait."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return _until(moment, now_unix) if moment.tzinfo else None


def limits(headers: Mapping[str, str], now_unix: float) -> list[Limit]:
    """The rate limits with a reset that the headers state, each in its vendor's own way."""
    stated = [
        (
            headers.get(f"x-ratelimit-remaining-{name}", ""),
            duration(headers.get(f"x-ratelimit-reset-{name}", "")),
        )
        for name in OPENAI_LIMITS
    ]
    stated += [
        (
            headers.get(f"anthropic-{name}-remaining", ""),
            timestamp(headers.get(f"anthropic-{name}-reset", ""), now_unix),
        )
        for name in ANTHROPIC_LIMITS
    ]
    stated += _ietf_limits(headers.get("ratelimit", ""))
    return [Limit(_number(left), reset_s) for left, reset_s in stated if reset_s is not None]


def exhausted_s(found: Iterable[Limit]) -> float | None:
    """The longest reset of the limits of which nothing remains, or the only one there may be."""
    found = list(found)
    exhausted = [limit.reset_s for limit in found if limit.remaining == 0]
    if exhausted:
        return max(exhausted)
    return found[0].reset_s if len(found) == 1 and found[0].remaining is None else None


def stated_in(body: object) -> float | None:
    """How long a body alone says to stay away."""
    return _first((in_body(body), in_text(body)))


def in_body(body: object) -> float | None:
    """Read Google's RetryInfo or Hugging Face's `estimated_time`."""
    match _unwrapped(body):
        case {"error": {"details": [*details]}}:
            return _first(map(_retry_delay, details))
        case {"estimated_time": bool()}:  # which Python takes for a number
            return None
        case {"estimated_time": int(seconds) | float(seconds)}:
            return _sane(seconds)
    return None


def in_text(body: object) -> float | None:
    """Read OpenAI's "Please try again in 1.5s" out of an error's message."""
    match _unwrapped(body):
        case {"error": {"message": str(text)}} | {"error": str(text)}:
            found = SPAN_IN_TEXT.search(text)
            return duration(found[1].lower()) if found else None
    return None


def _ietf_limits(value: str) -> Iterator[tuple[str, float | None]]:
    """Read `"api";r=0;t=295`: the RateLimit header of the IETF's draft, used by Hugging Face."""
    for limit in value.split(","):
        parts = dict(part.strip().partition("=")[::2] for part in limit.split(";"))
        yield parts.get("r", ""), duration(parts.get("t", ""))


def _retry_delay(detail: object) -> float | None:
    match detail:
        case {"retryDelay": str(delay)}:
            return duration(delay)
    return None


def _unwrapped(body: object) -> object:
    """Google sends its error in a list of one."""
    match body:
        case [only]:
            return only
    return body


def _http_date(value: str, now_unix: float) -> float | None:
    for form in HTTP_DATES:
        try:
            return _until(datetime.strptime(value, form).replace(tzinfo=UTC), now_unix)
        except ValueError:
            continue
    return None


def _first(waits_s: Iterable[float | None]) -> float | None:
    return next((wait_s for wait_s in waits_s if wait_s is not None), None)


def _until(moment: datetime, now_unix: float) -> float | None:
    return _sane(max(0.0, moment.timestamp() - now_unix))


def _number(value: str) -> float | None:
    value = value.strip()
    return float(value) if PLAIN_NUMBER.fullmatch(value) else None


def _sane(seconds: float) -> float | None:
    return float(seconds) if 0 <= seconds <= LONGEST_S else None
