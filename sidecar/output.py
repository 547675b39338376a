"""What a command puts out, and that all of it arrives or it is said why not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def open_standard_streams() -> None:
    """Open what our caller closed, or the first sockets would take the places of the streams."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(spare)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


@contextmanager
def written_out() -> Iterator[None]:
    """See to it that all output is written in the end, while one can still say if it is not."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError:
        # Python would try again at its own end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def say(text: str) -> None:
    """Put out a result."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Put out why there is no result, if anybody can read it."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
