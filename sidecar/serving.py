"""The process that serves, from its start to its last answer."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal

import uvloop

from sidecar.app import Sidecar
from sidecar.clock import SystemClock
from sidecar.config import Loaded
from sidecar.observe.logs import LogReporter, setup

log = logging.getLogger(__name__)

COLLECT_AFTER = (20_000, 20, 50)  # more costs memory, less costs time


def collect_seldom() -> None:
    """Look for cyclic garbage less often, and never again among what was there from the start.

    Requests leave hardly any cycles; looking for them took 7 % of a request's CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def serve(loaded: Loaded) -> int:
    """Serve until SIGTERM or SIGINT, then drain. Returns the exit code."""
    return uvloop.run(run(loaded))


async def run(loaded: Loaded) -> int:
    """Serve inside a running loop. Raises `OSError` where an address cannot be bound."""
    handler = setup(loaded.settings.log)
    reports = (LogReporter(handler, SystemClock()).report,)
    sidecar = Sidecar(
        loaded.settings, sha256=loaded.sha256, warnings=loaded.warnings, reports=reports
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sidecar.leave)
    async with sidecar:
        for warning in loaded.warnings:
            log.warning(warning)
        log.info(
            "sidecar is serving",
            extra={"api": str(sidecar.api), "admin": str(sidecar.admin), "config": loaded.source},
        )
        collect_seldom()
        await sidecar.drain_asked.wait()
        log.info("sidecar is draining")
        await sidecar.drain()
    return 0
