"""Ids of responses that say whose they are, so that a later turn finds the provider again."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

PREFIX = "resp_"
BARE = "~2"  # before an id that came without the prefix
OUR_REASONING = "rs_sidecar_"
TOKEN_CHARS = 24


def mint(provider: str, original: str) -> str:
    """The id that an application knows a provider's response by.

    Mostly `resp_<provider>_<original without its prefix>`. What follows the provider has no
    underscore (`~1` stands for one, `~0` for a tilde), so every id can be read in one way only.
    """
    bare = not original.startswith(PREFIX)
    rest = original.removeprefix(PREFIX).replace("~", "~0").replace("_", "~1")
    return f"{PREFIX}{provider}_{BARE if bare else ''}{rest}"


def minted_by(response_id: str, providers: Iterable[str]) -> tuple[str, str] | None:
    """Which of `providers` the response is of, and what it calls it; `None` if of nobody's."""
    if not response_id.startswith(PREFIX):
        return None
    provider, _, rest = response_id.removeprefix(PREFIX).rpartition("_")
    if provider not in providers:
        return None
    prefix = "" if rest.startswith(BARE) else PREFIX
    return provider, prefix + rest.removeprefix(BARE).replace("~1", "_").replace("~0", "~")


def token_for(seed: str, created: int) -> str:
    """What the ids of a response's items are made of.

    They come back with the next turn, and OpenAI wants them short, different for each item of a
    conversation, and of letters, digits, dashes and underscores: `seed` is the application's.
    """
    return sha256(f"{seed} {created}".encode()).hexdigest()[:TOKEN_CHARS]


def mint_reasoning(token: str, index: int) -> str:
    """The id of a reasoning item that no provider keeps."""
    return f"{OUR_REASONING}{token}_{index}"


def is_our_reasoning(item: object) -> bool:
    """Whether an input item is reasoning under such an id: a provider would look for it in vain."""
    return (
        isinstance(item, dict)
        and item.get("type") == "reasoning"
        and str(item.get("id")).startswith(OUR_REASONING)
    )
