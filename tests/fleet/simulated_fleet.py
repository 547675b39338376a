"""The fleet of a simulation: its pods, their store, the providers, and what kind of fleet it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sidecar.core.breaker import Lease
from sidecar.core.policies import BreakerPolicy, OpenBackoff, Slow, Timeouts
from sidecar.core.record import Record
from sidecar.core.settings import Entry, Provider
from sidecar.fleet.board import Board
from sidecar.fleet.cell import Cell
from tests.fleet.ledger import Ledger
from tests.fleet.simulated_loop import BEGINNING_S, NOBODY, Process, SimulatedLoop
from tests.fleet.simulated_pod import Clock, Service, SimulatedPod, World
from tests.fleet.simulated_store import FAIR, Server, Weather, Write

PROVIDERS = ("gemini", "anthropic")
TIMES = Timeouts(connect_s=0.5, first_token_s=1.5, first_token_reasoning_s=1.5, answer_s=1.5)
LEASE_S = 2.0  # what comes of these
SLOW_S = 0.8
SKEW_S = 600.0  # how wrong a wall clock may be


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What kind of fleet, and what kind of trouble.

    `thresholds` are those of the pods in turn; `is_egressless` that the last of the first pods
    reaches no provider. `trouble` are kinds of calamities, each as often as it is named; on
    average one comes every `every_s`. `has_like_leases`: leases are counted anew in every epoch, so
    that nothing but the epoch tells one from the next.
    """

    pods: int = 4
    probes: int = 2
    successes: int = 2
    open_s: float = 3.0
    multiplier: float = 1.0
    max_s: float = 6.0
    thresholds: tuple[int, ...] = (3,)
    calls_per_s: float = 3.0
    is_egressless: bool = False
    has_like_leases: bool = False
    trouble: str = "provider provider provider store line pod operator weather"
    every_s: float = 2.0
    weather: Weather = FAIR

    def entries(self, index: int) -> tuple[Entry, ...]:
        """The chain of pod number `index`."""
        policy = BreakerPolicy(
            failure_threshold=self.thresholds[index % len(self.thresholds)],
            min_requests=8,
            ratio_window_s=10.0,
            success_threshold=self.successes,
            half_open_probes=self.probes,
            open_timeout_s=self.open_s,
            open_backoff=OpenBackoff(multiplier=self.multiplier, max_s=self.max_s),
            slow=Slow(first_token_s=SLOW_S),
        )
        providers = (
            Provider(name=name, kind="openai", base_url="http://x/v1", breaker=policy)
            for name in PROVIDERS
        )
        return tuple(Entry(provider=one, model="m", timeouts=TIMES) for one in providers)

    @property
    def recovery_s(self) -> float:
        """How long a provider may be avoided that is well: by a pod alone, then by all.

        Each a longest open time, a round, and a lease.
        """
        return 2 * (max(self.max_s, self.open_s) + LEASE_S * (self.successes + 3))


class Fleet:
    """The pods of one life. All chance comes from `seed`."""

    def __init__(self, loop: SimulatedLoop, setting: Setting, seed: int) -> None:
        self.loop, self.setting = loop, setting
        self.chance = Random(seed)
        self.ledger = Ledger()
        self.server = Server(loop, self.chance, self)
        self.server.weather = setting.weather
        services = {name: Service(name) for name in PROVIDERS}
        self.world = World(loop, self.chance, self.server, self.ledger, services)
        self.world.has_like_leases = setting.has_like_leases
        self.pods: list[SimulatedPod] = []
        self.by_process: dict[Process, SimulatedPod] = {}
        self._tokens = 0
        self._asked: Counter[tuple[str, str, int]] = Counter()

    @property
    def alive(self) -> list[SimulatedPod]:
        """The pods that run and were not asked to stop."""
        return [pod for pod in self.pods if pod.runs]

    @property
    def now_s(self) -> float:
        """How long this life has lasted."""
        return self.loop.time() - BEGINNING_S

    def add_pod(self) -> None:
        """Start one more."""
        name, index = f"pod-{len(self.pods)}", len(self.pods)
        started_s = self.loop.time() - self.chance.uniform(0, 1e6)
        clock = Clock(self.loop, started_s, self.chance.uniform(-SKEW_S, SKEW_S))
        pod = SimulatedPod(name, self.world, self.setting.entries(index), clock)
        pod.calls_per_s = self.setting.calls_per_s
        pod.has_egress = not (self.setting.is_egressless and index == self.setting.pods - 1)
        self.pods.append(pod)
        self.by_process[pod.process] = pod
        self.tell(f"{name} starts")
        pod.start()

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Do it in so many seconds."""
        self.loop.call_later(seconds, then, context=NOBODY)

    def tell(self, what: str) -> None:
        """Note what happens."""
        self.ledger.tell(f"{self.now_s:7.3f} {what}")

    # Names that can be repeated

    def token(self, _: int) -> str:
        """One that nobody had."""
        self._tokens += 1
        return f"t{self._tokens}"

    def ask(self, board: Board, cell: Cell) -> None:
        """What a board does, but that leases of another epoch had the same names."""
        key = board.pod, cell.name, cell.epoch
        self._asked[key] += 1
        token = f"{board.pod}/{cell.current.state}/{self._asked[key]}"
        board._send(cell, Lease(pod=board.pod, epoch=cell.epoch, token=token))

    # What the store tells

    def written(self, write: Write) -> None:
        """Note and check a write."""
        old, new = write.old, write.new
        why = new.why.cause if new.why and old and new.epoch != old.epoch else ""
        self.tell(
            f"{write.pod} writes {new.name} {old and old.version}>{new.version} {new.in_force} "
            f"{why} until {new.until_ms} leases {[slot.token for slot in new.leases]} {new.succ}"
        )
        self.ledger.written(write)

    def forgotten(self, now: dict[str, Record]) -> None:
        """Note that the store goes back."""
        self.ledger.forgotten(now, self.server.records)
