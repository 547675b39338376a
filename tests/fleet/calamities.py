"""What can happen to a fleet. Whatever it is, it is over after a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sidecar.core.record import Record
from tests.fleet.simulated_fleet import PROVIDERS, Fleet
from tests.fleet.simulated_pod import Service, SimulatedPod
from tests.fleet.simulated_store import Weather

STORMY = Weather(
    late=0.1, unheard=0.05, repeated=0.1, lost_pushes=0.2, late_pushes=0.3, stale_syncs=0.1
)
ROUGH = Weather(late=0.4, late_s=2.0, unheard=0.2, repeated=0.2, lost_pushes=0.5, late_pushes=0.5)
SLOW = Weather(late=0.5, late_s=0.2, repeated=0.4, late_pushes=0.5)

Calamity = Callable[[Fleet], None]


# Providers


def provider(mode: str, longest_s: float = 10.0) -> Calamity:
    """One that makes a provider answer in that way."""

    def fails(fleet: Fleet) -> None:
        service = fleet.world.services[fleet.chance.choice(PROVIDERS)]
        fleet.tell(f"{service.name} is {mode}")
        service.mode = mode
        fleet.later(fleet.chance.uniform(1.0, longest_s), partial(_recover, fleet, service, mode))

    fails.__name__ = f"provider_{mode}"
    return fails


def _recover(fleet: Fleet, service: Service, mode: str) -> None:
    if service.mode == mode:
        fleet.tell(f"{service.name} is up")
        service.mode = "up"


# The store


def store_frozen(fleet: Fleet) -> None:
    """SIGSTOP, SIGCONT."""
    fleet.server.freeze()
    fleet.later(fleet.chance.choice((0.3, 1.0, 4.0, 8.0)), fleet.server.thaw)


def store_gone(fleet: Fleet) -> None:
    """It is stopped, and started with all that it had."""
    fleet.server.stop()
    fleet.later(fleet.chance.choice((0.5, 2.0, 12.0, 20.0)), fleet.server.start)


def store_long_gone(fleet: Fleet) -> None:
    """The same, for longer than evidence keeps."""
    fleet.server.stop()
    fleet.later(25.0, fleet.server.start)


def store_emptied(fleet: Fleet) -> None:
    """It is started with nothing."""
    _restart(fleet, {})


def store_set_back(fleet: Fleet) -> None:
    """A replica takes over that is behind."""
    behind_s = fleet.chance.choice((0.05, 0.5, 5.0))
    _restart(fleet, fleet.server.records_of(fleet.loop.time() - behind_s))


def _restart(fleet: Fleet, records: dict[str, Record]) -> None:
    fleet.server.stop()

    def start() -> None:
        fleet.server.go_back(records)
        fleet.server.start()

    fleet.later(fleet.chance.choice((0.0, 0.3, 3.0)), start)


# The way there


def line_cut(fleet: Fleet) -> None:
    """One pod does not reach the store."""
    pod = fleet.chance.choice(fleet.pods)
    pod.line.is_cut = True
    fleet.later(fleet.chance.uniform(0.5, 12.0), partial(setattr, pod.line, "is_cut", False))


def network_gone(fleet: Fleet) -> None:
    """One pod reaches neither the store nor any provider."""
    pod = fleet.chance.choice(fleet.pods)
    if not pod.has_egress:
        return
    pod.line.is_cut, pod.has_egress = True, False

    def back() -> None:
        pod.line.is_cut, pod.has_egress = False, True

    fleet.later(fleet.chance.uniform(0.5, 8.0), back)


def egress_gone(fleet: Fleet) -> None:
    """One pod reaches no provider."""
    pod = fleet.chance.choice(fleet.pods)
    if pod.has_egress and len(fleet.alive) > 1:
        fleet.tell(f"{pod.name} reaches nobody")
        pod.has_egress = False
        fleet.later(fleet.chance.uniform(0.5, 8.0), partial(setattr, pod, "has_egress", True))


def feed_broken(fleet: Fleet) -> None:
    """One pod's subscription ends."""
    fleet.chance.choice(fleet.pods).line.break_off()


def feed_interrupted(fleet: Fleet) -> None:
    """One pod's client reconnects by itself."""
    fleet.chance.choice(fleet.pods).line.interrupt()


def weather_turns(fleet: Fleet) -> None:
    """The network gets worse for a while."""
    fleet.server.weather = fleet.chance.choice((STORMY, ROUGH, replace(STORMY, stale_syncs=0.6)))
    back = partial(setattr, fleet.server, "weather", fleet.setting.weather)
    fleet.later(fleet.chance.uniform(1.0, 8.0), back)


# Pods


def pod_frozen(fleet: Fleet) -> None:
    """SIGSTOP, SIGCONT."""
    if len(fleet.alive) > 1:
        pod = fleet.chance.choice(fleet.alive)
        fleet.tell(f"{pod.name} is frozen")
        pod.process.is_stopped = True
        fleet.later(fleet.chance.choice((0.3, 1.0, 3.0, 6.0, 30.0)), partial(thaw, fleet, pod))


def thaw(fleet: Fleet, pod: SimulatedPod) -> None:
    """Let it go on."""
    if pod.process.is_stopped and not pod.is_gone:
        fleet.tell(f"{pod.name} goes on")
        fleet.loop.resume(pod.process)


def pod_killed(fleet: Fleet) -> None:
    """kill -9, and another takes its place."""
    if pod := _one_of_several(fleet):
        fleet.tell(f"{pod.name} is killed")
        pod.process.is_stopped, pod.is_gone = True, True
        fleet.later(fleet.chance.uniform(0.1, 5.0), fleet.add_pod)


def pod_replaced(fleet: Fleet) -> None:
    """SIGTERM, and another takes its place."""
    if pod := _one_of_several(fleet):
        fleet.tell(f"{pod.name} shuts down")
        pod.shut_down()
        fleet.later(fleet.chance.uniform(0.1, 5.0), fleet.add_pod)


def pod_joins(fleet: Fleet) -> None:
    """One more."""
    if len(fleet.alive) < fleet.setting.pods + 2:
        fleet.add_pod()


def _one_of_several(fleet: Fleet) -> SimulatedPod | None:
    able = [pod for pod in fleet.alive if pod.has_egress]
    return fleet.chance.choice(able) if len(able) > 1 else None


def clock_steps(fleet: Fleet) -> None:
    """One machine's wall clock is set."""
    fleet.chance.choice(fleet.pods).clock.skew_s += fleet.chance.uniform(-300.0, 300.0)


# Operators


def operator_gives_an_order(fleet: Fleet) -> None:
    """Through some pod."""
    if fleet.alive:
        kind = fleet.chance.choice(("hold_open", "hold_closed", "release", "reset", "reset"))
        ttl_s = fleet.chance.choice((None, 0.5, 3.0))
        fleet.chance.choice(fleet.alive).order(kind, fleet.chance.choice(PROVIDERS), ttl_s)


# By the kinds that a setting names.
CALAMITIES: dict[str, tuple[Calamity, ...]] = {
    "provider": tuple(
        map(provider, ("down", "down", "silent", "hanging", "limited", "slow", "fitful"))
    ),
    "down": (provider("down", 3.0),),
    "fitful": (provider("fitful"),),
    "limited": (provider("limited"),),
    "store": (store_frozen, store_gone, store_emptied, store_set_back),
    "outage": (store_frozen, store_gone),
    "egress": (egress_gone,),
    "blackout": (store_long_gone,),
    "loss": (store_emptied, store_set_back),
    "line": (line_cut, network_gone, egress_gone, feed_broken, feed_interrupted),
    "network": (line_cut, network_gone, egress_gone),
    "pod": (pod_frozen, pod_frozen, pod_killed, pod_replaced, pod_joins, clock_steps),
    "freeze": (pod_frozen, store_frozen),
    "join": (pod_killed, pod_replaced, pod_joins),
    "operator": (operator_gives_an_order,),
    "weather": (weather_turns,),
}
