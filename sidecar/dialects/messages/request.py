"""A Messages request as a chat request."""

from __future__ import annotations

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.messages.names import user_id
from sidecar.dialects.messages.tools import as_tools, is_closed
from sidecar.dialects.messages.turns import as_turns
from sidecar.dialects.odd import object_in

RENAMED = {
    "model": "model",
    "max_tokens": "max_completion_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop_sequences": "stop",
    "stream": "stream",
}
TRANSLATED = frozenset(
    (
        *RENAMED,
        *("system", "messages", "tools", "tool_choice", "metadata"),
        *("thinking", "output_config", "output_format", "service_tier", "speed"),
    )
)
# What only Anthropic can do. To leave it out would be to do something else than was asked for.
ITS_OWN = {
    "container": "its containers",
    "mcp_servers": "calling MCP servers itself",
    "inference_geo": "its regions",
}
ANYWHERE = "global"  # a region that is none
NOTHING: tuple[object, ...] = (None, [], {})

EFFORTS = frozenset(("low", "medium", "high", "xhigh", "max"))
EFFORT_BY_BUDGET = ((4096, "low"), (16384, "medium"))  # tokens of thinking, below …


def to_chat(fields: Json) -> Json:
    """The request as a chat request, which shares parts with it. Raises `Untranslatable`.

    All stop sequences go on: some providers take more than the four that OpenAI does, and those
    that do not say so themselves.
    """
    for name, what in ITS_OWN.items():
        if fields.get(name) not in (*NOTHING, ANYWHERE):
            raise Untranslatable(f"{name}: only Anthropic has {what}.", name)
    try:
        return {
            **{RENAMED[name]: fields[name] for name in RENAMED if fields.get(name) not in NOTHING},
            "messages": as_turns(fields),
            **as_tools(fields),
            **as_effort(fields),
            **as_response_format(fields),
            **as_terms(fields),
        }
    except RecursionError:
        raise Untranslatable("The request is nested too deep.") from None


def dropped_by(fields: Json) -> tuple[str, ...]:
    """The fields that `to_chat` leaves out, because nobody else has anything like them."""
    return tuple(
        name
        for name, value in fields.items()
        if name not in TRANSLATED and name not in ITS_OWN and value not in NOTHING
    )


def as_effort(fields: Json) -> Json:
    """How hard to think: as the application says, or as much as it lets the model think."""
    thinking = object_in(fields, "thinking")
    kind, stated = thinking.get("type"), object_in(fields, "output_config").get("effort")
    if kind == "disabled":
        return {}  # not `none`: most models that do not think refuse even that word
    if isinstance(stated, str) and stated in EFFORTS:
        return {"reasoning_effort": stated}
    if kind == "enabled":
        return {"reasoning_effort": effort_for(thinking.get("budget_tokens"))}
    return {"reasoning_effort": "medium"} if kind == "adaptive" else {}


def effort_for(budget: object) -> str:
    tokens = budget if isinstance(budget, int) else 0
    return next((effort for below, effort in EFFORT_BY_BUDGET if tokens < below), "high")


def as_response_format(fields: Json) -> Json:
    """The schema of the answer. `output_format` is where it was said before `output_config`."""
    wanted = object_in(fields, "output_config").get("format") or fields.get("output_format")
    if not wanted:
        return {}
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    if not isinstance(schema, dict) or wanted.get("type") != "json_schema":
        raise Untranslatable("output_config: its format must be a json_schema.", "output_config")
    told = {"name": "answer", "schema": schema, "strict": is_closed(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": told}}


def as_terms(fields: Json) -> Json:
    """For whom the answer is, and how urgent it is."""
    terms = {}
    user = object_in(fields, "metadata").get("user_id")
    if isinstance(user, str):
        terms["safety_identifier"] = user_id(user)
    if fields.get("speed") == "fast":
        terms["service_tier"] = "fast"
    elif fields.get("service_tier") == "standard_only":
        terms["service_tier"] = "default"
    return terms
