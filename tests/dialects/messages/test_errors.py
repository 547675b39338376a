"""Errors in Anthropic's shape."""

from __future__ import annotations

import pytest

from sidecar.dialects.dialect import Json
from sidecar.dialects.messages.errors import error_body, error_type, in_band

TYPES = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (413, "request_too_large"),
    (422, "invalid_request_error"),
    (429, "rate_limit_error"),
    (500, "api_error"),
    (502, "api_error"),
    (503, "overloaded_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
]


@pytest.mark.parametrize(("status", "name"), TYPES)
def test_a_status_has_its_type(status: int, name: str) -> None:
    assert error_type(status) == name


def test_an_error_says_what_became_of_each_provider() -> None:
    attempts: list[Json] = [{"provider": "gemini", "skipped": "open"}]

    assert error_body(503, "Nobody answered.", "all_providers_failed", "r1", attempts) == {
        "type": "error",
        "error": {
            "type": "overloaded_error",
            "message": "Nobody answered.",
            "code": "all_providers_failed",
            "attempts": attempts,
        },
        "request_id": "r1",
    }


def test_without_attempts_an_error_does_not_mention_them() -> None:
    assert "attempts" not in error_body(404, "No such model.", None, "r1", [])["error"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("rate_limit", "rate_limit_error"),
        ("overloaded", "overloaded_error"),
        ("auth", "authentication_error"),
        ("timeout_idle", "timeout_error"),
        ("context_length", "invalid_request_error"),
        ("stream_truncated", "api_error"),
    ],
)
def test_a_broken_stream_says_so_in_anthropics_words(code: str, told: str) -> None:
    error = {"message": "It broke.", "type": "stream_error", "param": None, "code": code}

    assert in_band(error) == {
        "type": "error",
        "error": {"type": told, "message": "It broke.", "code": code},
    }
