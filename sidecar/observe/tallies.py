"""Counts what the events tell: the numbers behind the metrics, by subject, without their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from sidecar.core.events import (
    AttemptEnded,
    BreakerMoved,
    FailedOver,
    Hedged,
    ProbeEnded,
    ProbeVerdict,
    RequestEnded,
    RequestStarted,
    Retried,
    Skipped,
    Stage,
    State,
    StreamInterrupted,
)
from sidecar.core.outcome import PARKING, Outcome, RequestOutcome, SkipReason
from sidecar.core.rate_limit import RateLimited
from sidecar.core.settings import Settings
from sidecar.observe import known
from sidecar.observe.exemplars import Exemplars
from sidecar.observe.series import OTHER, Numbers, Spreads
from sidecar.observe.spending import RescueTallies, TokenTallies
from sidecar.observe.standing import Keys, Standing

# Upper bounds in seconds. At most 13 each: every bound is a series for every label.
ANSWER_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
FIRST_TOKEN_S = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30, 60)
LOST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
OVERHEAD_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)


class RequestTallies:
    """What the application saw. Without a route a request is counted, but not timed."""

    def __init__(self, settings: Settings, unix: Callable[[], float]) -> None:
        routes = known.routes(settings)
        self._exemplars = Exemplars(settings.tracing, unix)
        self.requests = Numbers(known.requests(settings), also=known.codes())
        self.in_flight = Numbers(routes)
        self.exhausted = Numbers(routes)
        self.failovers = Numbers(known.failovers(settings), also=known.any_failovers(settings))
        self.duration_s = Spreads(routes, ANSWER_S)
        self.first_token_s = Spreads(routes, FIRST_TOKEN_S)
        self.overhead_s = Spreads(routes, OVERHEAD_S)
        self.lost_s = Spreads(routes, LOST_S)
        self.rescues = RescueTallies(settings)

    def started(self, event: RequestStarted) -> None:
        """A request came in."""
        if event.route:
            self.in_flight.add((event.route,))

    def ended(self, event: RequestEnded) -> None:
        """A request is over."""
        code = known.CODES.get(event.code, OTHER)
        self.requests.add((event.route or OTHER, event.endpoint, event.outcome, code))
        if event.route:
            self._ended_on_route(event)

    def failed_over(self, event: FailedOver) -> None:
        """A request went on to another provider."""
        self.failovers.add((event.route, event.from_provider, event.to_provider, event.reason))

    def _ended_on_route(self, event: RequestEnded) -> None:
        route, exemplar = (event.route,), self._exemplars.of(event.trace)
        self.in_flight.add(route, -1)
        self.duration_s.observe(route, event.duration_s, exemplar)
        self.overhead_s.observe(route, event.overhead_s, exemplar)
        if event.ttft_s is not None:
            self.first_token_s.observe(route, event.ttft_s, exemplar)
        if event.outcome is RequestOutcome.FAILOVER_SUCCESS:
            self.lost_s.observe(route, event.lost_s, exemplar)
            self.rescues.rescued(event)
        elif event.outcome is RequestOutcome.EXHAUSTED:
            self.exhausted.add(route)


class AttemptTallies:
    """What the providers did."""

    def __init__(self, settings: Settings, unix: Callable[[], float]) -> None:
        models, providers = known.models(settings), known.providers(settings)
        self._exemplars = Exemplars(settings.tracing, unix)
        self.attempts = Numbers(known.each(models, Outcome))
        self.remaining = Numbers((), also=known.each(providers, RateLimited))
        self.dropped = Numbers(
            known.each(providers, (OTHER,)), also=known.each(providers, known.PARAMS)
        )
        self.spent = TokenTallies(settings)
        self.retries = Numbers(known.each(providers, known.RETRIED))
        self.hedges = Numbers(known.each(providers, known.HEDGED))
        self.skips = Numbers(known.each(providers, SkipReason))
        self.interruptions = Numbers(known.each(providers, Stage))
        self.duration_s = Spreads(models, ANSWER_S)
        self.first_token_s = Spreads(models, FIRST_TOKEN_S)

    def ended(self, event: AttemptEnded) -> None:
        """A provider answered or failed."""
        model, exemplar = (event.provider, event.model), self._exemplars.of(event.trace)
        self.attempts.add((*model, event.outcome))
        self.duration_s.observe(model, event.duration_s, exemplar)
        if event.ttft_s is not None:
            self.first_token_s.observe(model, event.ttft_s, exemplar)
        for what, left in event.remaining:
            self.remaining.set((event.provider, what), left)
        for param in event.dropped:
            self.dropped.add((event.provider, param))
        self.spent.ended(event)

    def retried(self, event: Retried) -> None:
        """A provider was worth another try."""
        self.retries.add((event.provider, event.result))

    def hedged(self, event: Hedged) -> None:
        """A provider was worth asking beside another."""
        self.hedges.add((event.provider, event.result))

    def skipped(self, event: Skipped) -> None:
        """A provider was passed over."""
        self.skips.add((event.provider, event.reason))

    def interrupted(self, event: StreamInterrupted) -> None:
        """A streamed answer broke off."""
        self.interruptions.add((event.provider, event.stage))


class AsideTallies:
    """What is set aside at the moment of a look: providers and models, and keys of a pool.

    `keys` tells of each provider with several keys how many there are and how many are parked.
    """

    def __init__(
        self,
        settings: Settings,
        breakers: Callable[[], Sequence[Standing]],
        keys: Callable[[], Mapping[str, Keys]],
    ) -> None:
        self.parked = Numbers(known.each(known.providers(settings), sorted(PARKING)))
        self.keys_parked = Numbers(known.pools(settings))
        self._breakers = breakers
        self._keys = keys

    def look(self) -> None:
        """Take down what is set aside now."""
        parked = {
            (breaker.provider, aside.reason, aside.model)
            for breaker in self._breakers()
            for aside in breaker.parked
        }
        counts = Counter((provider, reason) for provider, reason, _ in parked)
        for (provider, reason), _ in self.parked.rows():
            self.parked.set((provider, reason), counts[provider, reason])
        for provider, (_, parked_keys) in self._keys().items():
            self.keys_parked.set((provider,), parked_keys)


class BreakerTallies:
    """Where the breakers stand, and for how long they were open. `now` is monotonic."""

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], float],
        standings: Callable[[], Sequence[Standing]],
    ) -> None:
        breakers = known.breakers(settings)
        self._standings = standings
        self.state = Numbers(known.each(breakers, State))
        self.moves = Numbers(known.moves(settings))
        self.open_s = Numbers(breakers)
        self.until_unix_s = Numbers(breakers)
        self.epoch = Numbers(breakers)
        self.probes = Numbers(known.each(breakers, ProbeVerdict))
        self._now = now
        self._open_since: dict[str, float] = {}
        self._lock = Lock()  # a scrape may run in another thread
        for (name,) in breakers:
            self.state.set((name, State.CLOSED), 1)

    def moved(self, event: BreakerMoved) -> None:
        """A breaker changed its state."""
        breaker, is_open = (event.breaker,), event.to_state is State.OPEN
        self.moves.add((*breaker, event.from_state, event.to_state, event.cause, event.origin))
        self.epoch.set(breaker, event.epoch)
        self.until_unix_s.set(breaker, event.until_unix_s if is_open else 0.0)
        for state in State:
            self.state.set((*breaker, state), float(state is event.to_state))
        self.catch_up()
        with self._lock:
            self._open_since.pop(event.breaker, None)
            if is_open:
                self._open_since[event.breaker] = self._now()

    def probed(self, event: ProbeEnded) -> None:
        """A probe was settled or lost."""
        self.probes.add((event.breaker, event.verdict))

    def look(self) -> None:
        """Take down what rises without a move: holds and merges begin an epoch, too."""
        for breaker in self._standings():
            self.epoch.set((breaker.name,), breaker.epoch)
        self.catch_up()

    def catch_up(self) -> None:
        """Count the time until now of the breakers that are open."""
        with self._lock:
            now = self._now()
            for name, since in self._open_since.items():
                self.open_s.add((name,), now - since)
                self._open_since[name] = now
