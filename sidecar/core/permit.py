"""Leave to make one attempt: what the proxy asks of the breakers, and nothing more."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Protocol

from sidecar.core.outcome import Outcome, SkipReason, Verdict, verdict_of
from sidecar.core.settings import Entry


@dataclass(slots=True, kw_only=True, eq=False)
class Permit:
    """Leave for one attempt at `entry`, settled exactly once.

    `epoch` is that of the breaker when it was given; `token` names the lease of a probe and is
    empty in the closed state; `granted_s` is monotonic, and so is `deadline_s`: a probe must end
    by then (infinite otherwise).
    """

    entry: Entry
    epoch: int
    granted_s: float
    token: str = ""
    deadline_s: float = float("inf")
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """No leave: why, and in how many seconds asking again may help (`None`: nobody knows)."""

    reason: SkipReason
    retry_in_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Ending:
    """What an attempt came to, as its breaker needs to know it.

    `status` is 0 where the provider gave no answer; `wait_s` is how long it asked us to stay away,
    `None` where it said nothing. `one_key`: what it refused is one key of several, and the others
    can still be used. `blameless`: the failure says nothing about the provider's health. `ttft_s`
    is how long the first token of a streamed answer took, `None` where there was none.
    """

    outcome: Outcome
    status: int = 0
    wait_s: float | None = None
    one_key: bool = False
    blameless: bool = False
    ttft_s: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What it says about the provider."""
        return Verdict.VOID if self.blameless else verdict_of(self.outcome)

    def is_slow(self, limit_s: float) -> bool:
        """Whether it is a success that took more than `limit_s` to begin."""
        late = self.ttft_s is not None and self.ttft_s > limit_s
        return late and self.verdict is Verdict.SUCCESS


class Breakers(Protocol):
    """One breaker in front of each provider. No call asks the network, and only `ready` waits."""

    def admit(self, entry: Entry, *, despite: Container[SkipReason] = ()) -> Permit | Refusal:
        """Ask for leave to make one attempt at `entry` now.

        `despite` are reasons why what is set aside would be passed over, and is not: nobody else is
        left to ask (`parked`), or this very call has waited as it was told to (`cooldown`).
        """
        ...

    def admits(self, entry: Entry) -> bool:
        """Whether a call at `entry` would be let in now. Changes nothing."""
        ...

    def is_worth_a_wait(self, entry: Entry) -> bool:
        """Whether calls come so seldom that leave to probe was gone again before the next one."""
        ...

    async def ready(self, entry: Entry) -> None:
        """Wait a moment for leave to probe `entry`, where only the store's word is missing for it.

        For a call that has nobody else to ask, or comes seldom; 50 ms at most.
        """
        ...

    def settle(self, permit: Permit, ending: Ending) -> None:
        """Hand back `permit` with what became of it. A second call for it is ignored."""
        ...
