"""The form that an answer is to have: a format, a tool whose input it is, or an instruction."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from sidecar.dialects.anthropic.models import Model
from sidecar.dialects.anthropic.schema import cleaned, is_object, tool_schema
from sidecar.dialects.dialect import Json, Untranslatable, dumps
from sidecar.dialects.odd import object_in, text_in

ANSWER_TOOL = "answer"
ABOUT_THE_TOOL = "Gives the answer. Call it once, with the whole answer."
JSON_ONLY = "Answer with a single JSON object and nothing else: no Markdown, no words around it."
BY_SCHEMA = "Answer with JSON alone, no Markdown, no words around it. It follows this JSON schema:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What to say of the form. `carried`: nothing that was asked for is left out."""

    format: Json | None = None
    tool: Json | None = None
    instruction: str = ""
    carried: bool = True


def write_output(fields: Json, model: Model, taken: Container[str]) -> Output:
    """What `response_format` asks for. `taken` are the names of the application's own tools."""
    asked = object_in(fields, "response_format")
    kind = text_in(asked, "type")
    if kind == "json_object":
        return Output(instruction=JSON_ONLY)
    if kind == "json_schema":
        described = object_in(asked, "json_schema")
        return by_schema(described, model, taken)
    return Output(carried=kind == "text")


def by_schema(described: Json, model: Model, taken: Container[str]) -> Output:
    schema = described.get("schema")
    if not isinstance(schema, dict):
        return Output(instruction=JSON_ONLY)
    clean, is_whole = cleaned(schema)
    if model.formats and clean is not None:
        return Output(format={"type": "json_schema", "schema": clean}, carried=is_whole)
    if not model.formats and is_object(schema):
        return Output(tool=answer_tool(described, schema, taken))
    return Output(instruction=f"{BY_SCHEMA}\n{in_words(schema)}", carried=False)


def answer_tool(described: Json, schema: Json, taken: Container[str]) -> Json:
    name = ANSWER_TOOL
    while name in taken:
        name += "_"
    description = text_in(described, "description") or ABOUT_THE_TOOL
    return {"name": name, "description": description, "input_schema": tool_schema(schema)}


def in_words(schema: Json) -> str:
    try:
        return dumps(schema).decode()
    except RecursionError:
        raise Untranslatable("the schema is nested too deep", "response_format") from None
