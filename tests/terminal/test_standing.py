"""Where a provider stands is one word, with why and for how long yet."""

from __future__ import annotations

import pytest

from sidecar.terminal.standing import Standing, standing
from tests.terminal.scene import Json, aside, held, opened, provider

KEYLESS = aside("", "auth", 600.0)


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (provider("one"), "closed"),
        (provider("one", "half_open"), "half open"),
        (provider("one", "open", held=held("closed")), "held closed"),
        (provider("one", parked=[KEYLESS], cooldown_s=[aside()]), "parked"),
        (provider("one", cooldown_s=[aside()]), "cooling down"),
        (provider("one", "half_open", cooldown_s=[aside()]), "cooling down"),
        (provider("one", "open", retry_in_s=3.0, cooldown_s=[aside()]), "open"),
        (provider("one", "open", retry_in_s=0.0, cooldown_s=[aside()]), "cooling down"),
        (provider("one", held=held("closed"), cooldown_s=[aside()]), "held closed"),
        ({"state": "closed", "parked": [{"model": "", "reason": "auth", "seconds": 6}]}, "parked"),
    ],
    ids=[
        *("closed", "half open", "held", "parked", "cooling down", "not probed before it cooled"),
        *("open", "not probed when it could be", "held and cooling down", "after a change"),
    ],
)
def test_where_a_provider_stands_is_one_word(entry: Json, word: str) -> None:
    assert standing(entry).word == word


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (opened("one"), Standing("open", 41.6, "503 ×3")),
        (opened("one", failing=[]), Standing("open", 41.6, "failures")),
        (
            opened("one", failing=[{"what": "timeout_idle", "count": 1}]),
            Standing("open", 41.6, "timeout idle"),
        ),
        (provider("one", failing=[{"what": "503", "count": 1}]), Standing("closed")),
        (provider("one", parked=[KEYLESS]), Standing("parked", 600.0, "auth")),
    ],
    ids=["what failed", "seen by another pod", "once", "not enough to open", "set aside"],
)
def test_it_is_told_why_and_for_how_long(entry: Json, told: Standing) -> None:
    assert standing(entry) == told
