"""What a call may need that not every provider can do."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """One thing that a call needs, by the word of the configuration's `cannot`.

    `RESPONSES` is what only a provider's own Responses API can do: kept state, hosted tools.
    """

    TOOLS = "tools"
    IMAGES = "images"
    AUDIO = "audio"
    PDF = "pdf"
    JSON_SCHEMA = "json_schema"
    CHOICES = "n"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
