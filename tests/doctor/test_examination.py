"""What is said of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.doctor.examination import has_failed, loaded_from
from sidecar.doctor.finding import Mark

GOOD = """\
providers: {local: {kind: vllm}, spare: {kind: vllm}}
routes: [{models: ["*"], chain: [local]}]
"""


@pytest.mark.parametrize(
    ("text", "environ", "seen", "cure"),
    [
        ("routs: []\n", {}, "routs: unknown key", "write routes"),
        ("log: {level: 3}\n", {}, "log.level", "look it up in config/sidecar.yaml"),
        (GOOD, {"SIDECAR_LISTEN": "["}, "SIDECAR_LISTEN: listen", "the variable SIDECAR_LISTEN"),
        (None, {}, "cannot be read: No such file", "name a file that is there"),
    ],
    ids=["a typo", "a value", "a variable", "no file"],
)
def test_each_problem_has_its_place_and_its_cure(
    text: str | None, environ: dict[str, str], seen: str, cure: str, tmp_path: Path
) -> None:
    file = tmp_path / "sidecar.yaml"
    if text is not None:
        file.write_text(text)
    loaded, findings = loaded_from(str(file), environ)
    [found] = [one for one in findings if seen in one.seen]

    assert loaded is None
    assert found.mark is Mark.BAD
    assert cure in found.cure
    assert has_failed(findings)


def test_an_environment_without_keys_is_told_what_to_set() -> None:
    loaded, [found] = loaded_from(None, {"AI_PROVIDER": "gemini"})

    assert (loaded, found.mark) == (None, Mark.BAD)
    assert "GEMINI_API_KEY is not set" in found.seen
    assert found.cure == "set one of these variables, or name a file by --config"


def test_an_environment_that_leaves_a_provider_out_is_a_doubt() -> None:
    _, [first, *rest] = loaded_from(None, {"GEMINI_API_KEY": "k"})

    assert first.mark is Mark.GOOD
    assert {one.mark for one in rest} == {Mark.DOUBT}
    assert "AI_FALLBACK_PROVIDERS" in rest[0].cure
    assert not has_failed([first, *rest])


def test_a_provider_that_no_chain_asks_is_a_doubt(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text(GOOD)
    loaded, findings = loaded_from(str(file), {})

    assert loaded
    assert [one.mark for one in findings] == [Mark.GOOD, Mark.DOUBT]
    assert findings[1].cure == "ask it in a chain, or remove it"
