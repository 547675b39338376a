"""What a body is read as."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.proxy.answers import parse

BODIES: list[tuple[str, bytes, Any]] = [
    ("JSON", b'{"error": "no"}', {"error": "no"}),
    ("a byte order mark", b'\xef\xbb\xbf{"error": "no"}', {"error": "no"}),
    ("Latin-1", '{"error": "désolé"}'.encode("latin-1"), {"error": "d\ufffdsol\ufffd"}),
    ("text", b"<h1>no</h1>", "<h1>no</h1>"),
    ("nothing", b"", ""),
]


@pytest.mark.parametrize(
    ("body", "read"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_a_body_is_json_in_any_charset_or_else_its_text(body: bytes, read: Any) -> None:
    assert parse(body) == read
