"""Tells a provider's own words from those of the caller that its error repeats."""

from __future__ import annotations

import re

# What pydantic was given: all that follows is the caller's.
INPUT = re.compile(r"['\"`]input\\?['\"`] ?:|\binput_value=")
ADDRESS = re.compile(r"\b(?:https?|data|file|gs|s3):\S.*", re.DOTALL | re.IGNORECASE)
# An apostrophe within a word quotes nothing.
QUOTED = re.compile(r"(?<!\w)(['\"`])(.*?)\1(?!\w)", re.DOTALL)
# A quote that is never closed was cut off.
QUOTED_TO_THE_LAST = re.compile(r"(?<!\w)(['\"`]).*(?:\1(?!\w)|\Z)|“.*(?:”|\Z)", re.DOTALL)


def before_input(text: str) -> str:
    """`text` up to where it says what it was given."""
    found = INPUT.search(text)
    return text[: found.start()] if found else text


def without_quotes(text: str) -> str:
    """`text` up to its input or an address, without what it quotes, except single words: names."""
    own = ADDRESS.sub("", before_input(text))
    return QUOTED.sub(lambda found: found[0] if found[2].split() == [found[2]] else " ", own)


def without_names(text: str) -> str:
    """Likewise without any name; what stands between two quotes of a kind is quoted, too."""
    return QUOTED_TO_THE_LAST.sub(" ", ADDRESS.sub("", before_input(text)))
