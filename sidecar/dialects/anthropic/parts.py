"""Content parts of chat messages, as Anthropic's content blocks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from sidecar.dialects.dialect import Json, Untranslatable

IMAGES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
ALIASES = {"image/jpg": "image/jpeg"}
PDF = "application/pdf"

Kinds = Mapping[str, Callable[[Json], list[Json]]]


def blocks_of(content: object, kinds: Kinds) -> list[Json]:
    """The blocks of a message's content: text, or parts of these `kinds`. Empty text says nothing.

    Raises `Untranslatable` for everything else.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return text_blocks(content)
    if not isinstance(content, list):
        raise untranslatable("content that is neither text nor parts")
    return [block for part in content for block in part_blocks(part, kinds)]


def part_blocks(part: object, kinds: Kinds) -> list[Json]:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str) or kind not in kinds:
        raise untranslatable("a content part that Anthropic's API has no form for")
    blocks = kinds[kind](part)
    mark = cache_mark(part)
    return [{**block, **mark} for block in blocks] if mark else blocks


def text_blocks(text: object) -> list[Json]:
    """`text` as a block, unless it is blank: Anthropic's API refuses that."""
    if not isinstance(text, str):
        raise untranslatable("text that is no string")
    return [{"type": "text", "text": text}] if text.strip() else []


def cache_mark(part: Mapping[str, object]) -> Json:
    """Where the prompt may be cached up to, as the members of a block; empty where nobody said."""
    asked = part.get("cache_control")
    if isinstance(asked, dict) and asked.get("type") == "ephemeral":
        ttl = asked.get("ttl")
        lasting = {"ttl": ttl} if ttl in ("5m", "1h") else {}
        return {"cache_control": {"type": "ephemeral", **lasting}}
    if part.get("prompt_cache_breakpoint"):
        return {"cache_control": {"type": "ephemeral"}}
    return {}


def text_part(part: Json) -> list[Json]:
    return text_blocks(part.get("text"))


def refusal_part(part: Json) -> list[Json]:
    return text_blocks(part.get("refusal"))


def image_part(part: Json) -> list[Json]:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return [{"type": "image", "source": image_source(url)}]


def image_source(url: object) -> Json:
    if is_link(url):
        return {"type": "url", "url": url}
    kind, data = read_data_url(url)
    if kind not in IMAGES:
        raise untranslatable("an image that is no JPEG, PNG, GIF or WebP")
    return {"type": "base64", "media_type": kind, "data": data}


def file_part(part: Json) -> list[Json]:
    file = part.get("file")
    if not isinstance(file, dict):
        raise untranslatable("a file part without its file")
    name = file.get("filename")
    title = {"title": name} if isinstance(name, str) and name else {}
    return [{"type": "document", "source": document_source(file), **title}]


def document_source(file: Json) -> Json:
    """A PDF, or plain text. A file that was uploaded to OpenAI is out of reach."""
    data = file.get("file_url") or file.get("file_data")
    if is_link(data):
        return {"type": "url", "url": data}
    if not isinstance(data, str):
        raise untranslatable("a file by its id, which only its own provider knows")
    kind, encoded = read_data_url(data) if data.startswith("data:") else (PDF, data)
    if kind == PDF:
        return {"type": "base64", "media_type": PDF, "data": encoded}
    if kind.startswith("text/"):
        return {"type": "text", "media_type": "text/plain", "data": decoded(encoded)}
    raise untranslatable("a file that is neither PDF nor text")


def audio_part(_part: Json) -> list[Json]:
    raise untranslatable("audio, which Claude cannot hear")


def nothing(_part: Json) -> list[Json]:
    return []


def is_link(url: object) -> bool:
    return isinstance(url, str) and url[:8].lower() == "https://"


def read_data_url(url: object) -> tuple[str, str]:
    """The media type and the base64 text of a data URL (RFC 2397). Raises `Untranslatable`."""
    head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    kind, *parameters = head[5:].lower().split(";")
    if not (comma and head[:5].lower() == "data:" and "base64" in parameters):
        raise untranslatable("an image or file that is neither an https nor a base64 data URL")
    return ALIASES.get(kind, kind), data


def decoded(data: str) -> str:
    try:
        return base64.b64decode(data).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise untranslatable("a file that is not base64") from None


def untranslatable(what: str) -> Untranslatable:
    return Untranslatable(f"messages hold {what}", "messages")


TEXT: Kinds = {"text": text_part}
SAID_BY_USER: Kinds = {
    **TEXT,
    "image_url": image_part,
    "file": file_part,
    "input_audio": audio_part,
}
SAID_BY_ASSISTANT: Kinds = {
    **TEXT,
    "refusal": refusal_part,
    # only signed thinking may come back, and only to the vendor who signed it
    **dict.fromkeys(("thinking", "redacted_thinking", "reasoning"), nothing),
}
