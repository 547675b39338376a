"""Entries and chains for tests of the core."""

from __future__ import annotations

from sidecar.core.policies import Timeouts
from sidecar.core.settings import Entry, Provider


def entry(name: str, *, context: int | None = None, first_token_s: float = 12.0) -> Entry:
    timeouts = Timeouts(first_token_s=first_token_s)
    provider = Provider(name=name, kind="openai", base_url="http://127.0.0.1:1/v1")
    return Entry(provider=provider, model=f"{name}-1", context=context, timeouts=timeouts)
