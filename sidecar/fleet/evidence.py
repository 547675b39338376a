"""What an ending proves: a failure is its provider's, or may be that of this pod's own network."""

from __future__ import annotations

from sidecar.core.events import ProbeVerdict
from sidecar.core.outcome import ATTESTED, Outcome, Verdict
from sidecar.core.permit import Ending, Permit
from sidecar.core.tally import Accusation
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

    def heed(self, cell: Cell, ending: Ending, now_s: float) -> None:
        """Note whether the provider was reached just now, whatever it said.

        An answer that broke off, or that nobody waited for any more, began who knows when.
        """
        said = ending.outcome is Outcome.OK or ending.outcome in ATTESTED or ending.status >= 400
        if said and ending.status:
            self._answered_s[cell.provider] = now_s

    def is_sound(self, cell: Cell, accusation: Accusation, now_s: float) -> bool:
        """Whether this pod can vouch for it alone.

        Before the first of several failures in a row, its own network may have been well.
        """
        since_s = max(accusation.since_s, now_s - WAY_OUT_S)
        return accusation.attested or self._has_way_out(cell, since_s)

    def of_probe(self, cell: Cell, permit: Permit, ending: Ending, now_s: float) -> ProbeVerdict:
        """What a probe showed. A slow one is a failure, or a slow provider would flap."""
        if now_s >= permit.deadline_s:
            return ProbeVerdict.LOST
        if permit.epoch != cell.epoch:
            return ProbeVerdict.VOID
        slow = cell.slow_s is not None and ending.is_slow(cell.slow_s)
        verdict = Verdict.FAILURE if slow else ending.verdict
        if verdict is Verdict.FAILURE and self._is_doubtful(cell, ending, now_s):
            return ProbeVerdict.INCONCLUSIVE
        return _PROBE_VERDICTS[verdict]

    def _is_doubtful(self, cell: Cell, ending: Ending, now_s: float) -> bool:
        """Whether another pod should try as well. What is decided here alone no other can."""
        proven = ending.outcome in ATTESTED or self._has_way_out(cell, now_s - WAY_OUT_S)
        return cell.own is None and not proven

    def _has_way_out(self, cell: Cell, since_s: float) -> bool:
        """Whether a failure is not this pod's own network's, or nobody else could tell.

        A pod that does not reach the store does not know whether there is anybody.
        """
        return self._lane.live_pods == 1 or any(
            provider != cell.provider and at_s >= since_s
            for provider, at_s in self._answered_s.items()
        )
