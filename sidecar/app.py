"""The composition root: builds everything from the settings, opens and closes it in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict
from functools import partial
from platform import node, python_version
from types import TracebackType
from typing import Any, Self

from sidecar import __version__
from sidecar.clock import Clock, SystemClock
from sidecar.config import ConfigError, redacted
from sidecar.config.problem import Place, Problem
from sidecar.config.quantity import parse_quantity
from sidecar.core.events import Event, Report, State
from sidecar.core.settings import Settings
from sidecar.core.units import Unit
from sidecar.dialects.memory import Memory
from sidecar.fleet.lane import Member
from sidecar.fleet.stores import open_store
from sidecar.fleet.stores.base import Store
from sidecar.fleet.view import FleetBreakers
from sidecar.observe.fanout import fan_out
from sidecar.observe.lag import sample_loop_lag
from sidecar.observe.logs import set_level
from sidecar.observe.metrics import Build, Metrics
from sidecar.observe.page import status_page
from sidecar.observe.report import LifeReport
from sidecar.observe.standing import ConfigStanding, Keys, Looks
from sidecar.observe.status import Status
from sidecar.observe.tracing import Tracing, open_tracing
from sidecar.proxy.access import may_change
from sidecar.proxy.admin import Admin, AdminPorts
from sidecar.proxy.api import Api, ApiPorts
from sidecar.proxy.change_body import HoldRequest
from sidecar.proxy.course import Ports
from sidecar.proxy.handler import Handler
from sidecar.proxy.listener import Listener
from sidecar.proxy.upstream import Upstream

DRAIN_LOOK_S = 0.05
SWEEP_S = 1.0
LAST_LOOKS = 4  # for those that were told to hurry
OPERATOR = "operator"


class Sidecar(AbstractAsyncContextManager["Sidecar"]):
    """Everything, running while entered. `api` and `admin` hold the real ports from then on.

    `sha256` and `warnings` are of the configuration that the settings come from.
    `reports` are observers beside the metrics and the status. Raises `ConfigError` for a store that
    cannot be opened, or a package that is missing; whether it can be reached does not matter.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sha256: str = "",
        warnings: Sequence[str] = (),
        reports: Sequence[Report] = (),
        clock: Clock | None = None,
    ) -> None:
        self.api = settings.listen
        self.admin = settings.admin
        self.drain_asked = asyncio.Event()
        self._hurried = False
        self._settings = settings
        self._clock = clock or SystemClock()
        self._upstreams: dict[str, Upstream] = {}
        self._breakers = FleetBreakers(
            [entry for route in settings.routes for entry in route.chain],
            _opened_store(settings, self._clock),
            self._clock,
            Member(pod_name(), settings.fleet, self._report),
        )
        config = ConfigStanding(sha256, self._clock.unix(), warnings)
        looks = Looks(
            self._breakers.snapshot, self._keys, self._breakers.store_status, lambda: config
        )
        self._metrics = Metrics(settings, self._clock, Build(__version__, sha256), looks)
        self._status = Status(settings, self._clock, looks, __version__, pod_name())
        self._life = LifeReport(settings, self._clock, self._metrics, looks)
        self._tracing = _opened_tracing(settings, self._clock)
        spans = self._tracing.handlers if self._tracing else {}
        self._reports = fan_out(self._metrics.handlers, self._status.handlers, spans, *reports)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def drain(self) -> None:
        """Say that we are leaving; wait for the calls in flight, at most `drain_timeout`.

        Streams that are still open then end with an error in band. Being asked to leave again
        ends the wait at once.
        """
        front, clock = self._front, self._clock
        front.draining = True
        until_s = clock.monotonic() + self._settings.drain_timeout_s
        while self._busy() and not self._hurried and clock.monotonic() < until_s:
            await clock.sleep(DRAIN_LOOK_S)
        front.hurry()
        for _ in range(LAST_LOOKS):
            if front.in_flight:
                await clock.sleep(DRAIN_LOOK_S)

    def _busy(self) -> bool:
        return self._front.in_flight > 0 or self._api_listener.unsent

    def leave(self) -> None:
        """Ask for a drain; said twice, for an end."""
        self._hurried = self.drain_asked.is_set()
        self.drain_asked.set()

    async def _open(self, stack: AsyncExitStack) -> None:
        """Open in this order, close in the other."""
        settings = self._settings
        if self._tracing:
            self._tracing.open()
            stack.push_async_callback(self._tracing.close)
        await self._breakers.open()
        stack.push_async_callback(self._breakers.close)
        self._front = Api(settings, await self._handler(stack), self._api_ports())
        admin = Admin(self._admin_ports())
        self._api_listener = Listener(self._front.handle, settings.listen, settings.limits)
        admin_listener = Listener(admin.handle, settings.admin, settings.limits)
        self.api = (await stack.enter_async_context(self._api_listener)).address
        self.admin = (await stack.enter_async_context(admin_listener)).address
        lag = asyncio.create_task(sample_loop_lag(self._metrics.observe_loop_lag, self._clock))
        stack.callback(lag.cancel)
        sweep = asyncio.create_task(self._sweep())
        stack.callback(sweep.cancel)

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_S)
            self._front.cut_stuck()

    async def _handler(self, stack: AsyncExitStack) -> Handler:
        limits, memory = self._settings.limits, Memory()
        for provider in self._settings.providers:
            self._upstreams[provider.name] = upstream = Upstream(provider, limits, memory)
            stack.push_async_callback(upstream.close)
        return Handler(
            ports=Ports(
                upstreams=self._upstreams,
                breakers=self._breakers,
                report=self._reports,
                hedge=self._settings.hedge,
            ),
            limits=limits,
            streaming=self._settings.streaming,
            now=self._clock.monotonic,
            unix=self._clock.unix,
            tells_trace=self._settings.tracing.to_providers,
        )

    def _report(self, event: Event) -> None:
        self._reports(event)

    def _keys(self) -> dict[str, Keys]:
        """How many keys each provider with several has, and how many of them are parked."""
        now_s = self._clock.monotonic()
        pools = {name: upstream.keys for name, upstream in list(self._upstreams.items())}
        return {
            name: Keys(pool.size, pool.aside(now_s))
            for name, pool in pools.items()
            if not pool.is_lone
        }

    def _api_ports(self) -> ApiPorts:
        hosts = frozenset((self._settings.listen.host,))
        token = self._settings.admin_token
        return ApiPorts(
            may_change=lambda request: may_change(request, token, hosts),
            reset=self._breakers.reset,
        )

    def _admin_ports(self) -> AdminPorts:
        return AdminPorts(
            ready=lambda: not self._front.draining,
            all_open=self._breakers.all_open,
            metrics=self._metrics.render,
            status=self._status.as_json,
            status_page=status_page,
            report=self._life.as_json,
            request=self._status.request,
            config=partial(redacted, self._settings),
            version=lambda: {"version": __version__, "python": python_version()},
            hold=self._hold,
            release=self._release,
            reset=self._reset,
            drain=self.drain_asked.set,
            set_log_level=set_level,
            duration_s=lambda text: parse_quantity(text, Unit.SECONDS),
            clock=self._clock,
            token=self._settings.admin_token,
            hosts=frozenset((self._settings.admin.host,)),
        )

    async def _hold(self, name: str, hold: HoldRequest) -> dict[str, Any]:
        await self._breakers.hold(name, State(hold.mode), hold.for_s, OPERATOR, hold.reason)
        return self._shown(name)

    async def _release(self, name: str) -> dict[str, Any]:
        await self._breakers.release(name)
        return self._shown(name)

    async def _reset(self, name: str) -> dict[str, Any]:
        await self._breakers.reset(name)
        return self._shown(name)

    def _shown(self, name: str) -> dict[str, Any]:
        """The breaker of that name, or all of the provider of that name."""
        found = [
            asdict(one) for one in self._breakers.snapshot() if name in (one.name, one.provider)
        ]
        return found[0] if len(found) == 1 else {"breakers": found}


def _opened_store(settings: Settings, clock: Clock) -> Store:
    try:
        return open_store(settings.store, settings.fleet, clock)
    except ValueError as error:
        raise _unusable(error) from None


def _opened_tracing(settings: Settings, clock: Clock) -> Tracing | None:
    try:
        return open_tracing(settings, clock, pod_name())
    except ValueError as error:
        raise _unusable(error) from None


def _unusable(error: ValueError) -> ConfigError:
    """What `error` says of a key of the configuration: `KEY: WHAT`."""
    path, _, what = str(error).partition(": ")
    return ConfigError([Problem(place=Place(""), path=path, what=what)])


def pod_name() -> str:
    """What this pod is called among the others."""
    return os.environ.get("HOSTNAME") or node() or "sidecar"
