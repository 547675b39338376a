"""Which label values the configuration knows: the series that exist before the first request.

Combinations that the configuration can name but hardly ever makes (a jump over two providers of a
long chain, say) are left to their first use, so that a large configuration stays cheap to scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import pairwise, product

from sidecar.core.events import Cause, ExtraResult, Origin, State
from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome
from sidecar.core.settings import Entry, Settings
from sidecar.observe.series import OTHER, Labels

HUNG_UP = 499
CODES = {code: str(code) for code in (*map(int, HTTPStatus), HUNG_UP)}

CHAIN_ENDPOINTS = tuple(
    one for one in Endpoint if one not in {Endpoint.MODELS, Endpoint.PASSTHROUGH}
)
ENDINGS: tuple[tuple[str, str], ...] = (
    (RequestOutcome.SUCCESS, "200"),
    (RequestOutcome.FAILOVER_SUCCESS, "200"),
    (RequestOutcome.INTERRUPTED, "200"),
    *((RequestOutcome.CLIENT_ERROR, code) for code in ("400", "413", "422")),
    *((RequestOutcome.EXHAUSTED, code) for code in ("429", "503", "504")),
    (RequestOutcome.CANCELLED, "499"),
    (RequestOutcome.INTERNAL_ERROR, "500"),
)
ROUTELESS: tuple[Labels, ...] = (
    (Endpoint.MODELS, RequestOutcome.SUCCESS, "200"),
    *((one, RequestOutcome.CLIENT_ERROR, "404") for one in Endpoint),
    *((one, RequestOutcome.CLIENT_ERROR, "400") for one in CHAIN_ENDPOINTS),
)
NEVER_FAILED_OVER = frozenset((Outcome.OK, Outcome.CANCELLED, Outcome.HEDGE_LOST))
REASONS = tuple(outcome for outcome in Outcome if outcome not in NEVER_FAILED_OVER)

RETRIED = (ExtraResult.RECOVERED, ExtraResult.FAILED, ExtraResult.NO_BUDGET)
HEDGED = (ExtraResult.WON, ExtraResult.LOST, ExtraResult.NO_BUDGET)

FLEET_MOVES = (
    (State.CLOSED, State.OPEN, Cause.FAILURES),
    (State.CLOSED, State.OPEN, Cause.RATIO),
    (State.CLOSED, State.OPEN, Cause.SLOW),
    (State.OPEN, State.HALF_OPEN, Cause.OPEN_TIMEOUT),
    (State.HALF_OPEN, State.CLOSED, Cause.PROBES_SUCCEEDED),
    (State.HALF_OPEN, State.OPEN, Cause.PROBE_FAILED),
    (State.HALF_OPEN, State.OPEN, Cause.PROBES_LOST),
    (State.CLOSED, State.OPEN, Cause.MERGE),
    (State.OPEN, State.CLOSED, Cause.MERGE),
)
OPERATORS_MOVES = (
    (State.CLOSED, State.OPEN, Cause.HOLD),
    (State.OPEN, State.CLOSED, Cause.HOLD),
    (State.OPEN, State.CLOSED, Cause.RELEASE),
    (State.OPEN, State.CLOSED, Cause.RESET),
    (State.HALF_OPEN, State.CLOSED, Cause.RESET),
)
MOVES = (
    *((*move, origin) for move in FLEET_MOVES for origin in (Origin.SELF, Origin.FLEET)),
    *((*move, Origin.OPERATOR) for move in OPERATORS_MOVES),
)


# The request fields of chat completions, completions, embeddings, Responses and Messages.
PARAMS = (
    *("audio", "background", "best_of", "cache_control", "container", "context_management"),
    *("conversation", "dimensions", "echo", "encoding_format", "frequency_penalty"),
    *("function_call", "functions", "include", "input", "instructions", "logit_bias"),
    *("logprobs", "max_completion_tokens", "max_output_tokens", "max_tokens", "max_tool_calls"),
    *("mcp_servers", "messages", "metadata", "modalities", "model", "moderation", "n"),
    *("output_config", "parallel_tool_calls", "prediction", "presence_penalty"),
    *("previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options"),
    *("prompt_cache_retention", "reasoning", "reasoning_effort", "response_format"),
    *("safety_identifier", "seed", "service_tier", "speed", "stop", "stop_sequences", "store"),
    *("stream", "stream_options", "suffix", "system", "temperature", "text", "thinking"),
    *("tool_choice", "tools", "top_k", "top_logprobs", "top_p", "truncation", "user"),
    *("verbosity", "web_search_options"),
)


def entries(settings: Settings) -> Iterator[Entry]:
    """Every place in every chain."""
    return (entry for route in settings.routes for entry in route.chain)


def routes(settings: Settings) -> list[Labels]:
    """(route)"""
    return [(route.name,) for route in settings.routes]


def providers(settings: Settings) -> list[Labels]:
    """(provider)"""
    return list(dict.fromkeys((entry.provider.name,) for entry in entries(settings)))


def models(settings: Settings) -> list[Labels]:
    """(provider, model)"""
    pairs = ((entry.provider.name, entry.model_label) for entry in entries(settings))
    return list(dict.fromkeys(pairs))


def places(settings: Settings) -> list[Labels]:
    """(route, provider, model)"""
    labels = (
        (route.name, entry.provider.name, entry.model_label)
        for route in settings.routes
        for entry in route.chain
    )
    return list(dict.fromkeys(labels))


def pools(settings: Settings) -> list[Labels]:
    """(provider), where that has several keys"""
    several = {provider.name for provider in settings.providers if len(provider.keys) > 1}
    return [labels for labels in providers(settings) if several.issuperset(labels)]


def breakers(settings: Settings) -> list[Labels]:
    """(provider), where that is the name of a breaker"""
    return list(dict.fromkeys((entry.breaker_name,) for entry in entries(settings)))


def requests(settings: Settings) -> list[Labels]:
    """(route, endpoint, outcome, code)"""
    served = [
        (route.name, endpoint, *ending)
        for route in settings.routes
        for endpoint, ending in product(endpoints(route.models), ENDINGS)
    ]
    return [*served, *((OTHER, *labels) for labels in ROUTELESS)]


def endpoints(patterns: tuple[str, ...]) -> tuple[Endpoint, ...]:
    """What a route for `patterns` serves: the one for everything also lets the unknown through."""
    return (*CHAIN_ENDPOINTS, Endpoint.PASSTHROUGH) if "*" in patterns else CHAIN_ENDPOINTS


def codes() -> list[Labels]:
    """Labels of requests with every code there is."""
    return [(OTHER, Endpoint.CHAT, RequestOutcome.SUCCESS, code) for code in CODES.values()]


def failovers(settings: Settings) -> list[Labels]:
    """(route, from_provider, to_provider, reason)"""
    return [
        (route.name, one.provider.name, another.provider.name, reason)
        for route in settings.routes
        for one, another in pairwise(route.chain)
        for reason in REASONS
    ]


def any_failovers(settings: Settings) -> list[Labels]:
    """The same between any two of a chain: a parked one is asked last, wherever it stands."""
    return [
        (route.name, one.provider.name, one.provider.name, reason)
        for route in settings.routes
        for one in route.chain
        for reason in REASONS
    ]


def moves(settings: Settings) -> list[Labels]:
    """(provider, from_state, to_state, cause, origin)"""
    return [(*breaker, *move) for breaker in breakers(settings) for move in MOVES]


def each(known: Iterable[Labels], words: Iterable[str]) -> list[Labels]:
    """Every one of `known`, followed by every one of `words`."""
    return [(*labels, word) for labels, word in product(known, words)]
