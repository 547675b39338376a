"""The first dashboard to open: are the applications served, by whom, how fast, at what price?"""

from __future__ import annotations

from deploy.grafana.shapes import (
    GREEN,
    RED,
    STATES,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    Step,
    Variable,
    quantiles,
)

EACH_POD = (
    Variable("job", "Job", "llm_failover_build_info"),
    Variable("namespace", "Namespace", "llm_failover_build_info"),
    Variable("pod", "Pod", "llm_failover_build_info"),
)
VARIABLES = (*EACH_POD, Variable("route", "Route", "llm_failover_requests_in_flight"))

REQUESTS = 'llm_failover_requests_total{<routes>, route!="other"'
ANSWERED = 'outcome=~"success|failover_success"'
FAILED = 'outcome=~"exhausted|interrupted|internal_error"'
EXPECTED = 'outcome!~"client_error|cancelled"'

BREAKERS = Panel(
    title="Breakers",
    description="The worst state in which any of the pods sees each provider. Alerts: "
    "LLMFailoverProviderDown, LLMFailoverAllBreakersOpen, LLMFailoverBreakerFlapping.",
    unit="none",
    kind="state-timeline",
    width=16,
    queries=(
        Query(
            'max by (provider) (2 * llm_failover_breaker_state{<pods>, state="open"}'
            ' + ignoring (state) llm_failover_breaker_state{<pods>, state="half_open"})',
            "{{provider}}",
        ),
    ),
    words=tuple(STATES.items()),
    steps=(Step(1, YELLOW), Step(2, RED)),
)


def number(title: str, description: str, unit: str, expr: str, *steps: Step) -> Panel:
    """One figure for the time that is shown."""
    return Panel(
        title=title,
        description=description,
        unit=unit,
        queries=(Query(expr, title),),
        kind="stat",
        width=4,
        height=4,
        at_once=True,
        steps=steps,
        base=RED if steps and steps[-1].colour == GREEN else GREEN,
    )


FIGURES = (
    number(
        "Served",
        "Share of the requests that got a whole answer in the time shown. What the caller did "
        "wrong or gave up does not count. Alerts: LLMFailoverErrorBudgetBurnFast and …Slow.",
        "percentunit",
        f"sum(increase({REQUESTS}, {ANSWERED}}}[$__range]))"
        f" / sum(increase({REQUESTS}, {EXPECTED}}}[$__range]))",
        Step(0.99, YELLOW),
        Step(0.999, GREEN),
    ),
    number(
        "Saved by failover",
        "Share of the answers that another provider than the first gave: without failover they "
        "would have been errors. Alert: LLMFailoverOnBackup.",
        "percentunit",
        f'sum(increase({REQUESTS}, outcome="failover_success"}}[$__range]))'
        f" / sum(increase({REQUESTS}, {ANSWERED}}}[$__range]))",
        Step(0.1, YELLOW),
        Step(0.5, RED),
    ),
    number(
        "Not served",
        "Requests that ended in an error: no provider could answer, or a stream broke after its "
        "first content.",
        "short",
        f"sum(increase({REQUESTS}, {FAILED}}}[$__range]))",
        Step(1, RED),
    ),
    number(
        "Breakers not closed",
        "Breakers that are open or half open for at least one pod now.",
        "short",
        'count(max by (provider) (llm_failover_breaker_state{<pods>, state!="closed"}) == 1)'
        " or vector(0)",
        Step(1, RED),
    ),
    number(
        "First token, p95",
        "95 of 100 streamed answers began within this time, failed attempts included.",
        "s",
        "histogram_quantile(0.95, sum by (le) "
        "(increase(llm_failover_request_time_to_first_token_seconds_bucket{<routes>}[$__range])))",
    ),
    number(
        "Cost",
        "What the providers' tokens cost in the time shown, at the prices of the configuration.",
        "currencyUSD",
        "sum(increase(llm_failover_cost_usd_total{<pods>}[$__range]))",
    ),
)

SERVED = (
    *FIGURES,
    Panel(
        title="Requests by what the application saw",
        description="Requests a second by outcome. `interrupted` is a stream that broke after its "
        "first content.",
        unit="reqps",
        stacked=True,
        width=12,
        queries=(
            Query(
                "sum by (outcome) (rate(llm_failover_requests_total{<routes>}[$__rate_interval]))",
                "{{outcome}}",
            ),
        ),
    ),
    Panel(
        title="Requests that were not served",
        description="Requests a second by route and the status that the application got; an error "
        "within a stream comes with 200.",
        unit="reqps",
        width=12,
        queries=(
            Query(
                f"sum by (route, outcome, code) (rate({REQUESTS}, {FAILED}}}[$__rate_interval]))",
                "{{route}} {{outcome}} {{code}}",
            ),
        ),
    ),
)

SERVING = (
    BREAKERS,
    Panel(
        title="Answers by provider",
        description="Good answers a second, by the provider that gave them.",
        unit="reqps",
        stacked=True,
        queries=(
            Query(
                "sum by (provider)"
                ' (rate(llm_failover_attempts_total{<pods>, outcome="ok"}[$__rate_interval]))',
                "{{provider}}",
            ),
        ),
    ),
    Panel(
        title="Failovers by edge and reason",
        description="Moves of a request to another provider, a second. The reason is the outcome "
        "of the attempt that failed; a provider passed over without being asked is no move.",
        unit="reqps",
        width=16,
        queries=(
            Query(
                "sum by (from_provider, to_provider, reason)"
                " (rate(llm_failover_failovers_total{<routes>}[$__rate_interval])) > 0",
                "{{from_provider}} → {{to_provider}}: {{reason}}",
            ),
        ),
    ),
    Panel(
        title="Most frequent reasons",
        description="Failovers in the time shown, by the provider that failed and why.",
        unit="short",
        kind="bargauge",
        at_once=True,
        queries=(
            Query(
                "topk(10, sum by (from_provider, reason)"
                " (increase(llm_failover_failovers_total{<routes>}[$__range])) > 0)",
                "{{from_provider}}: {{reason}}",
            ),
        ),
    ),
)

SPEED = (
    Panel(
        title="First token",
        description="From the request to the first token of a streamed answer, failed attempts "
        "included.",
        unit="s",
        queries=quantiles(
            "llm_failover_request_time_to_first_token_seconds", "<routes>", "route", of=(0.5, 0.95)
        ),
    ),
    Panel(
        title="Whole request",
        description="From the request to the last byte of its answer.",
        unit="s",
        queries=quantiles(
            "llm_failover_request_duration_seconds", "<routes>", "route", of=(0.5, 0.95)
        ),
    ),
    Panel(
        title="Time lost before a failover succeeded",
        description="What the attempts took that failed before another provider answered.",
        unit="s",
        queries=quantiles("llm_failover_failover_seconds", "<routes>", "route", of=(0.5, 0.95)),
    ),
)

COST = (
    Panel(
        title="Cost per hour",
        description="At the present rate and the prices of the configuration. What has no price is "
        "not in it: see `Tokens without a price` on the dashboard of providers.",
        unit="currencyUSD",
        stacked=True,
        width=12,
        queries=(
            Query(
                "sum by (provider, model)"
                " (rate(llm_failover_cost_usd_total{<pods>}[$__rate_interval])) * 3600",
                "{{provider}} {{model}}",
            ),
        ),
    ),
    Panel(
        title="Alerts",
        description="Alerts of deploy/prometheus that wait or fire; docs/runbooks says what to do "
        "about each. Empty where there is none, or where the rules are not loaded.",
        unit="none",
        kind="state-timeline",
        width=12,
        queries=(
            Query(
                "max by (alertname, alertstate, provider)"
                ' (ALERTS{alertname=~"LLMFailover.+", job=~"$job", namespace=~"$namespace"})',
                "{{alertname}} {{provider}} {{alertstate}}",
            ),
        ),
        words=(("1", ("on", RED)),),
    ),
)

OVERVIEW = Dashboard(
    uid="llm-failover-overview",
    title="LLM failover: overview",
    description="Are the applications served, by whom, how fast, and at what price?",
    variables=VARIABLES,
    rows=(
        Row("Are the applications served?", SERVED),
        Row("Who serves?", SERVING),
        Row("How fast?", SPEED),
        Row("At what price, and what is wrong?", COST),
    ),
)
