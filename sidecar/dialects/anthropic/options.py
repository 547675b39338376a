"""The plain options of a call: how long, how random, until when, for whom, how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from sidecar.dialects.anthropic.models import Model
from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.odd import text_in
from sidecar.dialects.openai import is_count

DEFAULT_MAX_TOKENS = 16_000  # a whole answer should not take longer than connections last
DEFAULT_MAX_TOKENS_STREAMED = 64_000
MAX_USER_ID = 256
WITHOUT_SAMPLING = "2026-10-21"  # the API version that refuses every sampling parameter
TIERS = {"auto": "auto", "default": "standard_only", "priority": "auto"}

Option = tuple[str, Json]  # the field of the call that was carried, and what it became


def max_tokens_of(fields: Json, model: Model, target: Target) -> int:
    """How long the answer may be: as asked or as Anthropic advises, never more than is granted."""
    asked = next(
        (
            value
            for name in ("max_completion_tokens", "max_tokens")
            if type(value := fields.get(name)) is int and value > 0
        ),
        DEFAULT_MAX_TOKENS_STREAMED if fields.get("stream") is True else DEFAULT_MAX_TOKENS,
    )
    return max(1, min(asked, model.max_tokens, target.max_tokens or asked))


def options(fields: Json, model: Model, target: Target) -> Iterator[Option]:
    """The options that can be carried, whatever else the request says."""
    for name in ("max_completion_tokens", "max_tokens"):
        if type(value := fields.get(name)) is int and value > 0:
            yield name, {}
    yield from stop_option(fields)
    yield from user_option(fields)
    yield from tier_option(fields, fast=model.fast and target.preset.credential == "key")


def stop_option(fields: Json) -> Iterator[Option]:
    """Blank sequences are refused. What is only partly carried counts as dropped."""
    stop = fields.get("stop")
    asked = [stop] if isinstance(stop, str) else stop
    if not isinstance(asked, list):
        return
    sequences = [one for one in asked if isinstance(one, str) and one.strip()]
    name = "stop" if sequences == asked else ""
    yield name, {"stop_sequences": sequences} if sequences else {}


def user_option(fields: Json) -> Iterator[Option]:
    """Only what may be an opaque id: Anthropic refuses what tells who somebody is."""
    for name in ("safety_identifier", "user"):
        user = text_in(fields, name)
        if 0 < len(user) <= MAX_USER_ID and "@" not in user:
            yield name, {"metadata": {"user_id": user}}
            return


def tier_option(fields: Json, *, fast: bool) -> Iterator[Option]:
    tier = text_in(fields, "service_tier")
    if tier == "fast" and fast:
        yield "service_tier", {"speed": "fast"}
    if tier in TIERS:
        yield "service_tier", {"service_tier": TIERS[tier]}


def sampling(fields: Json, model: Model, version: str) -> Iterator[Option]:
    """How random the answer may be, where the model and the API's version still take it."""
    if not model.samples or refuses_sampling(version):
        return
    temperature, top_p, top_k = fields.get("temperature"), fields.get("top_p"), fields.get("top_k")
    if is_number(temperature):
        yield "temperature", {"temperature": min(max(temperature, 0), 1)}
    if is_share(top_p) and (model.samples_both or temperature is None):
        yield "top_p", {"top_p": top_p}
    if is_count(top_k):
        yield "top_k", {"top_k": top_k}


def refuses_sampling(version: str) -> bool:
    """Whether the API's version does. Clouds have names of their own for the first one."""
    return version[:4].isdigit() and version >= WITHOUT_SAMPLING


def is_share(value: object) -> bool:
    return is_number(value) and 0 <= value <= 1


def is_number(value: object) -> TypeGuard[float]:
    return type(value) in (int, float)
