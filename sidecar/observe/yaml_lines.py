"""Settings as lines of YAML, to be copied into a configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import ceil, floor, log10

PLAIN_WORD = re.compile(r"[A-Za-z][\w./-]*")
NOT_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def of_provider(name: str, line: str) -> str:
    """A setting of one provider."""
    return f"providers: {{{word(name)}: {{{line}}}}}"


def words(texts: Iterable[str]) -> str:
    """A list in YAML."""
    return f"[{', '.join(map(word, texts))}]"


def word(text: str) -> str:
    """A text in YAML, quoted where that is needed."""
    plain = PLAIN_WORD.fullmatch(text) and text.lower() not in NOT_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def rounded_up(value: float) -> float:
    """The next number of two digits; 0 stays."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (floor(log10(value)) - 1)
    return round(ceil(round(value / unit, 6)) * unit, 6)


def told_s(seconds: float) -> str:
    """A duration as the configuration writes it."""
    return f"{seconds:.3g}s" if 1 <= seconds < 1000 else f"{seconds * 1000:.0f}ms"
