"""The dashboard of the pods and the store that they share."""

from __future__ import annotations

from deploy.grafana.overview import VARIABLES
from deploy.grafana.shapes import GREEN, RED, Dashboard, Panel, Query, Row, Step, quantiles

OURS = "on (job, namespace, pod, instance) llm_failover_build_info{<pods>}"  # not those of others

FLEET = (
    Panel(
        title="Pods",
        description="Those that Prometheus reaches, and the most that any of them sees at the "
        "store. With the `memory` store each pod sees itself alone.",
        unit="short",
        queries=(
            Query("count(llm_failover_build_info{<pods>})", "reached"),
            Query("max by (store) (llm_failover_fleet_pods{<pods>})", "seen at {{store}}"),
        ),
    ),
    Panel(
        title="Share of pods whose breaker is not closed",
        description="0 or 1 where all pods agree. In between for long, pods disagree: the store is "
        "away, or a pod is cut off from the provider. Alert: LLMFailoverPodAccusesAlone.",
        unit="percentunit",
        queries=(
            Query(
                '1 - avg by (provider) (llm_failover_breaker_state{<pods>, state="closed"})',
                "{{provider}}",
            ),
        ),
    ),
    Panel(
        title="Pods in the minority",
        description="How many pods see a breaker otherwise than most do.",
        unit="short",
        queries=(
            Query(
                'count by (provider) (llm_failover_breaker_state{<pods>, state="closed"}) / 2'
                ' - abs(sum by (provider) (llm_failover_breaker_state{<pods>, state="closed"})'
                ' - count by (provider) (llm_failover_breaker_state{<pods>, state="closed"}) / 2)',
                "{{provider}}",
            ),
        ),
    ),
)

STORE = (
    Panel(
        title="Store answers",
        description="1 where every pod reaches the store, 0 where at least one does not.",
        unit="none",
        kind="state-timeline",
        queries=(Query("min by (store) (llm_failover_store_up{<pods>})", "{{store}}"),),
        words=(("0", ("away", RED)), ("1", ("up", GREEN))),
    ),
    Panel(
        title="Time deciding alone",
        description="Share of the time that pods were without the store: the average, and the "
        "worst pod. Alert: LLMFailoverStoreDegraded.",
        unit="percentunit",
        queries=(
            Query(
                "avg by (store)"
                " (rate(llm_failover_store_degraded_seconds_total{<pods>}[$__rate_interval]))",
                "{{store}} average",
            ),
            Query(
                "max by (store)"
                " (rate(llm_failover_store_degraded_seconds_total{<pods>}[$__rate_interval]))",
                "{{store}} worst pod",
            ),
        ),
    ),
    Panel(
        title="Age of what is known",
        description="Since the worst pod last read all from the store; `fleet.sync` (2 s) is "
        "usual.",
        unit="s",
        queries=(
            Query("max by (store) (llm_failover_store_view_age_seconds{<pods>})", "{{store}}"),
        ),
    ),
    Panel(
        title="Operations of the store",
        description="A second, by what they came to.",
        unit="ops",
        queries=(
            Query(
                "sum by (store, operation, result)"
                " (rate(llm_failover_store_operations_total{<pods>}[$__rate_interval]))",
                "{{store}} {{operation}} {{result}}",
            ),
        ),
    ),
    Panel(
        title="Duration of operations",
        description="How long the store takes; from `fleet.op_timeout` (250 ms) on it counts as no "
        "answer.",
        unit="s",
        queries=quantiles(
            "llm_failover_store_operation_duration_seconds", "<pods>", "store", of=(0.5, 0.99)
        ),
    ),
    Panel(
        title="Propagation",
        description="From another pod's move of a breaker to its use here. Nothing where nothing "
        "moved. With etcd about zero: docs/fleet.md.",
        unit="s",
        queries=quantiles("llm_failover_propagation_seconds", "<pods>", "store", of=(0.5, 0.99)),
    ),
)

PROCESS = (
    Panel(
        title="Overhead",
        description="Time of a request that was not spent waiting for a provider. Alert: "
        "LLMFailoverOverheadHigh.",
        unit="s",
        queries=quantiles("llm_failover_overhead_seconds", "<routes>", "route", of=(0.5, 0.99)),
    ),
    Panel(
        title="Lag of the event loop",
        description="How late the process comes round to what is due: what every request waits for "
        "on top. High where the pod gets too little CPU.",
        unit="s",
        queries=quantiles("llm_failover_event_loop_lag_seconds", "<pods>", of=(0.5, 0.99)),
    ),
    Panel(
        title="Requests in flight",
        description="Requests being answered now, over all pods; each takes `limits.in_flight` "
        "(1000).",
        unit="short",
        queries=(Query("sum by (route) (llm_failover_requests_in_flight{<routes>})", "{{route}}"),),
    ),
    Panel(
        title="Memory",
        description="Resident memory of the sidecar: the average and the largest.",
        unit="bytes",
        queries=(
            Query(f"avg(process_resident_memory_bytes{{<pods>}} and {OURS})", "average"),
            Query(f"max(process_resident_memory_bytes{{<pods>}} and {OURS})", "largest"),
        ),
    ),
    Panel(
        title="CPU",
        description="Cores in use by a sidecar: the average and the busiest.",
        unit="short",
        queries=(
            Query(
                f"avg(rate(process_cpu_seconds_total{{<pods>}}[$__rate_interval]) and {OURS})",
                "average",
            ),
            Query(
                f"max(rate(process_cpu_seconds_total{{<pods>}}[$__rate_interval]) and {OURS})",
                "busiest",
            ),
        ),
    ),
    Panel(
        title="Open files",
        description="Share of the file descriptors that a process may have, in the worst pod. Each "
        "connection is one.",
        unit="percentunit",
        queries=(
            Query(
                f"max(process_open_fds{{<pods>}} / process_max_fds{{<pods>}} and {OURS})",
                "worst pod",
            ),
        ),
    ),
)

CONFIGURATION = (
    Panel(
        title="Configurations in force",
        description="Pods by the hash of their configuration. More than one for longer than a "
        "rollout is a drift.",
        unit="short",
        stacked=True,
        queries=(Query("count by (sha256) (llm_failover_config_info{<pods>})", "{{sha256}}"),),
    ),
    Panel(
        title="Versions",
        description="Pods by the version of the sidecar and of Python.",
        unit="short",
        stacked=True,
        queries=(
            Query(
                "count by (version, python) (llm_failover_build_info{<pods>})",
                "{{version}} on Python {{python}}",
            ),
        ),
    ),
    Panel(
        title="Pods that refuse their newest configuration",
        description="They go on with the one before. Alert: LLMFailoverConfigReloadFailed.",
        unit="short",
        steps=(Step(1, RED),),
        queries=(
            Query("sum(1 - llm_failover_config_last_reload_successful{<pods>})", "refuse it"),
        ),
    ),
    Panel(
        title="Age of the configuration",
        description="Since the configuration in force was loaded: the oldest and the newest.",
        unit="s",
        queries=(
            Query(
                "time() - min(llm_failover_config_last_reload_success_timestamp_seconds{<pods>})",
                "oldest",
            ),
            Query(
                "time() - max(llm_failover_config_last_reload_success_timestamp_seconds{<pods>})",
                "newest",
            ),
        ),
    ),
    Panel(
        title="Uptime",
        description="Since the youngest and the oldest sidecar started. A young one that nobody "
        "rolled out has crashed.",
        unit="s",
        queries=(
            Query(f"time() - max(process_start_time_seconds{{<pods>}} and {OURS})", "youngest"),
            Query(f"time() - min(process_start_time_seconds{{<pods>}} and {OURS})", "oldest"),
        ),
    ),
)

FLEET_AND_STORE = Dashboard(
    uid="llm-failover-fleet",
    title="LLM failover: fleet and store",
    description="Do the pods agree, does the store answer, and what does the sidecar itself cost?",
    variables=VARIABLES,
    rows=(
        Row("Do the pods agree?", FLEET),
        Row("The store", STORE),
        Row("The sidecar itself", PROCESS),
        Row("Configuration and version", CONFIGURATION),
    ),
)
