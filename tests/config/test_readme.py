"""What the README shows is what works."""

from __future__ import annotations

import re
from pathlib import Path

from sidecar.config import load

README = Path(__file__).parents[2] / "README.md"
KEYS = {"GEMINI_API_KEY": "a-key", "HF_TOKEN": "a-token", "ANTHROPIC_API_KEY": "another"}


def test_the_readmes_configuration_is_valid(tmp_path: Path) -> None:
    text = README.read_text()
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block
    path = tmp_path / "readme.yaml"
    path.write_text(block[1])

    loaded = load(path, KEYS)

    assert [entry.provider.name for entry in loaded.settings.routes[0].chain] == [
        "gemini",
        "huggingface",
        "claude",
        "local",
    ]


def test_the_readme_is_short_enough_for_two_minutes() -> None:
    assert len(README.read_text().splitlines()) <= 150
