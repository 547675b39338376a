"""Whom this pod passes over for a while: rate-limited or cold for moments, broken until cured."""

from __future__ import annotations

from sidecar.core import cooldown
from sidecar.core.breaker import Cool
from sidecar.core.events import Parked, Report
from sidecar.core.outcome import COOLING, PARKING, Outcome, SkipReason
from sidecar.core.permit import Ending, Permit
from sidecar.core.settings import Entry
from sidecar.fleet.board import Board
from sidecar.fleet.cell import Aside, Cell


class Asides:
    """Sets providers and models of a board aside, and takes them back."""

    def __init__(self, board: Board, report: Report) -> None:
        self._board = board
        self._report = report

    def heed(self, cell: Cell, permit: Permit, ending: Ending, now_s: float) -> None:
        """Pass over what asked for it; after a success, forget that waits were too short."""
        if ending.outcome is Outcome.OK:
            self._clear(cell, permit)
        elif ending.one_key:
            return  # the pool of keys passes that one over
        elif ending.outcome in COOLING:
            self._cool(cell, permit, ending, now_s)
        elif ending.outcome in PARKING:
            self._park(cell, permit.entry, ending)

    def _clear(self, cell: Cell, permit: Permit) -> None:
        """An answer shows that credential and model are good, whatever was believed of them."""
        model = permit.entry.model_label
        cell.unstated.pop(model, None)
        if cell.asides:
            cell.warm_up(model, permit.granted_s)
            for other in self._board.cells.values():
                if other.provider == cell.provider:
                    other.unpark(model)

    def _cool(self, cell: Cell, permit: Permit, ending: Ending, now_s: float) -> None:
        model = permit.entry.model_label
        unstated = cell.unstated.get(model, cooldown.Unstated())
        if ending.wait_s is None:
            unstated = cooldown.another(unstated, permit.granted_s, now_s)
            cell.unstated[model] = unstated
        until_ms = self._in_ms(cooldown.cooldown_s(ending.wait_s, unstated))
        cell.set_aside(SkipReason.COOLDOWN, model, Aside(until_ms, ending.outcome, now_s))
        self._board.lane.put(cell.name, Cool(pod=self._board.pod, scope=model, until_ms=until_ms))

    def _park(self, cell: Cell, entry: Entry, ending: Ending) -> None:
        """Here only: a pod with a bad secret must not speak for the fleet."""
        scope = cooldown.scope_of(ending.outcome, entry.model_label)
        if scope and entry.model is None:
            return  # the caller chose the name: nobody else should suffer for it
        aside = Aside(self._in_ms(cooldown.parking_s(ending.wait_s)), ending.outcome)
        self._tell(cell, scope, ending.outcome)
        for other in self._board.cells.values():
            if other is cell or (not scope and other.provider == cell.provider):
                other.set_aside(SkipReason.PARKED, scope, aside)

    def _tell(self, cell: Cell, scope: str, outcome: Outcome) -> None:
        """Say that something is parked, unless it is already."""
        known = cell.asides.get((SkipReason.PARKED, scope))
        if known is None or known.until_ms <= self._in_ms(0):
            self._report(Parked(provider=cell.provider, model=scope, outcome=outcome))

    def _in_ms(self, seconds: float) -> int:
        return self._board.lane.now_ms() + round(seconds * 1000)
