"""Comments that stay where they were while lists around them change.

ruamel.yaml keeps a comment with what stands before it: that over a list's first item with the list,
any other one with the last word of the item above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

After = TypeVar("After")

OVER_FIRST = 3  # where a mapping keeps what stands over the first item of a list
OVER = 1  # where a list keeps what stands over another item
BEHIND = {CommentedMap: 2, CommentedSeq: 0}  # where each keeps what follows a value


class Listed(NamedTuple):
    """A list as it was: who holds it under which key, and its items."""

    holder: Any
    key: str
    items: list[Any]


def lists(pod: Any) -> Iterator[tuple[Any, str]]:
    """The lists of a pod that something is put into or taken from: who holds each, and its key."""
    spec = pod["spec"]
    for key in ("volumes", "containers", "initContainers"):
        if spec.get(key):
            yield spec, key
    for key in ("containers", "initContainers"):
        yield from ((one, "env") for one in spec.get(key) or () if one.get("env"))


def kept(pod: Any, change: Callable[[], After]) -> After:
    """What `change` makes of `pod`, with the comments in its lists where they were."""
    before = [Listed(holder, key, list(holder[key])) for holder, key in lists(pod)]
    result = change()
    for listed in before:
        if listed.holder.get(listed.key):
            stay_over_first(listed)
            pass_on_from_taken(listed)
    return result


def stay_over_first(listed: Listed) -> None:
    """Move what stood over the first item with it, if another one is first now."""
    holder, key, (first, *_) = listed
    items = holder[key]
    over = (holder.ca.items.get(key) or [])[OVER_FIRST:]
    place = place_of(first, items)
    if place and over and over[0]:
        items.ca.items[place] = [None, over[0], None, None]
        items.ca.comment = None
        holder.ca.items[key][OVER_FIRST] = None


def pass_on_from_taken(listed: Listed) -> None:
    """Give what follows an item that is gone to the item above, or to the list."""
    items = listed.holder[listed.key]
    above: Any = None
    for item in listed.items:
        if place_of(item, items) is not None:
            above = item or above
            continue
        follows = behind(item)
        if "#" in follows and above is not None:
            put_behind(above, follows)
        elif "#" in follows:
            put_over_first(listed.holder, listed.key, follows)


def place_of(item: Any, items: list[Any]) -> int | None:
    """Where this very item is."""
    return next((place for place, one in enumerate(items) if one is item), None)


def last_word(item: Any) -> tuple[Any, Any]:
    """The mapping or list that holds the last value of `item`, and where in it."""
    key = next(reversed(item)) if isinstance(item, CommentedMap) else len(item) - 1
    value = item[key]
    if isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        return last_word(value)
    return item, key


def behind(item: Any) -> str:
    """The lines that follow `item`."""
    holder, key = last_word(item)
    token = (holder.ca.items.get(key) or [None] * 4)[BEHIND[type(holder)]]
    return token.value.partition("\n")[2] if token else ""


def put_behind(item: Any, lines: str) -> None:
    """Have `lines` follow `item`."""
    holder, key = last_word(item)
    slots = holder.ca.items.setdefault(key, [None] * 4)
    slot = BEHIND[type(holder)]
    before = slots[slot].value if slots[slot] else "\n"
    slots[slot] = CommentToken(before + lines, start_mark=CommentMark(0))


def put_over_first(holder: Any, key: str, lines: str) -> None:
    """Have `lines` stand over the first item of a list."""
    mark = CommentMark(holder[key].lc.col)
    tokens = [CommentToken(f"{line.strip()}\n", start_mark=mark) for line in lines.splitlines()]
    holder.ca.items[key] = [*(holder.ca.items.get(key) or [None] * 4)[:OVER_FIRST], tokens]
    holder[key].ca.comment = [None, tokens]
