"""A real Chromium without a screen, spoken to over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

Json = dict[str, Any]

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "Chromium is missing: run tests/chromium.sh"
LISTENING = "DevTools listening on "
QUIET = (
    *("--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-sync"),
    *("--no-default-browser-check", "--disable-background-networking", "--disable-extensions"),
    *("--disable-component-update", "--disable-gpu", "--hide-scrollbars", "--lang=en-GB"),
    # nothing beyond loopback can be found, whatever the browser has a mind to ask
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--proxy-server=direct://",
)
ZONE = timezone(timedelta(hours=5))  # where its readers are: not where the sidecar is
PATIENCE_S = 15.0
LOOK_S = 0.05
MAX_MESSAGE_BYTES = 32 * 1024**2


@contextmanager
def a_browser(profile: Path) -> Iterator[str]:
    """A browser with an empty profile; the address of its DevTools."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, MISSING
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses to run otherwise
    command = [program, *QUIET, *as_root, f"--user-data-dir={profile}", "about:blank"]
    environ = {**os.environ, "TZ": "Etc/GMT-5"}
    process = subprocess.Popen(  # noqa: S603  what is run is a browser that was looked up
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environ
    )
    try:
        assert process.stderr
        told = (line.partition(LISTENING)[2].strip() for line in process.stderr)
        yield next(filter(None, told))
    finally:
        process.terminate()
        process.communicate()


class Tab:
    """One page in it. `errors` are what its console says, and what it threw."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.errors: list[str] = []
        self._socket = socket
        self._session: str | None = None
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}

    async def open(self) -> None:
        """Begin a page that shares nothing with others."""
        context = (await self.do("Target.createBrowserContext"))["browserContextId"]
        made = await self.do("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.do("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.do(f"{domain}.enable")

    async def goto(self, url: str) -> None:
        """Load a page."""
        told = await self.do("Page.navigate", url=url)
        assert "errorText" not in told, told["errorText"]
        await self.until("document.readyState === 'complete'")

    async def js(self, expression: str) -> Any:
        """What an expression comes to, awaited if it is a promise."""
        told = await self.do(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait, not for ever, until an expression is true; what it comes to then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not (value := await self.js(expression)):  # noqa: ASYNC110  it is another process
                    await asyncio.sleep(LOOK_S)
                return value
        text = await self.js("document.body.innerText")
        raise AssertionError(f"never came true: {expression}; the page says:\n{text}")

    async def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        codes = {"Enter": 13, "Tab": 9, "Escape": 27}
        more = {"windowsVirtualKeyCode": codes[key]} if key in codes else {}
        await self.do("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **more)
        await self.do("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.do("Input.insertText", text=text)

    async def looks(self, scheme: str, width: int = 1280, height: int = 800) -> None:
        """Have it in `light` or `dark`, on a screen of that size."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.do("Emulation.setEmulatedMedia", features=features)
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.do("Emulation.setDeviceMetricsOverride", **metrics)

    async def picture(self) -> bytes:
        """What is on the screen once it is painted, as a PNG."""
        painted = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 200)))"
        await self.js(f"scrollTo(0, 0), {painted}")
        shot = await self.do("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    async def do(self, method: str, **params: Any) -> Json:
        """One command of the protocol."""
        number = next(self._ids)
        answered = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": params, **session})
        async with asyncio.timeout(PATIENCE_S):
            answer = await answered
        assert "error" not in answer, (method, answer["error"])
        result: Json = answer["result"]
        return result

    async def hear(self) -> None:
        """Take in what the browser says, until it hangs up."""
        async for message in self._socket:
            told = json.loads(message.data)
            if waiting := self._waiting.pop(told.get("id", 0), None):
                waiting.set_result(told)
            else:
                self._note(told.get("method", ""), told.get("params", {}))

    def _note(self, method: str, params: Json) -> None:
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.errors.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


@asynccontextmanager
async def a_tab(devtools: str) -> AsyncIterator[Tab]:
    """A page in the browser with that address."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(devtools, max_msg_size=MAX_MESSAGE_BYTES) as socket,
    ):
        tab = Tab(socket)
        hearing = asyncio.create_task(tab.hear())
        try:
            await tab.open()
            yield tab
        finally:
            hearing.cancel()
