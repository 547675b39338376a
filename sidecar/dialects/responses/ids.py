"""Ids of responses that say whose they are, so that a later turn finds the provider again."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

PREFIX = "resp_"
REASONING = "rs_"  # how the ids of reasoning begin, which only its provider can read
BARE = "~2"  # before an id that came without the prefix
TOKEN_CHARS = 24


def mint(provider: str, original: str, prefix: str = PREFIX) -> str:
    """The id that an application knows a provider's response by, or another of its things.

    Mostly `resp_<provider>_<original without its prefix>`. What follows the provider has no
    underscore (`~1` stands for one, `~0` for a tilde), so every id can be read in one way only.
    """
    bare = not original.startswith(prefix)
    rest = original.removeprefix(prefix).replace("~", "~0").replace("_", "~1")
    return f"{prefix}{provider}_{BARE if bare else ''}{rest}"


def minted_by(response_id: str, providers: Iterable[str]) -> tuple[str, str] | None:
    """Which of `providers` the response is of, and what it calls it; `None` if of nobody's."""
    found = unminted(response_id, PREFIX)
    return found if found and found[0] in providers else None


def unminted(given: str, prefix: str) -> tuple[str, str] | None:
    """Whose a thing is, and its own id for it; `None` where nobody is named."""
    provider, _, rest = given.removeprefix(prefix).rpartition("_")
    if not given.startswith(prefix) or not provider:
        return None
    bare = rest.startswith(BARE)
    original = rest.removeprefix(BARE).replace("~1", "_").replace("~0", "~")
    return provider, original if bare else prefix + original


def token_for(seed: str, created: int) -> str:
    """What the ids of a response's items are made of.

    They come back with the next turn, and OpenAI wants them short, different for each item of a
    conversation, and of letters, digits, dashes and underscores: `seed` is the application's.
    """
    return sha256(f"{seed} {created}".encode()).hexdigest()[:TOKEN_CHARS]


def mint_reasoning(token: str, index: int) -> str:
    """The id of a reasoning item that no provider keeps."""
    return mint(f"sidecar_{token}", f"{REASONING}{index}", REASONING)


def brought_back(items: list[Any], provider: str) -> list[Any]:
    """Input items as `provider` knows them, without the reasoning of others: it refuses that."""
    known = (at_home(item, provider) for item in items)
    return [item for item in known if item is not None]


def at_home(item: Any, provider: str) -> Any:
    given = item.get("id") if isinstance(item, dict) else None
    found = unminted(given, REASONING) if isinstance(given, str) else None
    if found is None:
        return item
    if found[0] == provider:
        return {**item, "id": found[1]}
    return None if item.get("type") == "reasoning" else item
