"""Ids and names in the letters that every API takes: the strictest is Anthropic's."""

from __future__ import annotations

import re
from hashlib import blake2b

ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
KEPT_CHARS = 48  # of what has to change; a digest makes it unique again


def safe_id(call_id: str) -> str:
    """The tool call's id as any API takes it: the same for the same, never for others."""
    return call_id if call_id and not ILLEGAL.search(call_id) else digested(call_id)


def digested(text: str) -> str:
    """`text` cut short and made legal, and still unlike any other."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{ILLEGAL.sub('_', text[:KEPT_CHARS])}_{digest}"
