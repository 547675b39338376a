"""How soon a provider has lately begun to answer."""

from __future__ import annotations

from collections import deque

KEPT = 100  # more are steadier, fewer follow a change sooner
ENOUGH = 20  # of fewer, one in twenty is not there to be seen


class Recent:
    """The last first tokens of one provider and model: how long each took, in seconds."""

    __slots__ = ("_times_s",)

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=KEPT)

    def note(self, seconds: float) -> None:
        """One more first token came, after `seconds`."""
        self._times_s.append(seconds)

    def p95(self) -> float | None:
        """What 19 of 20 did not exceed (nearest rank), `None` while they are too few to say.

        Sorts, so it costs some microseconds.
        """
        count = len(self._times_s)
        if count < ENOUGH:
            return None
        rank = -(-95 * count // 100)  # rounded up
        return sorted(self._times_s)[rank - 1]
