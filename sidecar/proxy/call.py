"""What the application asked for, read and checked before any provider hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sidecar.core.outcome import Endpoint
from sidecar.core.refusal import Refused

THOUGHTLESS = (None, "none", "minimal")  # compared, not hashed: it may be anything


class Rejected(Exception):
    """The request cannot be served, whoever is asked; says what the application hears."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to be answered by a chain. `path` is that of the endpoint below the base URL."""

    id: str
    endpoint: Endpoint
    path: str
    model: str
    stream: bool
    reasoning: bool
    fields: Mapping[str, Any]
    body: bytes
    headers: list[tuple[str, str]]

    def body_for(self, model: str | None) -> bytes:
        """The bytes for a provider that is to be asked for `model` (`None`: as it came)."""
        if model is None or model == self.model:
            return self.body
        return orjson.dumps({**self.fields, "model": model})


def read_fields(body: bytes) -> dict[str, Any]:
    """Parse a call's JSON object. Raises `Rejected`."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise rejected(f"The body is not valid JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise rejected("The body must be a JSON object.")
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise rejected("The field 'model' must be a non-empty string.", param="model")
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise rejected("The field 'stream' must be true or false.", param="stream")
    return fields


def asks_for_reasoning(fields: Mapping[str, Any]) -> bool:
    """Whether a first token may take long because the model is to think first."""
    thinking = fields.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") not in (None, "disabled"):
        return True
    reasoning = fields.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return fields.get("reasoning_effort", effort) not in THOUGHTLESS


def rejected(message: str, *, param: str | None = None, status: int = 400) -> Rejected:
    """An error of the application's making."""
    return Rejected(
        Refused(
            status=status,
            type="invalid_request_error",
            code=CODES.get(status, "invalid_request"),
            message=message,
            param=param,
        )
    )


CODES = {
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    501: "not_implemented",
}


def no_such_model(model: str) -> Rejected:
    """No route serves `model`."""
    shown = model if len(model) <= 100 else f"{model[:100]}…"
    return Rejected(
        Refused(
            status=404,
            type="invalid_request_error",
            code="model_not_found",
            message=f"The model '{shown}' does not match any route.",
            param="model",
        )
    )
