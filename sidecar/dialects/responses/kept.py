"""What a provider says of a response that it keeps, under the id that applications know."""

from __future__ import annotations

import orjson

from sidecar.core.sse import Event, Parser, encode
from sidecar.dialects.anthropic.events import parsed
from sidecar.dialects.dialect import dumps
from sidecar.dialects.odd import text_in, written
from sidecar.dialects.responses.naming import name_event, name_response

OBJECT = "response"  # and what OpenAI calls one that is deleted begins so


def retold(body: bytes, provider: str) -> bytes:
    """The whole answer; as it came where it is about something else, such as its input items.

    Raises `AnswerFailed` for what is nested too deep.
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if not isinstance(said, dict) or not text_in(said, "object").startswith(OBJECT):
        return body
    return written(said) if name_response(said, provider) else body


class Retelling:
    """The same of an answer that is streamed. No event may be larger than `max_bytes`."""

    def __init__(self, provider: str, max_bytes: int) -> None:
        self._provider = provider
        self._parser = Parser(max_bytes)

    def feed(self, data: bytes) -> bytes:
        """The events that `data` completes. Raises `EventTooLarge`."""
        return b"".join(map(self._retold, self._parser.feed(data)))

    def end(self) -> bytes:
        """What is left when no more comes."""
        last = self._parser.end()
        return self._retold(last) if last else b""

    def _retold(self, event: Event) -> bytes:
        said = parsed(event)
        if isinstance(said, dict) and name_event(said, self._provider):
            return encode(dumps(said), event.name)
        return event.raw or encode(event.data, event.name)
