"""Reads what the machine gives this process: the limits of its control groups, and its own."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


def memory_room(root: Path = Path("/")) -> tuple[int | None, str]:
    """How many bytes there are, and what says so. `root` is where `proc` and `sys` are."""
    rooms = [(size, "the limit of its control group") for size in group_limits(root)]
    if found := AVAILABLE.search(text_of(root / "proc/meminfo")):
        rooms.append((int(found[1]) * 1024, "available on this machine"))
    return min(rooms, default=(None, ""))


def group_limits(root: Path) -> Iterator[int]:
    """The limits of the group of this process and of those around it, where they have any."""
    for line in text_of(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2 has one tree for all
            folder, name = "", "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = "memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for each in (group, *group.parents):
            # a group of whose name nothing is found here is the root as the container sees it
            text = text_of(root / "sys/fs/cgroup" / folder / each / name).strip()
            if text.isdecimal():
                yield int(text)


def text_of(path: Path) -> str:
    """What a file says; nothing where it cannot be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def open_files() -> int | None:
    """How many files and sockets this process may have open; `None` for any number."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if most == resource.RLIM_INFINITY else most
