"""Counts tokens, and what they cost at the prices of the configuration."""

from __future__ import annotations

from sidecar.core.events import AttemptEnded, RequestEnded, Usage
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Price, Settings
from sidecar.observe import known
from sidecar.observe.series import Labels, Numbers

TOKEN_TYPES = INPUT, OUTPUT, CACHED_INPUT = "input", "output", "cached_input"


class RescueTallies:
    """The tokens of answers that somebody else than the first asked gave, by who gave them."""

    def __init__(self, settings: Settings) -> None:
        self.tokens = Numbers(known.each(known.places(settings), TOKEN_TYPES))

    def rescued(self, event: RequestEnded) -> None:
        """A request was served after a failover."""
        if usage := event.usage:
            place = (event.route, event.provider, event.model)
            self.tokens.add((*place, INPUT), usage.input)
            self.tokens.add((*place, OUTPUT), usage.output)
            self.tokens.add((*place, CACHED_INPUT), usage.cached_input)


class TokenTallies:
    """What the providers counted, and what that cost."""

    def __init__(self, settings: Settings) -> None:
        models = known.models(settings)
        self.tokens = Numbers(known.each(models, TOKEN_TYPES))
        self.missing = Numbers(models)
        self.cost_usd = Numbers(models)
        self.unpriced = Numbers(models)
        self._prices = prices_by_labels(settings)

    def ended(self, event: AttemptEnded) -> None:
        """A provider answered or failed."""
        model = (event.provider, event.model)
        if event.usage:
            self._used(model, event.usage)
        elif event.counts_tokens and event.outcome is Outcome.OK:
            self.missing.add(model)

    def _used(self, model: Labels, usage: Usage) -> None:
        self.tokens.add((*model, INPUT), usage.input)
        self.tokens.add((*model, OUTPUT), usage.output)
        self.tokens.add((*model, CACHED_INPUT), usage.cached_input)
        if price := self._prices.get(model):
            self.cost_usd.add(model, cost_usd(usage, price))
        else:
            self.unpriced.add(model, usage.input + usage.output)


def prices_by_labels(settings: Settings) -> dict[Labels, Price]:
    """What is known by (provider, model); the model is `*` where the application names it."""
    prices = dict(settings.prices)
    names = {labels: "/".join(labels) for labels in known.models(settings)}
    return {labels: prices[name] for labels, name in names.items() if name in prices}


def cost_usd(usage: Usage, price: Price) -> float:
    """What `usage` costs. What is cached is a part of the input with a price of its own."""
    cached = min(usage.cached_input, usage.input)
    cached_price = price.input if price.cached_input is None else price.cached_input
    input_cost = (usage.input - cached) * price.input + cached * cached_price
    return (input_cost + usage.output * price.output) / 1e6
