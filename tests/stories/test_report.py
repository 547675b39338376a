"""The report of a real sidecar, after calls to real servers: as JSON, and in a terminal."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
import yaml

from sidecar.cli import main
from sidecar.faults.catalog import status
from tests.stories.desk import Desk, a_desk

CONFIG = """
providers:
  first: {kind: openai, base_url: "${FIRST}"}
  second: {kind: openai, base_url: "${SECOND}"}
routes:
  - {models: ["*"], chain: [first/a-model, second/b-model]}
prices:
  first/a-model: {input: 1, output: 2}
"""
PRICED = CONFIG + "  second/b-model: {input: 10, output: 20}\n"
INPUT, OUTPUT = 7, 3


async def an_outage(desk: Desk) -> None:
    """Two good calls, then two that the second saves."""
    for _ in range(2):
        assert (await desk.chat(stream=True)).code == 200
    desk["first"].plays(status(503))
    for _ in range(2):
        assert (await desk.chat(stream=True)).code == 200


async def command(desk: Desk, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main, [*words, "--admin", str(desk.sidecar.admin)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


async def test_it_tells_what_failover_saved_and_what_it_cost() -> None:
    async with a_desk(PRICED) as desk:
        await an_outage(desk)

        report = json.loads(await desk.page("/report.json"))

        first, second = report["providers"]
        assert (first["attempts"], first["availability"]) == (4, 0.5)
        assert (second["attempts"], second["availability"]) == (2, 1.0)
        assert second["ttft_p99_s"] > 0
        assert first["tokens"] == second["tokens"] | {"input": 2 * INPUT, "output": 2 * OUTPUT}
        assert report["requests"]["served"] == report["requests"]["total"] == 4
        assert report["requests"]["saved"] == 2
        extra = 2 * (INPUT * 9 + OUTPUT * 18) / 1e6
        assert report["failover"]["extra_usd"] == pytest.approx(extra)
        assert report["failover"]["lost_s"] > 0


async def test_a_price_that_is_missing_is_told_with_the_line_to_add() -> None:
    async with a_desk(CONFIG) as desk:
        await an_outage(desk)

        report = json.loads(await desk.page("/report.json"))

        (missing,) = report["suggestions"]
        assert list(yaml.safe_load(missing["yaml"])["prices"]) == ["second/b-model"]
        assert report["failover"]["unpriced_tokens"] == 2 * (INPUT + OUTPUT)


async def test_the_command_tells_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    async with a_desk(CONFIG) as desk:
        await an_outage(desk)

        assert await command(desk, "report") == 0
        told = capsys.readouterr().out

        assert "4 of 4 requests served (100% of those that could be)." in told
        assert "Failover saved 2; 0 found nobody, 0 broke off." in told
        assert "20 tokens of second/b-model have no price" in told
        assert max(map(len, told.splitlines())) <= 100
        assert await command(desk, "report", "--json") == 0
        assert json.loads(capsys.readouterr().out)["requests"]["saved"] == 2
        assert sys.stdout.isatty() is ("\x1b" in told) is False


async def test_the_status_command_tells_the_same_as_the_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    async with a_desk(CONFIG) as desk:
        await an_outage(desk)
        await desk.chat()

        assert await command(desk, "status") == 0
        told = capsys.readouterr().out.splitlines()

        sentence = json.loads(await desk.page("/status.json"))["sentence"]
        beginning, _, _ = sentence.partition("next probe")
        assert beginning.startswith("second is serving since ")
        assert told[0].startswith(beginning)
        assert "*: ✗ first/a-model open → ✓ second/b-model serving" in told
        (first,) = [line for line in told if line.startswith("first ")]
        assert "503 ×3" in first
        assert [line.split()[-2:] for line in told[-3:]] == [["second", "overloaded"]] * 3
