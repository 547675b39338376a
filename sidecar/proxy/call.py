"""What the application asked for, read and checked before any provider hears of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from sidecar.core.outcome import Endpoint
from sidecar.core.refusal import Refused

THOUGHTLESS = (None, "none", "minimal")  # compared, not hashed: it may be anything
STREAMABLE = (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES)
FIT = re.compile(r"[\x21-\x7e]{1,128}")

CODES = {
    400: "invalid_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    501: "not_implemented",
}


class Rejected(Exception):
    """The request cannot be served, whoever is asked; says what the application hears."""

    def __init__(self, refused: Refused, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(refused.message)
        self.refused = refused
        self.headers = headers or {}


@dataclass(slots=True, kw_only=True)
class Call:
    """A request on its way to a provider. `path` is what follows the base URL, query included.

    `choices` is how many answers were asked for; `wants_usage` says that a stream shall end with
    the tokens counted.
    """

    id: str
    endpoint: Endpoint
    path: str
    body: bytes
    headers: list[tuple[str, str]]
    method: str = "POST"
    model: str = ""
    stream: bool = False
    reasoning: bool = False
    choices: int = 1
    wants_usage: bool = False
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def shown_model(self) -> str:
        """The model asked for, if a header can hold it."""
        return self.model if FIT.fullmatch(self.model) else "*"


class Asked(NamedTuple):
    """Which request it is, and for what; `path` is that of the endpoint."""

    id: str
    endpoint: Endpoint
    path: str


def read_call(
    asked: Asked, fields: dict[str, Any], body: bytes, headers: Iterable[tuple[str, str]]
) -> Call:
    """The call that `fields`, the parsed `body`, make."""
    return Call(
        id=asked.id,
        endpoint=asked.endpoint,
        path=asked.path,
        model=fields["model"],
        stream=bool(fields.get("stream")) and asked.endpoint is not Endpoint.EMBEDDINGS,
        reasoning=asks_for_reasoning(fields),
        choices=choices_asked(fields),
        wants_usage=asks_for_usage(fields),
        fields=fields,
        body=body,
        headers=json_headers(headers),
    )


def json_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The application's headers, of a body that has proved to be JSON."""
    others = [header for header in headers if header[0].lower() != "content-type"]
    return [*others, ("Content-Type", "application/json")]


def read_fields(body: bytes) -> dict[str, Any]:
    """Parse a call's JSON object. Raises `Rejected`."""
    fields = parse(body)
    if not isinstance(fields, dict):
        raise rejected("The body must be a JSON object.")
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise rejected("The field 'model' must be a non-empty string.", param="model")
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise rejected("The field 'stream' must be true or false.", param="stream")
    return fields


def parse(body: bytes) -> Any:
    """`body` as JSON. What the strict parser refuses (lone surrogates) a lenient one may take."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise rejected(f"The body is not valid JSON: {error}.") from None


def asks_for_reasoning(fields: Mapping[str, Any]) -> bool:
    """Whether a first token may take long because the model is to think first."""
    thinking = fields.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") not in (None, "disabled"):
        return True
    reasoning = fields.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return fields.get("reasoning_effort", effort) not in THOUGHTLESS


def asks_for_usage(fields: Mapping[str, Any]) -> bool:
    """Whether a stream shall end with the tokens counted."""
    options = fields.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def choices_asked(fields: Mapping[str, Any]) -> int:
    """How many answers are asked for at once."""
    number = fields.get("n")
    return number if isinstance(number, int) and number > 0 else 1


def can_stream(call: Call) -> bool:
    """Whether a whole answer could as well be streamed by a provider, and mean the same."""
    if call.endpoint not in STREAMABLE:
        return False
    fields = call.fields
    best_of = fields.get("best_of")
    in_background = fields.get("background") is True
    speaks = fields.get("audio") is not None  # its format would have to be another one
    return not (in_background or speaks or (isinstance(best_of, int) and best_of > 1))


def rejected(message: str, *, param: str | None = None, status: int = 400) -> Rejected:
    """An error of the application's making."""
    return Rejected(
        Refused(
            status=status,
            type="invalid_request_error",
            code=CODES[status],
            message=message,
            param=param,
        )
    )


def too_large(limit: int) -> Rejected:
    """A body over the limit."""
    return rejected(f"The body is larger than {limit} bytes.", status=413)


def no_such_model(model: str) -> Rejected:
    """No route serves `model`."""
    shown = model[:100].encode("utf-8", "replace").decode() + "…" * (len(model) > 100)
    return Rejected(
        Refused(
            status=404,
            type="invalid_request_error",
            code="model_not_found",
            message=f"The model '{shown}' does not match any route.",
            param="model",
        )
    )
