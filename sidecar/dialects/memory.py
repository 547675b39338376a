"""What a provider wants back with the next turn, kept by tool-call id, because clients lose it."""

from __future__ import annotations

from collections import OrderedDict

from sidecar.dialects.legal import safe_id

MAX_ENTRIES = 10_000  # a tool call each, of every conversation under way
MAX_BYTES = 8 * 1024**2
ENTRY_BYTES = 64 * 1024  # a longer one is no signature; it is not kept


class Memory:
    """Remembers a value for each tool call, at most `max_bytes` of them: the latest used stay.

    `family` keeps apart what is signed by different vendors, who reject each other's signatures.
    An id is the same before and after it was made legal for somebody else.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._size = 0
        self._values: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def keep(self, family: str, call_id: str, value: bytes) -> None:
        """Remember `value` for the tool call `call_id`, in place of an earlier one."""
        call_id = safe_id(call_id)
        size = len(value) + len(call_id)
        if size > min(ENTRY_BYTES, self._max_bytes):
            return
        self._forget((family, call_id))
        self._values[family, call_id] = value
        self._size += size
        while len(self._values) > self._max_entries or self._size > self._max_bytes:
            self._forget(next(iter(self._values)))

    def recall(self, family: str, call_id: str) -> bytes | None:
        """What was kept for the tool call, if it is still there."""
        key = family, safe_id(call_id)
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def _forget(self, key: tuple[str, str]) -> None:
        value = self._values.pop(key, None)
        if value is not None:
            self._size -= len(value) + len(key[1])
