"""What is left of a rate limit, as headers say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.rate_limit import RateLimited, remaining

REQUESTS, TOKENS = RateLimited.REQUESTS, RateLimited.TOKENS


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, ()),
        ({"x-ratelimit-remaining-requests": "59"}, ((REQUESTS, 59.0),)),
        ({"x-ratelimit-remaining-tokens": "149984"}, ((TOKENS, 149984.0),)),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-tokens-remaining": "7",
            },
            ((REQUESTS, 0.0), (TOKENS, 7.0)),
        ),
    ],
    ids=["nothing", "requests", "tokens", "Anthropic"],
)
def test_it_is_read_in_every_way(headers: dict[str, str], told: object) -> None:
    assert remaining(headers) == told


@pytest.mark.parametrize("stated", ["", "-1", "many", "1e9", "1.5", "inf", "9" * 16])
def test_what_is_no_count_is_left_out(stated: str) -> None:
    assert remaining({"x-ratelimit-remaining-requests": stated}) == ()


@given(st.text())
def test_no_header_makes_it_stumble(stated: str) -> None:
    assert all(left >= 0 for _, left in remaining({"x-ratelimit-remaining-tokens": stated}))
