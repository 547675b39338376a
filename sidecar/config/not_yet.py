"""What the format knows and this version does not do: refused with a clear word, never ignored.

Making one of these work removes its line here and adds its field in `core/settings.py`.
"""

from __future__ import annotations

NOT_YET = "is not supported by this version; remove it"

# `*` stands for any one part of a path: a provider's name, a position in a list.
KEYS = (
    "breaker.all_open",
    "providers.*.breaker.all_open",
)

_PATTERNS = tuple(tuple(key.split(".")) for key in KEYS)


def is_refused(path: tuple[str, ...]) -> bool:
    """Whether the key at `path` belongs to the format and is not served yet."""
    return any(_matches(pattern, path) for pattern in _PATTERNS)


def _matches(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        expected in ("*", part) for expected, part in zip(pattern, path, strict=True)
    )
