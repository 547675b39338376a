"""Counts what the events tell of the store that the pods share, and looks at how it stands."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from sidecar.core.events import Propagated, StoreAsked, StoreOperation, StoreResult
from sidecar.observe.series import Numbers, Spreads
from sidecar.observe.standing import StoreStanding

OPERATION_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
PROPAGATION_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class StoreTallies:
    """The store of `kind` as this pod meets it. `standing` is asked at each scrape.

    One within the process is never asked, so that nothing is counted of it.
    """

    def __init__(self, kind: str, standing: Callable[[], StoreStanding]) -> None:
        self.kind = kind
        asked = [(kind, *one) for one in product(StoreOperation, StoreResult)]
        self.up = Numbers([(kind,)])
        self.view_age_s = Numbers([(kind,)])
        self.pods = Numbers([(kind,)])
        self.degraded_s = Numbers([(kind,)])
        self.operations = Numbers(asked)
        self.operation_s = Spreads(asked, OPERATION_S)
        self.propagation_s = Spreads([(kind,)], PROPAGATION_S)
        self._standing = standing

    def asked(self, event: StoreAsked) -> None:
        """An operation has ended."""
        labels = (self.kind, event.operation, event.result)
        self.operations.add(labels)
        self.operation_s.observe(labels, event.duration_s)

    def propagated(self, event: Propagated) -> None:
        """Another pod's move is in use here."""
        self.propagation_s.observe((self.kind,), event.seconds)

    def look(self) -> None:
        """Take down how it stands now. Before all was read once, the view has no age."""
        standing, labels = self._standing(), (self.kind,)
        self.up.set(labels, float(standing.up))
        self.pods.set(labels, float(len(standing.pods)))
        self.degraded_s.set(labels, standing.degraded_s)
        age_s = standing.view_age_s
        self.view_age_s.set(labels, float("nan") if age_s is None else age_s)
