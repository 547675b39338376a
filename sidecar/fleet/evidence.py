"""What an ending proves: a failure is its provider's, or may be that of this pod's own network."""

from __future__ import annotations

from sidecar.core.events import ProbeVerdict
from sidecar.core.outcome import ATTESTED, Verdict
from sidecar.core.permit import Ending, Permit
from sidecar.fleet.cell import Cell
from sidecar.fleet.lane import Lane

WAY_OUT_S = 10.0  # so long another provider's answer proves that this pod reaches the world

_PROBE_VERDICTS = {
    Verdict.SUCCESS: ProbeVerdict.SUCCESS,
    Verdict.FAILURE: ProbeVerdict.FAILURE,
    Verdict.VOID: ProbeVerdict.VOID,
}


class Evidence:
    """Remembers which providers answered this pod, and judges by it. All times are monotonic."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._answered_s: dict[str, float] = {}  # by provider: when it last answered this pod

    def answered(self, provider: str, now_s: float) -> None:
        """Note that `provider` was reached, whatever it said."""
        self._answered_s[provider] = now_s

    def has_way_out(self, cell: Cell, now_s: float) -> bool:
        """Whether a failure is not this pod's own network's, or nobody else could tell."""
        return self._lane.live_pods <= 1 or any(
            provider != cell.provider and at_s >= now_s - WAY_OUT_S
            for provider, at_s in self._answered_s.items()
        )

    def of_probe(self, cell: Cell, permit: Permit, ending: Ending, now_s: float) -> ProbeVerdict:
        """What a probe showed. A slow one is a failure, or a slow provider would flap."""
        if now_s >= permit.deadline_s:
            return ProbeVerdict.LOST
        if permit.epoch != cell.epoch:
            return ProbeVerdict.VOID
        slow = cell.slow_s is not None and ending.is_slow(cell.slow_s)
        verdict = Verdict.FAILURE if slow else ending.verdict
        doubtful = not (ending.outcome in ATTESTED or self.has_way_out(cell, now_s))
        if verdict is Verdict.FAILURE and doubtful:
            return ProbeVerdict.INCONCLUSIVE
        return _PROBE_VERDICTS[verdict]
