"""The page at `/status`: one document that shows `/status.json` to people, and loads no other."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def status_page() -> bytes:
    """The page as it is sent, with its style and its script inside."""
    parts = files("sidecar.observe.page")
    page, style, *scripts = (
        (parts / name).read_text("utf-8")
        for name in ("page.html", "page.css", "drawing.js", "report.js", "page.js")
    )
    page = page.replace("<style></style>", f"<style>\n{style}</style>")
    return page.replace("<script></script>", f"<script>\n{''.join(scripts)}</script>").encode()
