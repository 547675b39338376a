"""The command line, called in process wherever a process of its own shows nothing more."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpRawServer

from sidecar import __version__, demo, serving
from sidecar.cli import main
from sidecar.config import Loaded
from sidecar.core.settings import Address
from tests.terminal.scene import opened, provider, status_of

Json = dict[str, Any]
Capture = pytest.CaptureFixture[str]

COMMANDS = (
    *("serve", "demo", "drill", "doctor", "check", "explain", "schema"),
    *("status", "report", "reset", "hold", "release"),
    *("inject", "webhook"),
)
CONFIG = """\
providers: {local: {kind: openai, base_url: "http://127.0.0.1:8000/v1"}}
routes: [{models: ["smart"], chain: [local]}]
"""
BROKEN = "lissten: here\nadmin: there\n"


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing, and a help that is as wide as a terminal."""
    for name in [name for name in os.environ if name.startswith("SIDECAR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "sidecar.yaml"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture
def broken(tmp_path: Path) -> str:
    path = tmp_path / "broken.yaml"
    path.write_text(BROKEN)
    return str(path)


# Help


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)], ids=str)
def test_help_fits_a_screen(words: list[str], capsys: Capture) -> None:
    code = run(*words, "--help")

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_help_names_every_command(capsys: Capture) -> None:
    run("--help")

    told = capsys.readouterr().out
    assert [command for command in COMMANDS if f"    {command} " not in told] == []


def test_the_version_is_told(capsys: Capture) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"sidecar {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["serve", "--listen", "8787"],
        ["serve", "--adm", "127.0.0.1:1"],
        ["explain"],
        ["hold", "gemini"],
        ["hold", "gemini", "half_open"],
        ["hold", "gemini", "open", "--for", "soon"],
        ["release"],
        ["status", "--admin", "here"],
        ["inject", "-f", "-"],
        ["inject", "-f", "-", "--uninject", "--image", "x"],
        ["inject", "-f", "-", "--image", "x", "--port", "y"],
        ["webhook", "--image", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(words: list[str], capsys: Capture) -> None:
    assert run(*words) == 2
    assert capsys.readouterr().err.startswith("usage: sidecar")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            ["hold", "gemini", "open", "--for", "10"],
            "--for: needs a unit (250ms, 60s, 10m or 1h), got 10 (did you mean 10s?)",
        ),
        (["status", "--admin", "foo"], "--admin: must be HOST:PORT, got foo"),
        (
            ["serve", "--listen", "8787"],
            "--listen: must be HOST:PORT, got 8787 (did you mean 127.0.0.1:8787?)",
        ),
    ],
    ids=["a duration", "an address", "a port alone"],
)
def test_a_wrong_value_is_answered_with_what_is_wanted(
    words: list[str], wanted: str, capsys: Capture
) -> None:
    run(*words)

    assert capsys.readouterr().err.endswith(f": error: argument {wanted}\n")


# The configuration


def test_a_good_configuration_is_ok(config: str, capsys: Capture) -> None:
    assert run("check", config) == 0
    assert capsys.readouterr().out == f"{config}: ok\n"


def test_a_warning_does_not_make_it_bad(tmp_path: Path, capsys: Capture) -> None:
    idle = "  idle: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}\n"
    path = tmp_path / "idle.yaml"
    path.write_text(CONFIG.replace("providers: {", f"providers:\n{idle}  ").replace("}}", "}"))

    assert run("check", str(path)) == 0
    ok, warning = capsys.readouterr().out.splitlines()
    assert ok == f"{path}: ok"
    assert warning.startswith("warning: ")


def test_everything_wrong_is_said_a_line_each(broken: str, capsys: Capture) -> None:
    assert run("check", broken) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(line.startswith(f"{broken}:") for line in lines)


def test_without_a_file_check_looks_where_serve_would(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("SIDECAR_CONFIG", config)

    assert run("check") == 0
    assert capsys.readouterr().out == f"{config}: ok\n"


def test_a_chain_is_explained(config: str, capsys: Capture) -> None:
    assert run("explain", "smart", "--config", config) == 0
    assert "local" in capsys.readouterr().out


def test_a_model_that_no_route_takes_is_a_failure(config: str, capsys: Capture) -> None:
    assert run("explain", "unheard-of", "--config", config) == 1
    assert "unheard-of" in capsys.readouterr().out


def test_the_schema_is_one(capsys: Capture) -> None:
    assert run("schema") == 0
    jsonschema.Draft7Validator.check_schema(json.loads(capsys.readouterr().out))


# Serving


class Served:
    """Stands in for the application: takes what it is given to serve, and ends."""

    def __init__(self, ending: int | Exception = 0) -> None:
        self.ending = ending
        self.loaded: list[Loaded] = []

    def __call__(self, loaded: Loaded) -> int:
        self.loaded.append(loaded)
        if isinstance(self.ending, Exception):
            raise self.ending
        return self.ending


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    stand_in = Served()
    monkeypatch.setattr(serving, "serve", stand_in)
    return stand_in


def test_serve_serves_what_the_configuration_says(config: str, served: Served) -> None:
    assert run("serve", "--config", config) == 0
    assert [loaded.source for loaded in served.loaded] == [config]


def test_the_command_line_overrides_the_addresses(config: str, served: Served) -> None:
    run("serve", "--config", config, "--listen", "[::1]:1", "--admin", "127.0.0.1:2")

    settings = served.loaded[0].settings
    assert settings.listen == Address(host="::1", port=1)
    assert settings.admin == Address(host="127.0.0.1", port=2)


def test_what_serving_came_to_is_the_exit_code(config: str, served: Served) -> None:
    served.ending = 1

    assert run("serve", "--config", config) == 1


@pytest.mark.parametrize("command", [["serve"], ["explain", "smart"]], ids=["serve", "explain"])
def test_a_broken_configuration_is_not_used(
    command: list[str], broken: str, served: Served, capsys: Capture
) -> None:
    assert run(*command, "--config", broken) == 2
    assert not served.loaded
    assert len(capsys.readouterr().err.splitlines()) > 1


@pytest.mark.parametrize(("option", "other"), [("--listen", "--admin"), ("--admin", "--listen")])
def test_a_port_in_use_is_named_and_no_other(
    option: str, other: str, config: str, capsys: Capture
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as holder:
        where = f"127.0.0.1:{holder.getsockname()[1]}"

        assert run("serve", "--config", config, option, where, other, "127.0.0.1:0") == 1

    told = capsys.readouterr().err
    assert told == f"sidecar: cannot listen on {where}: Address already in use\n"


def test_one_address_for_both_is_in_use_by_the_first(config: str, capsys: Capture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as holder:
        where = f"127.0.0.1:{holder.getsockname()[1]}"

    assert run("serve", "--config", config, "--listen", where, "--admin", where) == 1
    assert f"cannot listen on {where}: " in capsys.readouterr().err


def test_a_host_that_nobody_knows_is_named(config: str, capsys: Capture) -> None:
    words = ("--listen", "127.0.0.1:0", "--admin", "nowhere.invalid:1")

    assert run("serve", "--config", config, *words) == 1
    assert capsys.readouterr().err.startswith("sidecar: cannot listen on nowhere.invalid:1: ")


def test_what_else_keeps_it_from_serving_is_told(
    config: str, served: Served, capsys: Capture
) -> None:
    served.ending = OSError(24, "Too many open files")
    words = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")

    assert run("serve", "--config", config, *words) == 1
    assert capsys.readouterr().err == "sidecar: Too many open files\n"


def test_ctrl_c_is_quiet(config: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(_: Loaded) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "serve", interrupted)

    assert run("serve", "--config", config) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("words", "once"), [((), False), (("--once",), True)])
def test_demo_tells_its_story(
    words: tuple[str, ...], once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "demo", {False: 0, True: 1}.get)

    assert run("demo", *words) == int(once)


# Talking to a running sidecar

STATUS: Json = status_of(
    *(opened("gemini"), provider("hf/llama")),
    sentence="hf is serving. gemini is open (503 ×3), next probe in 42 s.",
)


class Running:
    """An admin listener that agrees with everything."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response(STATUS)
        self.asked.append((request.rel_url.raw_path, json.loads(await request.read())))
        mode = self.asked[-1][1].get("mode")
        return web.json_response({"state": "closed", "held": mode and {"mode": mode}})


@pytest.fixture
async def running(aiohttp_raw_server: AiohttpRawServer, monkeypatch: pytest.MonkeyPatch) -> Running:
    running = Running()
    server = await aiohttp_raw_server(running.handle)
    monkeypatch.setenv("SIDECAR_ADMIN", f"{server.host}:{server.port}")
    return running


async def call(*words: str) -> int:
    return await asyncio.to_thread(run, *words)


@pytest.mark.usefixtures("running")
async def test_status_begins_with_who_serves(capsys: Capture) -> None:
    assert await call("status") == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{STATUS['sentence']}\npod-1 · 0.1.0 · up 1h\n\n")
    assert "\x1b" not in told


@pytest.mark.usefixtures("running")
async def test_status_for_a_reader_of_ascii_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for words in ([], ["--json"]):
        out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", out)

        assert await call("status", *words) == 0
        assert isinstance(out.buffer, io.BytesIO)
        assert b"gemini is open (503 " in out.buffer.getvalue()


@pytest.mark.usefixtures("running")
async def test_status_for_programs_is_what_the_sidecar_said(capsys: Capture) -> None:
    assert await call("status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == STATUS


async def test_reset_of_one_leaves_the_others(running: Running, capsys: Capture) -> None:
    assert await call("reset", "gemini") == 0
    assert running.asked == [("/-/breakers/gemini/reset", {})]
    assert capsys.readouterr().out == "gemini: closed\n"


async def test_reset_without_a_name_is_for_all(running: Running, capsys: Capture) -> None:
    assert await call("reset") == 0
    paths = [path for path, _ in running.asked]
    assert paths == ["/-/breakers/gemini/reset", "/-/breakers/hf%2Fllama/reset"]
    assert capsys.readouterr().out == "gemini: closed\nhf/llama: closed\n"


async def test_hold_says_what_it_was_told(running: Running, capsys: Capture) -> None:
    assert await call("hold", "gemini", "open", "--for", "10m", "--reason", "drill") == 0
    body = {"mode": "open", "for": "10m", "reason": "drill"}
    assert running.asked == [("/-/breakers/gemini/hold", body)]
    assert capsys.readouterr().out == "gemini: held open\n"


async def test_hold_without_a_time_lasts_until_released(running: Running) -> None:
    assert await call("hold", "gemini", "closed") == 0
    assert running.asked == [("/-/breakers/gemini/hold", {"mode": "closed"})]


async def test_release_lets_go(running: Running, capsys: Capture) -> None:
    assert await call("release", "gemini") == 0
    assert running.asked == [("/-/breakers/gemini/release", {})]
    assert capsys.readouterr().out == "gemini: closed\n"


@pytest.mark.parametrize(
    "words", [["status"], ["report"], ["reset"], ["hold", "a", "open"], ["release", "a"]]
)
def test_nobody_there_is_one_line(words: list[str], capsys: Capture) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))

        code = run(*words, "--admin", f"127.0.0.1:{taken.getsockname()[1]}")

    told = capsys.readouterr()
    assert (code, told.out) == (1, "")
    assert told.err.startswith("sidecar: no sidecar answers at 127.0.0.1:")
    assert told.err.count("\n") == 1


def test_a_variable_that_is_no_address_is_a_wrong_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("SIDECAR_ADMIN", "nowhere")

    assert run("status") == 2
    assert capsys.readouterr().err.startswith("sidecar: SIDECAR_ADMIN: ")


# A process of its own


def process(*words: str, code: str = "") -> subprocess.Popen[bytes]:
    command = ["-c", code] if code else ["-m", "sidecar"]
    return subprocess.Popen(  # noqa: S603  the words are this module's own
        [sys.executable, *command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_reader_that_leaves_early_ends_it_quietly() -> None:
    with process("schema") as told:
        assert told.stdout
        assert told.stderr
        told.stdout.close()

        assert (told.stderr.read(), told.wait()) == (b"", 0)


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which `sidecar` is this one."""
    line = f'sidecar() {{ "{sys.executable}" -m sidecar "$@"; }}; {line}'
    return subprocess.run(  # noqa: S602  the lines are this module's own
        line, shell=True, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [("check {config} >&-", 0), ("check {broken} >&- 2>&- <&-", 2), ("dance 2>&-", 2)],
)
def test_streams_that_are_closed_change_no_exit_code(
    words: str, code: int, config: str, broken: str
) -> None:
    done = in_shell(f"sidecar {words.format(config=config, broken=broken)}")

    assert (done.returncode, done.stdout, done.stderr.count("Traceback")) == (code, "", 0)


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&- <&-"], ids=["one", "all"])
def test_serving_does_without_streams(closed: str, config: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        admin = free.getsockname()[:2]
    where = f"--listen 127.0.0.1:0 --admin 127.0.0.1:{admin[1]}"
    line = f'exec "{sys.executable}" -m sidecar serve --config "{config}" {where} {closed}'

    with subprocess.Popen(["/bin/sh", "-c", line]) as serving:  # noqa: S603  the line is our own
        while serving.poll() is None and not answers(admin):
            time.sleep(0.02)
        ended = serving.poll()
        serving.kill()

    assert ended is None


def answers(address: tuple[str, int]) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(address) == 0


@pytest.mark.parametrize("words", ["check {config}", "schema"])
def test_output_that_cannot_be_written_is_one_line(words: str, config: str) -> None:
    done = in_shell(f"sidecar {words.format(config=config)} > /dev/full")

    told = "sidecar: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize(
    "words", [["--help"], ["status", "--admin", "127.0.0.1:1"]], ids=["help", "status"]
)
def test_small_words_load_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from sidecar.cli import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(repr({'aiohttp', 'pydantic', 'uvloop'} & sys.modules.keys()))"
    )
    with process(*words, code=code) as told:
        _, errors = told.communicate()

    assert errors.endswith(b"set()")
