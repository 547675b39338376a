"""The drill on real sockets: every row of a chain, and promises that are broken."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.cli import main
from sidecar.config import load
from sidecar.drill import rows_of
from sidecar.drill.scorecard import Scorecard, as_json
from sidecar.drill.table import ROWS
from sidecar.drill.telling import play
from tests.stories.world import eventually

STARTED_FDS = 20  # it has opened its sockets: the drill is under way
Capture = pytest.CaptureFixture[str]

QUICK = """\
providers:
  gemini: {kind: gemini, api_key: secret-of-gemini}
  huggingface: {kind: huggingface, api_key: secret-of-huggingface}
  anthropic: {kind: anthropic, api_key: secret-of-anthropic}
routes:
  - models: ["*"]
    chain:
      - gemini/gemini-3-flash
      - huggingface/meta-llama/Llama-3.3-70B-Instruct
      - {provider: anthropic, model: claude-haiku-4-5, prefill: true}
timeouts: {connect: 500ms, first_token: 500ms, idle: 500ms, answer: 1400ms, total: 10s}
breaker: {open_timeout: 1s}
retry: {max_wait: 400ms}
"""
BROKEN_OFF = ("cut", "reset_amid", "stall", "no_finish", "tool_call_cut", "prefill_rejected")


def drilled(path: Path, text: str, *faults: str) -> Scorecard:
    """Play rows, all of them if none is named, against a configuration."""
    path.write_text(text)
    return asyncio.run(play(load(path, {}), rows_of(faults), io.StringIO()))


def broken(card: Scorecard) -> dict[str, Any]:
    """What broke, by row, position and mode."""
    rows = [row for row in as_json(card)["rows"] if not row["held"]]
    return {f"{row['fault']} {row['position']} {row['mode']}": row["broken"] for row in rows}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Scorecard:
    """All of it, once: at the first and the last position of a chain."""
    two = QUICK.replace("      - huggingface/meta-llama/Llama-3.3-70B-Instruct\n", "")
    return drilled(tmp_path_factory.mktemp("drill") / "quick.yaml", two)


def test_every_promise_is_held(card: Scorecard) -> None:
    assert broken(card) == {}


def test_every_row_is_played_or_said_to_be_left_out(card: Scorecard) -> None:
    played = {result.scenario.row.id for result in card.results}

    assert played | {one.what for one in card.omissions} == set(ROWS)


def test_it_takes_as_long_as_its_rows_side_by_side(card: Scorecard) -> None:
    one_by_one_s = sum(result.sight.seconds for result in card.results)

    assert card.seconds < one_by_one_s / 2


def test_a_broken_stream_ends_as_the_operator_wants(tmp_path: Path) -> None:
    route = QUICK[QUICK.index("  - models") : QUICK.index("timeouts")]
    resumes = route.replace('"*"', "resumes") + "    after_content: resume\n"
    buffers = route.replace('"*"', "buffers") + "    after_content: buffer\n"

    text = QUICK.replace(route, resumes + buffers)

    assert broken(drilled(tmp_path / "modes.yaml", text, *BROKEN_OFF)) == {}


def test_what_the_configuration_leaves_no_time_for_breaks_no_promise(tmp_path: Path) -> None:
    short = QUICK.replace("total: 10s", "total: 800ms")  # no answer is as short

    card = drilled(tmp_path / "short.yaml", short, "no_done")

    assert (card.results, len(card.omissions)) == ([], 3)


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sidecar that ends as a whole answer what broke off."""

    def lie(*_: object) -> bytes:
        finish = {"index": 0, "delta": {}, "finish_reason": "stop"}
        return b"data: " + json.dumps({"choices": [finish]}).encode() + b"\n\ndata: [DONE]\n\n"

    monkeypatch.setattr("sidecar.proxy.stream.Stream.broken", lie)


@pytest.mark.usefixtures("liar")
def test_a_sidecar_that_lies_is_found_out(tmp_path: Path) -> None:
    found = broken(drilled(tmp_path / "lie.yaml", f"{QUICK}hedge: {{after: 1s}}\n", "no_finish"))

    assert found["no_finish 1 stream"] == ["it ended as a lie"]


def test_a_sidecar_that_asks_too_often_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.proxy.turn.wait_before_retry", lambda *_, **__: 0.0)

    found = broken(drilled(tmp_path / "often.yaml", QUICK, "content_filter"))

    assert found["content_filter 3 whole"] == ["2 hits on anthropic"]


# The command


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(("drill", *words))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def quick(tmp_path: Path) -> str:
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK)
    return str(path)


def test_a_kept_promise_is_0_and_a_plain_table(quick: str, capsys: Capture) -> None:
    assert run("--config", quick, "--fault", "dns", "ok_error") == 0

    told = capsys.readouterr()
    assert told.err == ""
    assert "\x1b" not in told.out
    assert "9 of 9 promises held." in told.out


@pytest.mark.usefixtures("liar")
def test_a_broken_promise_is_1_and_told(quick: str, capsys: Capture) -> None:
    assert run("--config", quick, "--fault", "no_finish") == 1

    told = capsys.readouterr().out
    assert told.count("✗") == 3
    assert "broken: it ended as a lie" in told
    assert "0 of 3 promises held." in told


def test_a_document_is_for_programs(quick: str, capsys: Capture) -> None:
    assert run("--config", quick, "--json", "--fault", "content_filter") == 0

    told = capsys.readouterr().out
    document = json.loads(told)
    assert document["summary"] == {"promises": 6, "held": 6, "broken": 0, "left_out": 0}
    assert document["config"] == quick
    assert "secret-of" not in told


def test_an_unknown_fault_is_2_and_says_the_nearest(quick: str, capsys: Capture) -> None:
    assert run("--config", quick, "--fault", "silense") == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert "--fault: unknown fault, got silense (did you mean silence" in told.err


def test_a_wrong_configuration_is_2(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("routs: []\n")

    assert run("--config", str(path)) == 2
    assert str(path) in capsys.readouterr().err


async def test_a_drill_that_is_stopped_is_quiet() -> None:
    process = await asyncio.create_subprocess_exec(
        *("env", "--default-signal=INT"),  # whoever runs the tests may have it ignored
        *(sys.executable, "-m", "sidecar", "drill", "--fault", "silence"),  # that takes minutes
        env={"PATH": os.environ["PATH"], "GEMINI_API_KEY": "-", "HF_TOKEN": "-"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    sockets = Path(f"/proc/{process.pid}/fd")
    await eventually(lambda: len(list(sockets.iterdir())) > STARTED_FDS, within_s=20)

    process.send_signal(2)
    out, errors = await asyncio.wait_for(process.communicate(), 10)

    assert (process.returncode, out, errors) == (1, b"", b"")


def test_a_second_provider_beside_a_slow_one_breaks_no_promise(tmp_path: Path) -> None:
    text = f"{QUICK}hedge: {{after: 1ms}}\n"
    rows = ("rate_limit_wait", "silence", "tool_call_cut", "no_done", "content_filter")

    assert broken(drilled(tmp_path / "hedge.yaml", text, *rows)) == {}


ODD = """\
providers:
  one_try: {kind: openai, base_url: "http://127.0.0.1:1/v1", retry: {attempts: 0}}
  touchy: {kind: gemini, api_key: k, breaker: {failure_threshold: 1}, retry: {max_wait: 200ms}}
  narrow: {kind: vllm, max_in_flight: 1}
routes:
  - {models: [twice], chain: [one_try/m, one_try/n]}
  - {models: [other], chain: [touchy/m, narrow/n]}
timeouts: {connect: 500ms, first_token: 500ms, idle: 500ms, answer: 1500ms, total: 10s}
breaker: {open_timeout: 1s}
"""


def test_an_odd_configuration_breaks_no_promise(tmp_path: Path) -> None:
    rows = ("rate_limit_wait", "error_once", "overloaded", "silence", "outage")

    assert broken(drilled(tmp_path / "odd.yaml", ODD, *rows)) == {}
