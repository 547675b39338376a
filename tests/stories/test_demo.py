"""The demo tells the truth: each step is seen to happen, or said not to."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from typing import cast

import pytest

from sidecar.demo import tell
from sidecar.demo.story import STORY, Sight, Stage, Step, words_of
from sidecar.demo.telling import Teller, free, play

NOBODY = cast("Stage", None)  # for steps that look at nothing


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def step_that(seen: bool) -> Step:
    async def look(_stage: Stage) -> Sight:
        return Sight(seen, ("what there was",))

    return Step("Title", "What happens.", look)


async def start(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "demo", *arguments), stdout=pipe, stderr=pipe
    )


async def test_every_step_of_the_story_is_seen() -> None:
    out = io.StringIO()

    seen = await tell(once=True, out=out)

    assert seen, out.getvalue()


async def test_the_command_ends_well_after_the_story() -> None:
    process = await start("--once")

    out, errors = await asyncio.wait_for(process.communicate(), 30)

    assert (process.returncode, errors) == (0, b"")
    assert out.decode().count("✓") == len(STORY)


async def test_a_pipe_gets_plain_lines() -> None:
    out = io.StringIO()

    await play(step_that(seen=True), NOBODY, Teller(out))

    assert out.getvalue() == "  ✓ Title. What happens.\n      what there was\n"


async def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()

    await play(step_that(seen=True), NOBODY, Teller(out))

    assert "\x1b[32m✓\x1b[0m" in out.getvalue()


async def test_no_colour_is_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()

    await play(step_that(seen=True), NOBODY, Teller(out))

    assert "\x1b" not in out.getvalue()


async def test_a_step_that_was_not_seen_says_what_was() -> None:
    out = io.StringIO()

    seen = await play(step_that(seen=False), NOBODY, Teller(out))

    assert not seen
    assert out.getvalue().splitlines() == [
        "  ✗ Title. What happens.",
        "      That was not seen, but this:",
        "      what there was",
    ]


async def test_a_step_that_meets_an_error_was_not_seen() -> None:
    async def look(_stage: Stage) -> Sight:
        raise TimeoutError("no answer")

    assert not await play(Step("Title", "What.", look), NOBODY, Teller(io.StringIO()))


async def test_the_long_form_goes_on_until_it_is_stopped() -> None:
    process = await start()
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while b"Ctrl-C" not in await process.stdout.readline():
            assert process.returncode is None

    process.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(process.communicate(), 10)

    assert (process.returncode, errors) == (0, b"")


async def test_a_short_form_that_is_stopped_did_not_show_everything() -> None:
    process = await start("--once")
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 10)

    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 10)

    assert process.returncode == 1


async def test_a_port_in_use_is_left_alone() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    assert free(port) == 0

    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"choices": [{"message": {"content": "Hello"}}]}', "Hello"),
        (b'data: {"choices": [{"delta": {"content": "Hello"}}]}\n\ndata: [DONE]\n\n', "Hello"),
        (b'data: {"choices": [{"delta": {"content": "Hello"}}]}\n\n', "(broken off) Hello"),
        (b'{"error": "no"}', "{'error': 'no'}"),
    ],
    ids=["whole", "streamed", "broken off", "error"],
)
def test_the_words_of_an_answer_are_found(body: bytes, words: str) -> None:
    assert words_of(body) == words
