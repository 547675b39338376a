"""The whole examination: everything at once, each look with its own time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from sidecar.clock import Clock
from sidecar.config import ConfigError, Loaded, Problem, find_config, load
from sidecar.config.environment import SOURCE
from sidecar.core.settings import Limits, Provider, Settings
from sidecar.dialects.presets import PRESETS
from sidecar.doctor.asking_store import ask_store
from sidecar.doctor.finding import Finding, Mark, bad, doubt, good
from sidecar.doctor.host import memory_room, open_files
from sidecar.doctor.keys import CHECK as KEYS
from sidecar.doctor.keys import judge_keys
from sidecar.doctor.line import Line, Stage, judge_line
from sidecar.doctor.machine import judge_clock, judge_descriptors, judge_memory
from sidecar.doctor.ports import judge_port, look_at_port
from sidecar.doctor.reaching import reach
from sidecar.doctor.store import StoreSeen, judge_store
from sidecar.observe.logs import silence
from sidecar.proxy.credential import UnusableCredential
from sidecar.proxy.credentials import credentials_of

CHECK = "configuration"
Findings = list[Finding]


def loaded_from(config: str | None, environ: Mapping[str, str]) -> tuple[Loaded | None, Findings]:
    """The configuration, `None` if it cannot be used, and what is to be said of it."""
    try:
        loaded = load(find_config(config, environ), environ)
    except ConfigError as error:
        return None, [judge_problem(problem) for problem in error.problems]
    remedy = "set what is missing, or leave it out of AI_FALLBACK_PROVIDERS"
    cure = remedy if loaded.source == SOURCE else "ask it in a chain, or remove it"
    warnings = [doubt("", CHECK, warning, cure) for warning in loaded.warnings]
    return loaded, [good("", CHECK, f"{loaded.source}: ok"), *warnings]


def judge_problem(problem: Problem) -> Finding:
    """One thing that is wrong with a configuration."""
    return bad("", CHECK, str(problem), cure_of(problem))


def cure_of(problem: Problem) -> str:
    """What to write, or where to look it up."""
    if problem.meant:
        return f"write {problem.meant}"
    if problem.place.line:
        return "look it up in config/sidecar.yaml, which shows every key"
    if problem.place.source == SOURCE:
        return "set one of these variables, or name a file by --config"
    if problem.path:  # the place is a variable
        return f"correct the variable {problem.place}"
    return "name a file that is there and may be read, by --config or $SIDECAR_CONFIG"


async def examine(settings: Settings, clock: Clock) -> Findings:
    """Look at everything that costs nothing."""
    providers = settings.providers
    with silence():
        # first and alone: what is loaded for the others would show in the latencies
        lines = await asyncio.gather(*(reach(one, clock) for one in providers))
        keys, store, ports = await asyncio.gather(
            asyncio.gather(*(examine_keys(one, clock) for one in providers)),
            ask_store(settings, clock),
            asyncio.gather(
                look_at_port("listen", settings.listen), look_at_port("admin", settings.admin)
            ),
        )
    unix_s = clock.unix()
    return [
        *(
            finding
            for key, line in zip(keys, lines, strict=True)
            for finding in (key, *judge_line(line, unix_s))
        ),
        judge_store(store),
        *map(judge_port, ports),
        judge_clock(clocks_of(lines, store), unix_s),
        *examine_host(settings.limits),
    ]


def clocks_of(lines: Sequence[Line], store: StoreSeen | None) -> dict[str, float]:
    """Who told the time, and how far they are before us."""
    told = {line.way.name: line.ahead_s for line in lines}
    told["the store"] = store.ahead_s if store else None
    return {name: one for name, one in told.items() if one is not None}


def examine_alone(clock: Clock) -> Findings:
    """What can be said without a configuration."""
    return [judge_clock({}, clock.unix()), *examine_host(Limits())]


def examine_host(limits: Limits) -> Iterator[Finding]:
    """What the machine gives."""
    yield judge_memory(*memory_room())
    yield judge_descriptors(open_files(), limits.in_flight)


async def examine_keys(provider: Provider, clock: Clock) -> Finding:
    """The keys, or whether what a cloud has in their place can be had at all."""
    preset = PRESETS[provider.kind]
    try:
        for one in credentials_of(provider, preset, clock):
            await one.close()
    except UnusableCredential as error:
        return bad(provider.name, KEYS, str(error), "do what it says, where the sidecar runs")
    return judge_keys(provider, preset)


def unfit_for_calls(findings: Findings) -> set[str]:
    """The providers to whom no call can get, or none with a key."""
    # who does not answer at its root may answer calls
    return {one.about for one in findings if one.mark is Mark.BAD and one.check != Stage.ANSWER}


def has_failed(findings: Findings) -> bool:
    """Whether anything is broken."""
    return any(one.mark is Mark.BAD for one in findings)
