"""The webhook: answers API servers over TLS, for clusters without mutating policies."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from sidecar.clock import Clock
from sidecar.core.settings import Address
from sidecar.kubernetes.injection import Injection
from sidecar.kubernetes.review import Answer, answer

log = logging.getLogger(__name__)

INJECT_PATH, HEALTH_PATH = "/inject", "/healthz"
MAX_BODY = 4 << 20  # bytes; an API server itself takes at most 3 MiB
BODY_S = 10.0  # the longest that an API server waits is 30 s, and ours is told 5
LEAVE_S = 5.0  # after SIGTERM, until every API server knows that we are leaving
LOOK_S = 5.0  # between two looks at the certificate's files
LAST_S = 5.0  # for answers that are on their way when we close
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate, with its chain, and of its key: both PEM."""

    cert: Path
    key: Path

    def read(self) -> tuple[bytes, bytes]:
        """What they hold. Raises `OSError`."""
        return self.cert.read_bytes(), self.key.read_bytes()

    def put_into(self, context: ssl.SSLContext) -> None:
        """Have `context` show it from the next connection on. Raises `OSError` (`SSLError`)."""
        # first into one that nobody uses: half of a pair would end all connections to come
        for one in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            one.load_cert_chain(self.cert, self.key, password="")  # never asked for on a terminal


class Webhook(AbstractAsyncContextManager["Webhook"]):
    """Answers while entered; `address` holds the real port from then on.

    Raises `OSError` where the address cannot be bound or the certificate is not usable. One that
    changes is taken up within `LOOK_S`; if it is not usable, the old one stays.
    """

    def __init__(
        self, address: Address, injection: Injection, certificate: Certificate, clock: Clock
    ) -> None:
        self.address = address
        self._injection = injection
        self._certificate = certificate
        self._clock = clock
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._shown = b"", b""
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._shown = self._certificate.read()
        self._certificate.put_into(self._context)
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes([web.post(INJECT_PATH, self._inject), web.get(HEALTH_PATH, self._health)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_S, logger=log)
        await self._runner.setup()
        try:
            await self._listen(self._runner)
        except OSError:
            await self._runner.cleanup()
            raise
        self._watch = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watch:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        if self._runner:
            await self._runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        where = self.address
        await web.TCPSite(runner, where.host, where.port, ssl_context=self._context).start()
        host, port = runner.addresses[0][:2]
        self.address = Address(host=host, port=port)

    def look(self) -> None:
        """Take up a certificate that has changed since the last look."""
        try:
            there = self._certificate.read()
            if there == self._shown:
                return
            self._certificate.put_into(self._context)
        except OSError as error:
            log.warning("certificate not usable", extra={"error": type(error).__name__})
            return
        self._shown = there
        log.info("certificate taken up")

    async def _keep_looking(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            self.look()

    async def _inject(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_S):
                body = await request.read()
        except TimeoutError:
            return web.json_response({"error": "the body did not arrive in time"}, status=408)
        except web.HTTPRequestEntityTooLarge:
            what = f"the body must have at most {MAX_BODY} bytes"
            return web.json_response({"error": what}, status=413)
        said = self._answered(body)
        log.info("review", extra={"result": said.result, "code": said.status})
        return web.Response(status=said.status, body=said.body, content_type=JSON)

    def _answered(self, body: bytes) -> Answer:
        try:
            return answer(body, self._injection)
        except Exception:
            log.exception("review failed")
            return Answer(500, b'{"error": "the review failed"}', "unreadable")

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")


async def serve(webhook: Webhook) -> None:
    """Answer until SIGTERM or SIGINT, and for `LEAVE_S` longer, unless it is said twice.

    Raises `OSError` like `Webhook`.
    """
    told, hurried = asyncio.Event(), asyncio.Event()

    def leave() -> None:
        if told.is_set():
            hurried.set()
        told.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    async with webhook:
        log.info("webhook is serving", extra={"address": str(webhook.address)})
        await told.wait()
        log.info("webhook is leaving")
        with suppress(TimeoutError):
            await asyncio.wait_for(hurried.wait(), LEAVE_S)
