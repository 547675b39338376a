"""Settings that would fit better what was seen, each with its reason: advice, never a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import floor
from typing import NamedTuple

from sidecar.core.outcome import Outcome
from sidecar.core.policies import BreakerPolicy
from sidecar.core.settings import Entry, Provider, Settings
from sidecar.observe.life import Life, Seen
from sidecar.observe.yaml_lines import of_provider, rounded_up, told_s, word, words

ENOUGH_TOKENS = 200  # first tokens: two of them lie above the 99th percentile
ENOUGH_ATTEMPTS = 100
ENOUGH_S = 600.0  # to speak of a rate
HEALTHY = 0.99  # the availability from which on times are those of a good provider
MARGIN = 3.0  # over the 99th percentile
LEAST_CLOCK_S = 1.0
NEAR = 0.8  # of a clock, where first tokens begin to run into it
LEAST_HEDGE_S = 0.05
LONG_TAIL = 3.0  # the 99th percentile over the 95th, from which on a hedge pays
SMALLEST_SAMPLE = 5  # of the ratio rule
LONGEST_WINDOW_S = 600.0
BUSY = 5.0  # attempts at once on average, from which on a limit is worth it
HEADROOM = 10


class Suggestion(NamedTuple):
    """What to set, as a line of YAML from the top of the file, and the reason in a sentence."""

    about: str
    reason: str
    yaml: str


def suggest(settings: Settings, life: Life) -> list[Suggestion]:
    """What the configuration could do better, most urgent first."""
    return [
        *to_cure(settings, life),
        *clocks(settings, life),
        *hedges(settings, life),
        *samples(settings, life),
        *limits(settings, life),
        *prices(life),
        *never_asked(settings, life),
    ]


def unsaid(life: Life) -> list[str]:
    """What nothing can be said about yet, and what it takes."""
    few = [one for one in life.models if 0 < one.first_tokens.total < ENOUGH_TOKENS]
    told = [
        f"{one.name}: first tokens seen: {one.first_tokens.total}; "
        f"it takes {ENOUGH_TOKENS} to say something about clocks and hedging."
        for one in few
    ]
    if not any(one.attempts for one in life.models):
        told.append("Nobody was asked anything yet.")
    if life.up_s < ENOUGH_S:
        told.append(f"Rates are judged after {ENOUGH_S / 60:.0f} minutes; this process is younger.")
    return told


# What somebody has to cure


def to_cure(settings: Settings, life: Life) -> Iterator[Suggestion]:
    """Credentials and models that are set aside."""
    for provider, reason in life.parked.items():
        why = reason.replace("_", " ")
        reason_told = f"{provider} is passed over, because of its last answer: {why}."
        line = of_provider(provider, "api_key: NEW_KEY")
        if reason == Outcome.MODEL_MISSING:
            line = chain_line(settings, provider, word(f"{provider}/A_MODEL_IT_HAS"))
        yield Suggestion(provider, reason_told, line)
    for provider, (total, parked) in life.keys.items():
        if parked:
            aside = f"{parked} of the {total} keys of {provider} are set aside"
            line = of_provider(provider, "api_keys: [NEW_KEY]")
            yield Suggestion(provider, f"{aside} as rate limited, refused or used up.", line)


# Clocks


def clocks(settings: Settings, life: Life) -> Iterator[Suggestion]:
    """First tokens whose clock is far off, or close."""
    entries = by_labels(settings)
    for one in healthy(life):
        entry, p99_s = entries[one.provider, one.model], one.first_tokens.p99_s or 0.0
        clock_s = entry.timeouts.first_token_s
        wanted_s = rounded_up(max(LEAST_CLOCK_S, MARGIN * p99_s))
        came = f"99 of 100 first tokens of {one.name} came within {told_s(p99_s)}"
        if wanted_s <= clock_s / 2:
            reason = f"{came}, yet one that stalls is waited for until {told_s(clock_s)}."
        elif NEAR * clock_s < p99_s <= clock_s:
            reason = f"{came}, close to its clock of {told_s(clock_s)}: slower ones are given up."
        else:
            continue
        yield Suggestion(one.name, reason, clock_line(entry, settings, told_s(wanted_s)))


def clock_line(entry: Entry, settings: Settings, clock: str) -> str:
    """Where the clock is set: with the provider, or in the chain if its models have their own."""
    name = entry.provider.name
    models = {label for provider, label in by_labels(settings) if provider == name}
    timeouts = f"timeouts: {{first_token: {clock}}}"
    if len(models) == 1 and entry.timeouts == entry.provider.timeouts:
        return of_provider(name, timeouts)
    model = f", model: {word(entry.model)}" if entry.model else ""
    return chain_line(settings, name, f"{{provider: {word(name)}{model}, {timeouts}}}")


def hedges(settings: Settings, life: Life) -> Iterator[Suggestion]:
    """A long tail that a second provider would cut."""
    slowest = slowest_first(settings, life)
    if slowest and settings.hedge.after is None:
        p95_s, p99_s = tail(slowest)
        yield Suggestion(
            slowest.name,
            f"1 of 20 first tokens of {slowest.name} takes more than {told_s(p95_s)} and 1 of 100 "
            f"more than {told_s(p99_s)}: to ask the next one then costs about 5 % more calls.",
            f"hedge: {{after: {told_s(rounded_up(max(LEAST_HEDGE_S, p95_s)))}}}",
        )


def slowest_first(settings: Settings, life: Life) -> Seen | None:
    """Who has the longest tail of those that are asked first, with somebody behind them."""
    firsts = [route.chain[0] for route in settings.routes if len(route.chain) > 1]
    labels = {(entry.provider.name, entry.model_label) for entry in firsts}
    own = [one for one in healthy(life) if (one.provider, one.model) in labels]
    return max((one for one in own if has_tail(one)), key=tail, default=None)


def has_tail(one: Seen) -> bool:
    """Whether the slowest first tokens are far slower than the slow ones."""
    p95_s, p99_s = tail(one)
    return p99_s >= LONG_TAIL * max(LEAST_HEDGE_S, p95_s)


def tail(one: Seen) -> tuple[float, float]:
    """The 95th and the 99th percentile of the first tokens."""
    return one.first_tokens.p95_s or 0.0, one.first_tokens.p99_s or 0.0


def healthy(life: Life) -> list[Seen]:
    """Of whom enough first tokens were seen, and hardly a failure."""
    return [
        one
        for one in life.models
        if one.first_tokens.total >= ENOUGH_TOKENS and (one.availability or 0.0) >= HEALTHY
    ]


# Breakers and limits


def samples(settings: Settings, life: Life) -> Iterator[Suggestion]:
    """A ratio rule that never sees as many calls as it needs."""
    counts = breaker_counts(settings, life)
    for provider in used(settings):
        policy = provider.breaker
        attempts = max(n for (name, _), n in counts.items() if name == provider.name)
        expected = attempts / life.up_s * policy.ratio_window_s if life.up_s >= ENOUGH_S else 0.0
        if attempts < ENOUGH_ATTEMPTS or not 0 < expected < policy.min_requests:
            continue
        if line := sample_line(expected, policy):
            yield Suggestion(
                provider.name,
                f"{provider.name} gets about {expected:.1f} calls from this pod in "
                f"{told_s(policy.ratio_window_s)}, so the rule that needs {policy.min_requests} "
                "of them hardly ever applies.",
                of_provider(provider.name, f"breaker: {{{line}}}"),
            )


def sample_line(expected: float, policy: BreakerPolicy) -> str:
    """Fewer calls, or a longer time for them; nothing where both would be too much."""
    window_s = rounded_up(policy.ratio_window_s * policy.min_requests / expected)
    if expected >= SMALLEST_SAMPLE:
        return f"min_requests: {floor(expected)}"
    return f"ratio_window: {told_s(window_s)}" if window_s <= LONGEST_WINDOW_S else ""


def breaker_counts(settings: Settings, life: Life) -> Counter[tuple[str, str]]:
    """The attempts behind each breaker, by provider and breaker."""
    attempts = {(one.provider, one.model): one.attempts for one in life.models}
    counts = Counter[tuple[str, str]]()
    for labels, entry in by_labels(settings).items():
        counts[entry.provider.name, entry.breaker_name] += attempts.get(labels, 0)
    return counts


def limits(settings: Settings, life: Life) -> Iterator[Suggestion]:
    """Who was full, and who could hold every call there may be."""
    for provider in used(settings):
        most, full = provider.max_in_flight, life.full.get(provider.name, 0)
        if most is not None and full:
            reason = f"{provider.name} was passed over {full} times, having {most} calls already."
            line = f"max_in_flight: {2 * most}"
            yield Suggestion(provider.name, reason, of_provider(provider.name, line))
        elif most is None:
            yield from unlimited(provider.name, busy_of(provider.name, life), settings)


def busy_of(provider: str, life: Life) -> float:
    """How many attempts it had at once on average; 0 where that cannot be told yet."""
    busy_s = sum(one.busy_s for one in life.models if one.provider == provider)
    return busy_s / life.up_s if life.up_s >= ENOUGH_S else 0.0


def unlimited(name: str, busy: float, settings: Settings) -> Iterator[Suggestion]:
    """A limit for who has none."""
    wanted, all_calls = int(rounded_up(HEADROOM * busy)), settings.limits.in_flight
    if busy >= BUSY and wanted < all_calls:
        yield Suggestion(
            name,
            f"{name} has {busy:.0f} calls at once on average, and nothing keeps it, once it is "
            f"slow, from holding all {all_calls} that there may be.",
            of_provider(name, f"max_in_flight: {wanted}"),
        )


# What is not known


def prices(life: Life) -> Iterator[Suggestion]:
    """Tokens without a price."""
    for one in life.models:
        tokens = one.usage.input + one.usage.output
        if tokens and one.usd is None:
            labels = word(f"{one.provider}/{one.model}")
            yield Suggestion(
                one.name,
                f"{tokens} tokens of {one.name} have no price (in USD per million), so what they "
                "cost is not known.",
                f"prices: {{{labels}: {{input: INPUT_USD, output: OUTPUT_USD}}}}",
            )


def never_asked(settings: Settings, life: Life) -> Iterator[Suggestion]:
    """Who would come to the rescue, but was never tried."""
    requests = sum(life.requests.values())
    asked = Counter[str]()
    for one in life.models:
        asked[one.provider] += one.attempts
    for entry in {one.provider.name: one for one in by_labels(settings).values()}.values():
        name = entry.provider.name
        if requests < ENOUGH_ATTEMPTS or asked[name]:
            continue
        place = name if entry.model is None else f"{name}/{entry.model}"
        model = f"try-{name}" if entry.model else "A_MODEL_IT_HAS"
        yield Suggestion(
            name,
            f"{name} was not asked once in {requests} requests: a route of its own, before the "
            "others, lets you find out whether it would answer.",
            f"routes: [{{models: {words([model])}, chain: {words([place])}}}]",
        )


# The chains


def used(settings: Settings) -> list[Provider]:
    """The providers of all chains."""
    entries = by_labels(settings).values()
    return list({one.provider.name: one.provider for one in entries}.values())


def by_labels(settings: Settings) -> dict[tuple[str, str], Entry]:
    """The first place of each provider with each model."""
    found: dict[tuple[str, str], Entry] = {}
    for route in settings.routes:
        for entry in route.chain:
            found.setdefault((entry.provider.name, entry.model_label), entry)
    return found


def chain_line(settings: Settings, name: str, place: str) -> str:
    """A place in the chain of the first route that asks a provider."""
    asking = (
        route.models
        for route in settings.routes
        if any(entry.provider.name == name for entry in route.chain)
    )
    return f"routes: [{{models: {words(next(asking, ()))}, chain: [{place}]}}]"
