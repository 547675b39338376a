"""JSON that may be anything: its members as the type that they should have, and its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.dialects.dialect import Json, Untranslatable, dumps


def text_in(holder: Mapping[str, Any], name: str) -> str:
    """The text under `name`; empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def object_in(holder: Mapping[str, Any], name: str) -> Json:
    """The object under `name`; empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[Any]:
    """The items of a list; none of anything else."""
    return value if isinstance(value, list) else []


def written(value: Any) -> bytes:
    """`value` as JSON. Raises `AnswerFailed` for what is nested too deep to be passed on."""
    try:
        return dumps(value)
    except RecursionError:
        raise too_deep() from None


def sendable(request: Json) -> bytes:
    """A request as JSON. Raises `Untranslatable` for what is nested too deep to be sent."""
    try:
        return dumps(request)
    except RecursionError:
        raise Untranslatable("The request is nested too deep.") from None


def too_deep() -> AnswerFailed:
    """It reads what is nested deeper than it writes."""
    return AnswerFailed(Outcome.PROTOCOL, "the provider's answer is nested too deep")
