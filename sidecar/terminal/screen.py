"""What a terminal can show: how wide it is, whether in color, and which characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shutil import get_terminal_size
from textwrap import wrap
from typing import TextIO

WIDTH = 100  # where nobody says, as in a pipe
NARROWEST = 40
GREEN, YELLOW, RED, PURPLE, BOLD, PLAIN = (f"\x1b[{number}m" for number in (32, 33, 31, 35, 1, 0))

# One for one, so that what is aligned stays so. The words beside the marks say the same.
SIMPLER = str.maketrans("✓✗◐‖→·×…▁▂▃▄▅▆▇█", "+x~=>-x~_.-:=+*#")
DRAWN = "".join(map(chr, SIMPLER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where something is written. All is composed as for UTF-8; `written` makes it fit."""

    width: int = WIDTH
    color: bool = False
    encoding: str = "utf-8"

    @property
    def draws(self) -> bool:
        """Whether it has the marks and bars."""
        try:
            DRAWN.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def painted(self, text: str, color: str) -> str:
        """The text in a color, where there are any."""
        return f"{color}{text}{PLAIN}" if self.color and color and text else text

    def wrapped(self, text: str, indent: str = "") -> list[str]:
        """The text as lines; those after the first are indented."""
        return wrap(text, self.width, subsequent_indent=indent, break_on_hyphens=False)

    def written(self, lines: Iterable[str]) -> str:
        """The lines as a text that can be encoded."""
        text = "\n".join(lines)
        if not self.draws:
            text = text.translate(SIMPLER)
        return text.encode(self.encoding, "replace").decode(self.encoding)


def screen_of(out: TextIO, environ: Mapping[str, str]) -> Screen:
    """What `out` can show: colors on a terminal only, and not where NO_COLOR is set."""
    return Screen(
        width=max(NARROWEST, get_terminal_size((WIDTH, 1)).columns),
        color=out.isatty() and not environ.get("NO_COLOR"),
        encoding=out.encoding or "utf-8",
    )
