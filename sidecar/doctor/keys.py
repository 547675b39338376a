"""Whether a provider's keys can be keys at all. They are never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sidecar.core.settings import Provider, Secret
from sidecar.dialects.presets import Preset
from sidecar.doctor.finding import Finding, bad, counted, doubt, good

CHECK = "keys"
# What manuals and templates put where a key belongs.
PLACEHOLDER = re.compile(
    r".*(?:\.\.\.|…|x{6,}|\*{3,}).*|<.*>|\$.*|\{.*\}|-+|(?:sk-)?(?:your|my|insert|put|add)[-_].*"
    r"|.*[-_]here|(?:sk-)?(?:change|replace)[-_]?me.*|todo|none|null|dummy|test|x+|secret|example"
    r"|placeholder|(?:api[-_]?)?key|token|password",
    re.IGNORECASE,
)
QUOTES = ("'", '"')
CLOUDS = {"google": "Google's own credentials", "aws": "AWS's own credentials"}


def judge_keys(provider: Provider, preset: Preset) -> Finding:
    """What can be said of the keys without asking anybody."""
    name, keys = provider.name, provider.keys
    if not keys:
        instead = CLOUDS.get(preset.credential, "none, and none is required")
        return good(name, CHECK, instead)
    if wrongs := "; ".join(wrongs_of(keys)):
        needed = preset.key_required or provider.base_url == preset.base_url
        source = f"${preset.key_env}" if preset.key_env else "its configuration"
        cure = f"put the provider's own key, and nothing else, into {source} or its api_key"
        return (bad if needed else doubt)(name, CHECK, wrongs, cure)
    return good(name, CHECK, counted(len(keys), "key"))


def wrongs_of(keys: Sequence[Secret]) -> Iterator[str]:
    """What is wrong with those that cannot be keys, by their number if there are several."""
    for number, key in enumerate(keys, 1):
        if wrong := what_is_wrong(key):
            yield f"key {number} of {len(keys)} {wrong}" if len(keys) > 1 else f"the key {wrong}"


def what_is_wrong(key: Secret) -> str:
    """Why `key` cannot be one; empty if it can."""
    text = key.reveal()
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        return "has white space in or around it"
    if text[:1] in QUOTES and text[-1:] == text[:1]:
        return "has quotes around it"
    return "is a placeholder" if not text or PLACEHOLDER.fullmatch(text) else ""
