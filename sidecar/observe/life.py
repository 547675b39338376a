"""What was seen of every provider over the life of the process: from the tallies, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sidecar.core.events import Usage
from sidecar.core.outcome import COOLING, FAILURES, PARKING, Outcome, RequestOutcome, SkipReason
from sidecar.core.settings import Price, Settings
from sidecar.observe.estimates import quantile
from sidecar.observe.series import OTHER, Labels, Numbers, Spreads
from sidecar.observe.spending import cost_usd, prices_by_labels
from sidecar.observe.standing import Keys
from sidecar.observe.tallies import AttemptTallies, RequestTallies

NO_USAGE = Usage(0, 0)
NO_KEYS: Mapping[str, Keys] = {}


class FirstTokens(NamedTuple):
    """How many there were, and how long they took: estimates from buckets."""

    total: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None


class Seen(NamedTuple):
    """One provider with one model. `cooldowns` were a matter of a moment, `refusals` yours.

    `busy_s` is the time of all attempts together; `usd` is `None` where there is no price.
    """

    provider: str
    model: str
    attempts: int = 0
    answers: int = 0
    failures: int = 0
    cooldowns: int = 0
    refusals: int = 0
    busy_s: float = 0.0
    first_tokens: FirstTokens = FirstTokens()
    usage: Usage = NO_USAGE
    usd: float | None = None

    @property
    def name(self) -> str:
        """As in a chain."""
        return self.provider if self.model == "*" else f"{self.provider}/{self.model}"

    @property
    def availability(self) -> float | None:
        """The share of attempts that were not the provider's failure."""
        return 1 - self.failures / self.attempts if self.attempts else None

    @property
    def usd_per_1000(self) -> float | None:
        """What a thousand answers cost."""
        return None if self.usd is None or not self.answers else self.usd / self.answers * 1000


class Failover(NamedTuple):
    """What failover cost: time lost on tries before the one that answered, and money.

    `extra_usd` is what the answers of others cost more than the first of the chain would have
    taken for as many tokens; `None` where that is not known of any.
    """

    lost_s: float = 0.0
    lost_p50_s: float | None = None
    lost_p95_s: float | None = None
    extra_usd: float | None = None
    unpriced_tokens: int = 0


class Life(NamedTuple):
    """All that was seen in `up_s`. `requests` by what became of them; the rest is by provider.

    `full`: how often it was passed over because it was; `parked`: why somebody has to act.
    """

    up_s: float
    models: Sequence[Seen]
    requests: Mapping[str, int] = {}
    failover: Failover = Failover()
    full: Mapping[str, int] = {}
    parked: Mapping[str, str] = {}
    keys: Mapping[str, Keys] = NO_KEYS


def routed(requests: Numbers) -> dict[str, int]:
    """How many requests came to each outcome, of those that had a route."""
    counts = Counter(dict.fromkeys(RequestOutcome, 0))
    for (route, _, outcome, _), count in requests.rows():
        counts[RequestOutcome(outcome)] += int(count) if route != OTHER else 0
    return {str(outcome): count for outcome, count in counts.items()}


def seen_of(attempts: AttemptTallies, settings: Settings) -> list[Seen]:
    """What was seen of each provider and model, in the order of the configuration."""
    counts: dict[Labels, Counter[str]] = {}
    for (provider, model, outcome), count in attempts.attempts.rows():
        counts.setdefault((provider, model), Counter())[outcome] = int(count)
    used = used_of(attempts.spent.tokens)
    busy_s = {labels: total for labels, _, total in attempts.duration_s.rows()}
    firsts = first_tokens_of(attempts.first_token_s)
    prices = prices_by_labels(settings)
    costs = {labels: usd for labels, usd in attempts.spent.cost_usd.rows() if labels in prices}
    return [
        Seen(
            provider=labels[0],
            model=labels[1],
            attempts=outcomes.total(),
            answers=outcomes[Outcome.OK],
            failures=of_kind(outcomes, FAILURES),
            cooldowns=of_kind(outcomes, COOLING),
            refusals=of_kind(outcomes, PARKING),
            busy_s=busy_s.get(labels, 0.0),
            first_tokens=firsts.get(labels, FirstTokens()),
            usage=used.get(labels, NO_USAGE),
            usd=costs.get(labels),
        )
        for labels, outcomes in counts.items()
    ]


def of_kind(outcomes: Mapping[str, int], kind: Iterable[Outcome]) -> int:
    """How many attempts had an outcome of a kind."""
    return sum(outcomes.get(outcome, 0) for outcome in kind)


def used_of(tokens: Numbers) -> dict[Labels, Usage]:
    """The tokens by whatever labels come before their type."""
    by_labels: dict[Labels, dict[str, int]] = {}
    for (*labels, kind), count in tokens.rows():
        by_labels.setdefault(tuple(labels), {})[kind] = int(count)
    return {labels: Usage(**kinds) for labels, kinds in by_labels.items()}


def first_tokens_of(spreads: Spreads) -> dict[Labels, FirstTokens]:
    """The first tokens of each histogram."""
    return {
        labels: FirstTokens(
            counts[-1], *(quantile(spreads.bounds, counts, one) for one in (0.5, 0.95, 0.99))
        )
        for labels, counts, _ in spreads.rows()
    }


def failover_of(requests: RequestTallies, settings: Settings) -> Failover:
    """What failover cost."""
    rows = requests.lost_s.rows()
    counts = [sum(column) for column in zip(*(counts for _, counts, _ in rows), strict=True)]
    p50_s, p95_s = (quantile(requests.lost_s.bounds, counts, one) for one in (0.5, 0.95))
    lost_s = round(sum(total for *_, total in rows), 3)
    return Failover(lost_s, p50_s, p95_s, *extra_of(used_of(requests.rescues.tokens), settings))


def extra_of(used: Mapping[Labels, Usage], settings: Settings) -> tuple[float | None, int]:
    """What others cost more than the first of the chain; and the tokens where nobody can tell."""
    prices = prices_by_labels(settings)
    firsts = {one.name: one.chain[0] for one in settings.routes}
    known: list[float] = []
    unpriced = 0
    for (route, provider, model), usage in used.items():
        first = firsts.get(route)
        labels = (first.provider.name, first.model_label) if first else ("", "")
        price, first_price = prices.get((provider, model)), prices.get(labels)
        if not any(usage):
            continue
        if price and first_price:
            known.append(more_usd(usage, price, first_price))
        else:
            unpriced += usage.input + usage.output
    return (sum(known) if known else None), unpriced


def more_usd(usage: Usage, price: Price, first_price: Price) -> float:
    """What the tokens cost more at `price`; negative where less."""
    return cost_usd(usage, price) - cost_usd(usage, first_price)


def full_of(skips: Numbers) -> dict[str, int]:
    """How often each provider was passed over because it had its `max_in_flight`."""
    rows = {provider: int(n) for (provider, why), n in skips.rows() if why == SkipReason.FULL}
    return {provider: count for provider, count in rows.items() if count}
