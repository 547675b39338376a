"""The dashboard of one provider, or of several side by side."""

from __future__ import annotations

from dataclasses import replace

from deploy.grafana.overview import BREAKERS, VARIABLES
from deploy.grafana.shapes import Dashboard, Panel, Query, Row, Variable, quantiles

ATTEMPTS = "llm_failover_attempts_total{<providers>"
NOBODYS = "cancelled|hedge_lost"  # says nothing about the provider


def counted(title: str, description: str, metric: str, *by: str) -> Panel:
    """Events a second, apart by these labels."""
    labels = ", ".join(("provider", *by))
    legend = " ".join(f"{{{{{label}}}}}" for label in ("provider", *by))
    return Panel(
        title=title,
        description=description,
        unit="reqps",
        queries=(
            Query(
                f"sum by ({labels}) (rate(llm_failover_{metric}{{<providers>}}[$__rate_interval]))",
                legend,
            ),
        ),
    )


BREAKER = (
    replace(
        BREAKERS,
        queries=tuple(
            query._replace(expr=query.expr.replace("<pods>", "<providers>"))
            for query in BREAKERS.queries
        ),
    ),
    Panel(
        title="Share of time open",
        description="How much of the time the breaker was open, averaged over the pods.",
        unit="percentunit",
        queries=(
            Query(
                "avg by (provider)"
                " (rate(llm_failover_breaker_open_seconds_total{<providers>}[$__rate_interval]))",
                "{{provider}}",
            ),
        ),
    ),
    Panel(
        title="Moves of the breaker",
        description="Moves in an interval, summed over the pods that made them, with their cause.",
        unit="short",
        queries=(
            Query(
                "sum by (provider, from_state, to_state, cause)"
                ' (increase(llm_failover_breaker_transitions_total{<providers>, origin!="fleet"}'
                "[$__rate_interval])) > 0",
                "{{provider}} {{from_state}} → {{to_state}}: {{cause}}",
            ),
        ),
    ),
    counted(
        "Probes",
        "Requests that a half-open breaker let through, by what they showed.",
        "probes_total",
        "verdict",
    ),
    Panel(
        title="Next probe in",
        description="Until the breaker may be half open at the earliest. It is by the next request "
        "then, so that where nobody asks this stays at 0.",
        unit="s",
        queries=(
            Query(
                "clamp_min(max by (provider)"
                " (llm_failover_breaker_open_until_timestamp_seconds{<providers>}) - time(), 0)",
                "{{provider}}",
            ),
        ),
    ),
)

ANSWERS = (
    Panel(
        title="Attempts by what they came to",
        description="Calls to the provider, a second; docs/errors.md explains each outcome.",
        unit="reqps",
        stacked=True,
        width=12,
        queries=(
            Query(
                f"sum by (provider, outcome) (rate({ATTEMPTS}}}[$__rate_interval])) > 0",
                "{{provider}} {{outcome}}",
            ),
        ),
    ),
    Panel(
        title="Share of attempts without a good answer",
        description="Of the attempts whose end says something; those that the caller gave up do "
        "not count.",
        unit="percentunit",
        width=12,
        queries=(
            Query(
                f'sum by (provider) (rate({ATTEMPTS}, outcome!~"ok|{NOBODYS}"}}[$__rate_interval]))'
                f" / sum by (provider)"
                f' (rate({ATTEMPTS}, outcome!~"{NOBODYS}"}}[$__rate_interval]))',
                "{{provider}}",
            ),
        ),
    ),
    Panel(
        title="First token",
        description="From the call of the provider to the first token of a streamed answer.",
        unit="s",
        queries=quantiles(
            *("llm_failover_attempt_time_to_first_token_seconds", "<providers>"),
            *("provider", "model"),
            of=(0.5, 0.95),
        ),
    ),
    Panel(
        title="Whole attempt",
        description="From the call of the provider to the end of its answer, or to its failure.",
        unit="s",
        queries=quantiles(
            *("llm_failover_attempt_duration_seconds", "<providers>"),
            *("provider", "model"),
            of=(0.5, 0.95),
        ),
    ),
    counted(
        "Streams that broke",
        "Before the first content the next provider answers and the application notices nothing; "
        "after it the application gets an error, or what `after_content` says.",
        "stream_interruptions_total",
        "stage",
    ),
)

ASIDE = (
    counted(
        "Passed over without being asked",
        "By reason; docs/errors.md explains each.",
        "skips_total",
        "reason",
    ),
    Panel(
        title="Parked until somebody cures it",
        description="Models, or the whole provider, that refuse us: a bad key, no credit, an "
        "unknown model. Alert: LLMFailoverProviderParked.",
        unit="short",
        queries=(
            Query(
                "max by (provider, reason) (llm_failover_parked{<providers>})",
                "{{provider}} {{reason}}",
            ),
        ),
    ),
    Panel(
        title="Keys set aside",
        description="Keys of a pool that are rate limited, refused or used up, in the worst pod. "
        "Empty where no provider has several keys.",
        unit="short",
        queries=(
            Query(
                "max by (provider) (llm_failover_keys_parked{<providers>})",
                "{{provider}}",
            ),
        ),
    ),
    counted(
        "Further tries",
        "At the same provider, for what a moment cures; `no_budget` were not made.",
        "retries_total",
        "result",
    ),
    counted(
        "Hedges",
        "Calls beside a provider that was slow to begin; `no_budget` were not made.",
        "hedges_total",
        "result",
    ),
    counted(
        "Fields left out",
        "Fields of requests that the provider would have refused.",
        "dropped_params_total",
        "param",
    ),
)

TOKENS = (
    counted(
        "Tokens",
        "A second, as the provider counted them; input includes cached input.",
        "tokens_total",
        "model",
        "type",
    ),
    Panel(
        title="Cost of 1,000 answers",
        description="At the prices of the configuration and the present size of answers.",
        unit="currencyUSD",
        queries=(
            Query(
                "1000 * sum by (provider, model)"
                " (rate(llm_failover_cost_usd_total{<providers>}[$__rate_interval]))"
                " / sum by (provider, model)"
                f' (rate({ATTEMPTS}, outcome="ok"}}[$__rate_interval]))',
                "{{provider}} {{model}}",
            ),
        ),
    ),
    Panel(
        title="Tokens without a price",
        description="A second: `prices` has nothing for the model. And answers for which the "
        "provider sent no count.",
        unit="short",
        queries=(
            Query(
                "sum by (provider, model)"
                " (rate(llm_failover_unpriced_tokens_total{<providers>}[$__rate_interval]))",
                "{{provider}} {{model}} unpriced tokens",
            ),
            Query(
                "sum by (provider, model)"
                " (rate(llm_failover_usage_missing_total{<providers>}[$__rate_interval]))",
                "{{provider}} {{model}} answers without a count",
            ),
        ),
    ),
)

PROVIDER = Dashboard(
    uid="llm-failover-provider",
    title="LLM failover: provider",
    description="What a provider did, what its breaker made of it, and what it cost.",
    variables=(*VARIABLES, Variable("provider", "Provider", "llm_failover_skips_total")),
    rows=(
        Row("Its breaker", BREAKER),
        Row("Its answers", ANSWERS),
        Row("When it was not asked, or asked again", ASIDE),
        Row("Tokens and money", TOKENS),
    ),
)
