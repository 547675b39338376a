"""The turns of a Messages request as those of a chat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, TypeVar

from sidecar.dialects.dialect import Json, Untranslatable, dumps
from sidecar.dialects.messages.names import function_name

T = TypeVar("T")

PARAGRAPH = "\n\n"
ERROR = "Error: "
SEE_BELOW = "(see below)"  # for a result without words; some providers refuse an empty one

# What the assistant's turn may hold. All but the first two, only Anthropic's own server can read.
SAID = frozenset(
    (
        *("text", "tool_use"),
        *("thinking", "redacted_thinking", "server_tool_use", "mcp_tool_use"),
    )
)
SERVER_RESULT = "_tool_result"


def as_turns(fields: Json) -> list[Json]:
    """All turns, the system prompt first. Raises `Untranslatable`.

    Turns of the same role that follow each other are one, as Anthropic reads them: so the results
    of tools stand directly after the calls.
    """
    messages = fields.get("messages")
    if not isinstance(messages, list):
        raise unfit("must be a list")
    turns = [
        turn
        for role, together in groupby(filter(is_said, messages), role_of)
        for turn in TURNS[role](blocks_of_all(together))
    ]
    if not turns:
        raise unfit("must say something")
    return [*system_turn(blocks_of(fields.get("system"), "system"), "system"), *turns]


def role_of(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(role, str) or role not in TURNS:
        raise unfit(f"each must have one of the roles {', '.join(TURNS)}")
    return role


def is_said(message: Any) -> bool:
    """Not so a turn without words or calls: it keeps no turns of the same role apart."""
    role = role_of(message)
    return role == "user" or bool(TURNS[role](blocks_of(message.get("content"))))


def blocks_of_all(messages: Iterable[Json]) -> list[Json]:
    return [block for message in messages for block in blocks_of(message.get("content"))]


def blocks_of(content: object, param: str = "messages") -> list[Json]:
    """The content blocks of what may be a string. Raises `Untranslatable`."""
    if content is None:
        return []
    if isinstance(content, str):
        return [text_part(content)]
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise unfit("content must be a string or a list of blocks", param)
    return content


def unfit(why: str, param: str = "messages") -> Untranslatable:
    return Untranslatable(f"{param}: {why}.", param)


def text_part(text: str) -> Json:
    return {"type": "text", "text": text}


def is_text(block: Json) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)


def text_of(block: Json, name: str = "text") -> str:
    """A member that has to be a string. Raises `Untranslatable`."""
    value = block.get(name)
    if not isinstance(value, str):
        raise unfit(f"a block has no {name}")
    return value


# Turns by role


def system_turn(blocks: list[Json], param: str = "messages") -> list[Json]:
    """The system prompt, or an instruction in the middle of the conversation."""
    if not all(map(is_text, blocks)):
        raise unfit("a system prompt may only hold text", param)
    text = PARAGRAPH.join(map(text_of, blocks))
    return [{"role": "system", "content": text}] if text else []


def user_turn(blocks: list[Json]) -> list[Json]:
    """The results of tools, then all else that the user says."""
    tools, shown = list[Json](), list[Json]()
    for result in of_type(blocks, "tool_result"):
        tool, attached = tool_turn(result)
        tools.append(tool)
        shown += attached
    shown += parts_of(block for block in blocks if block.get("type") != "tool_result")
    return [*tools, {"role": "user", "content": as_content(shown)}] if shown else tools


def as_content(parts: list[Json]) -> str | list[Json]:
    """The parts; a text alone as the string that every provider takes."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def tool_turn(result: Json) -> tuple[Json, list[Json]]:
    """A tool's result, and as parts of the user's turn what is not text in it."""
    call_id = text_of(result, "tool_use_id")
    parts = parts_of(blocks_of(result.get("content")))
    text = PARAGRAPH.join(part["text"] for part in parts if part["type"] == "text")
    attached = [part for part in parts if part["type"] != "text"]
    if attached:
        attached.insert(0, text_part(f"From the result of {call_id}:"))
        text = text or SEE_BELOW
    if result.get("is_error") is True:
        text = ERROR + text
    return {"role": "tool", "tool_call_id": call_id, "content": text}, attached


def assistant_turn(blocks: list[Json]) -> list[Json]:
    """What the model said and the tools it called; not what it thought."""
    for block in blocks:
        require_readable(block)
    text = "".join(map(text_of, of_type(blocks, "text")))
    calls = list(map(tool_call, of_type(blocks, "tool_use")))
    if calls:
        return [{"role": "assistant", "content": text or None, "tool_calls": calls}]
    return [{"role": "assistant", "content": text}] if text else []


def require_readable(block: Json) -> None:
    kind = str(block.get("type"))
    if kind not in SAID and not kind.endswith(SERVER_RESULT):
        raise unknown(block)


def of_type(blocks: list[Json], kind: str) -> list[Json]:
    return [block for block in blocks if block.get("type") == kind]


def tool_call(block: Json) -> Json:
    function = {
        "name": function_name(text_of(block, "name")),
        "arguments": dumps(block.get("input") or {}).decode(),
    }
    return {"id": text_of(block, "id"), "type": "function", "function": function}


TURNS: dict[str, Callable[[list[Json]], list[Json]]] = {
    "user": user_turn,
    "assistant": assistant_turn,
    "system": system_turn,
}


# Parts of a user's turn


def parts_of(blocks: Iterable[Json]) -> list[Json]:
    """What the blocks show, as parts of a chat message. Raises `Untranslatable`."""
    return [part for block in blocks for part in read(block, PARTS)]


def read(block: Json, readers: dict[str, Callable[[Json], T]]) -> T:
    """A block or source, read by its type. Raises `Untranslatable`."""
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in readers:
        raise unknown(block)
    return readers[kind](block)


def unknown(block: Json) -> Untranslatable:
    return unfit(f"a chat completion has nothing like type {block.get('type')!r:.64} there")


def source_of(block: Json) -> Json:
    source = block.get("source")
    if not isinstance(source, dict):
        raise unfit("a block has no source")
    return source


def image_part(block: Json) -> list[Json]:
    return [{"type": "image_url", "image_url": {"url": read(source_of(block), IMAGES)}}]


def document_parts(block: Json) -> list[Json]:
    """A document, after what the application says about it."""
    said = [block[name] for name in ("title", "context") if isinstance(block.get(name), str)]
    return [*map(text_part, said), *read(source_of(block), DOCUMENTS)]


def search_result_part(block: Json) -> list[Json]:
    """A passage that the application found, with where it is from."""
    said = [text_of(block, name) for name in ("title", "source")]
    said += [text_of(found) for found in blocks_of(block.get("content"))]
    return [text_part("\n".join(said))]


def data_url(source: Json) -> str:
    return f"data:{text_of(source, 'media_type')};base64,{text_of(source, 'data')}"


def file_part(source: Json) -> list[Json]:
    file = {"filename": "document.pdf", "file_data": data_url(source)}
    return [{"type": "file", "file": file}]


PARTS: dict[str, Callable[[Json], list[Json]]] = {
    "text": lambda block: [text_part(text_of(block))],
    "image": image_part,
    "document": document_parts,
    "search_result": search_result_part,
    "tool_reference": lambda block: [text_part(text_of(block, "tool_name"))],  # all are on offer
}
# By the type of their source; what is only an id of a file, or a PDF's address, cannot be said.
IMAGES: dict[str, Callable[[Json], str]] = {
    "base64": data_url,
    "url": lambda source: text_of(source, "url"),
}
DOCUMENTS: dict[str, Callable[[Json], list[Json]]] = {
    "base64": file_part,
    "text": lambda source: [text_part(text_of(source, "data"))],
    "content": lambda source: parts_of(blocks_of(source.get("content"))),
}
