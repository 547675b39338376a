"""A call as a provider that speaks OpenAI hears it: nearly always the bytes that came in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from sidecar.core.outcome import Endpoint
from sidecar.dialects.deepseek import Thoughts
from sidecar.dialects.dialect import Answered, Json, Outgoing, Target, dumps
from sidecar.dialects.gemini import Signatures
from sidecar.dialects.odd import written
from sidecar.dialects.openai import ChatReader, read_usage
from sidecar.dialects.openai_assembly import ChatAssembler
from sidecar.dialects.openai_whole import check_answer, is_empty, is_filtered, read_answer
from sidecar.dialects.presets import Preset
from sidecar.dialects.quirks import mend_request
from sidecar.dialects.tidy_whole import tidy_whole

MODEL = re.compile(rb'"model"(\s*:\s*)("(?:[^"\\]|\\.)*")')
PLAIN = re.compile(rb"\s*\{[^\0]")  # as all of UTF-8 begins, and none of UTF-16
HIDDEN = b"\\u006"  # how a letter of "model" could be written otherwise
# What remembers of an answer what its provider wants back with the next turn.
NOTERS: dict[str, type[Signatures | Thoughts]] = {
    "google": Signatures,
    "deepseek": Thoughts,
}
COUNTED = {"include_usage": True}
COUNTING = b'{"stream_options":{"include_usage":true},'


class OpenAISide:
    """One call of `endpoint`. `body` is `fields` as they came in, empty where they were made."""

    __slots__ = ("_endpoint", "_note", "_target", "outgoing")

    def __init__(self, endpoint: Endpoint, fields: Json, target: Target, body: bytes = b"") -> None:
        self._endpoint = endpoint
        self._target = target
        noter = NOTERS.get(target.preset.wants_back)
        self._note = noter(target).note if noter else None
        self.outgoing = outgoing(endpoint, fields, target, body)

    def reader(self) -> ChatReader:
        """What reads its streamed answer."""
        return ChatReader(self._target.seed, self._note)

    def assembler(self) -> ChatAssembler:
        """What makes a whole answer of a streamed one."""
        return ChatAssembler(self._endpoint, self._put_together)

    def read_answer(self, body: bytes) -> Answered:
        """Read its whole answer. Raises `AnswerFailed`."""
        answer = read_answer(body, self._endpoint)
        if self._endpoint is Endpoint.EMBEDDINGS:
            return Answered(answer=answer, raw=body, usage=read_usage(answer.get("usage")))
        changed = self._tidy(answer)
        if self._note:
            self._note(answer)
        return self._judged(answer, b"" if changed else body)

    def _put_together(self, answer: Json) -> Answered:
        """The same for an answer that was streamed; what is to be noted, its reader noted."""
        check_answer(answer, self._endpoint)
        self._tidy(answer)
        return self._judged(answer, written(answer))

    def _tidy(self, answer: Json) -> bool:
        return self._endpoint is Endpoint.CHAT and tidy_whole(answer, self._target.seed)

    def _judged(self, answer: Json, raw: bytes) -> Answered:
        return Answered(
            answer=answer,
            raw=raw,
            usage=read_usage(answer.get("usage")),
            filtered=is_filtered(answer),
            empty=self._endpoint is Endpoint.CHAT and is_empty(answer),
        )


def outgoing(endpoint: Endpoint, fields: Json, target: Target, body: bytes) -> Outgoing:
    """The request for `target`."""
    mended, dropped = mend_request(fields, target)
    counts = bool(mended.get("stream")) and asks_usage(endpoint, mended, target)
    written = b""
    if mended is fields and PLAIN.match(body):
        written = spliced(body, fields, target.model, counts=counts)
    return Outgoing(
        path=path_of(target.preset, ENDPOINT_PATHS[endpoint], target.model),
        body=written or rewritten(mended, target.model, counts=counts),
        dropped=dropped,
    )


ENDPOINT_PATHS = {
    Endpoint.CHAT: "/chat/completions",
    Endpoint.COMPLETIONS: "/completions",
    Endpoint.EMBEDDINGS: "/embeddings",
}


def path_of(preset: Preset, path: str, model: str) -> str:
    """What follows the base URL for a call of `path`."""
    if preset.path:
        path = preset.path.replace("{model}", quote(model, safe="")) + path
    return f"{path}?{preset.query}" if preset.query else path


def asks_usage(endpoint: Endpoint, fields: Mapping[str, Any], target: Target) -> bool:
    """Whether the provider has yet to be told to count the tokens of what it streams."""
    if endpoint is Endpoint.EMBEDDINGS:
        return False
    options = fields.get("stream_options")
    told = isinstance(options, dict) and options.get("include_usage") is True
    takes = target.preset.quirks.asks_usage and "stream_options" not in target.without
    return takes and not told


def spliced(body: bytes, fields: Json, model: str, *, counts: bool) -> bytes:
    """The bytes as they came but for what has to change; integers of any length stay.

    Empty where it cannot be done in place.
    """
    if counts:
        if "stream_options" in fields:
            return b""
        body = COUNTING + body[body.index(b"{") + 1 :]
    if model == fields["model"]:
        return body
    if HIDDEN in body or len(MODEL.findall(body)) != 1:
        return b"" if counts else reparsed(body, model)
    name = orjson.dumps(model)
    return MODEL.sub(lambda found: b'"model"' + found[1] + name, body)


def reparsed(body: bytes, model: str) -> bytes:
    """The body with another model, where that can only be found by reading it."""
    return json.dumps({**json.loads(body), "model": model}).encode()


def rewritten(fields: Json, model: str, *, counts: bool) -> bytes:
    """The request written anew."""
    changes: Json = {"model": model}
    if counts:
        options = fields.get("stream_options")
        changes["stream_options"] = {**options, **COUNTED} if isinstance(options, dict) else COUNTED
    return dumps({**fields, **changes})
