"""What remains of a provider's rate limits, in the ways that its headers say it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RateLimited(StrEnum):
    """What a provider counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"


# OpenAI's way, which most follow, and Anthropic's.
STATED = tuple(
    (header, what)
    for what in RateLimited
    for header in (f"x-ratelimit-remaining-{what}", f"anthropic-ratelimit-{what}-remaining")
)
DIGITS = 15  # more than anybody counts, and exact as a float

Remaining = tuple[tuple[RateLimited, float], ...]


def remaining(headers: Mapping[str, str]) -> Remaining:
    """How many requests and tokens are left until the next reset, as far as `headers` say it.

    `headers` are asked for lower-case names. What is not a whole number is not taken for one.
    """
    return tuple(
        [
            (what, float(stated))
            for header, what in STATED
            if (stated := headers.get(header, "")) and stated.isdecimal() and len(stated) <= DIGITS
        ]
    )
