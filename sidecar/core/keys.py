"""Which of a provider's keys to ask with: the same one until it is set aside, then the next.

Prompt caches and rate limits live with the key, so nothing is gained by going round without need.
"""

from __future__ import annotations

from sidecar.core.cooldown import (
    WHOLE_PROVIDER,
    Unstated,
    another,
    cooldown_s,
    parking_s,
    scope_of,
)
from sidecar.core.outcome import PARKING, Outcome

MOST_MODELS = 256  # of which something is known; more than that share what is
NEVER_S = float("-inf")
# Another key may fare better after these.
OF_THE_KEY = frozenset(
    (Outcome.RATE_LIMIT, Outcome.AUTH, Outcome.FORBIDDEN, Outcome.QUOTA_EXHAUSTED)
)
BAD_KEY = OF_THE_KEY & PARKING


class _Standing:
    """What is known of each key with regard to one model, and whose turn it is.

    `limited_until_s` is the end of its latest rate limit; `tried` are the keys that were asked
    although they were set aside.
    """

    __slots__ = ("limited_until_s", "tried", "turn", "unstated", "until_s")

    def __init__(self, size: int, turn: int = 0) -> None:
        self.turn = turn
        self.until_s = [NEVER_S] * size
        self.limited_until_s = [NEVER_S] * size
        self.unstated = [Unstated()] * size
        self.tried: set[int] = set()


class KeyPool:
    """The keys of one provider, by their index. All times are monotonic.

    A bad key or a used-up quota sets a key aside for every model, anything else for one. A lone key
    is never set aside: whether its provider is asked at all is decided elsewhere.
    """

    def __init__(self, size: int) -> None:
        """`size` is the number of keys, at least one."""
        self._size = size
        self._wholly_until_s = [NEVER_S] * size
        self._models: dict[str, _Standing] = {}
        self._others = _Standing(size)  # of all the models that have no entry

    @property
    def size(self) -> int:
        """How many keys there are."""
        return self._size

    @property
    def is_lone(self) -> bool:
        """Whether there is only one key."""
        return self._size == 1

    def pick(self, model: str, now_s: float) -> int:
        """The key to ask with; where all are set aside, the one that is back soonest."""
        if self.is_lone:
            return 0
        standing = self._standing(model)
        for step in range(self._size):
            index = (standing.turn + step) % self._size
            if self._back_s(standing, index) <= now_s:
                standing.turn = index
                return index
        soonest = min(range(self._size), key=lambda index: self._back_s(standing, index))
        standing.tried.add(soonest)
        return soonest

    def available(self, model: str, now_s: float) -> bool:
        """Whether there is a key that is not set aside."""
        return self.soonest_s(model, now_s) == 0

    def soonest_s(self, model: str, now_s: float) -> float:
        """Seconds until there is one; 0 where there is."""
        standing = self._standing(model)
        back_s = min(self._back_s(standing, index) for index in range(self._size))
        return max(0.0, back_s - now_s)

    def cures_itself(self, model: str, now_s: float) -> bool:
        """Whether there is a key, or will be as soon as its rate limit is over."""
        standing = self._standing(model)
        limits_s = enumerate(standing.limited_until_s)
        return any(self._back_s(standing, index) <= max(now_s, end_s) for index, end_s in limits_s)

    def aside(self, now_s: float) -> int:
        """How many keys are set aside for every model."""
        return sum(until_s > now_s for until_s in self._wholly_until_s)

    def set_aside(self, index: int, scope: str, until_s: float) -> None:
        """Pass over the key for the model `scope`, or for `WHOLE_PROVIDER`.

        A shorter time never shortens a longer one.
        """
        if self.is_lone:
            return
        wholly = scope == WHOLE_PROVIDER
        untils_s = self._wholly_until_s if wholly else self._own_standing(scope).until_s
        untils_s[index] = max(until_s, untils_s[index])

    def clear(self, index: int, model: str, now_s: float) -> None:
        """A call for `model` was answered: the key is good, whatever was believed of it.

        While it is set aside and was not asked since, that answer is to a call from before.
        """
        standing = self._standing(model)
        if index in standing.tried:
            self._wholly_until_s[index] = standing.until_s[index] = NEVER_S
        if self._back_s(standing, index) <= now_s:
            standing.unstated[index] = Unstated()

    def ended(
        self, index: int, model: str, outcome: Outcome, wait_s: float | None, now_s: float
    ) -> bool:
        """Learn what became of a call; `wait_s` is how long the provider asked us to stay away.

        True where that set its key aside and another is there: the same provider is worth asking
        again at once.
        """
        if self.is_lone:
            return False
        if outcome is Outcome.OK:
            self.clear(index, model, now_s)
        if outcome not in OF_THE_KEY:
            return False
        self._standing(model).tried.discard(index)
        if outcome is Outcome.RATE_LIMIT:
            until_s = now_s + self._cooldown_s(index, model, wait_s, now_s)
            self.set_aside(index, model, until_s)
            limits_s = self._own_standing(model).limited_until_s
            limits_s[index] = max(until_s, limits_s[index])
        else:
            self.set_aside(index, scope_of(outcome, model), now_s + parking_s(wait_s))
        return self.available(model, now_s)

    def _cooldown_s(self, index: int, model: str, wait_s: float | None, now_s: float) -> float:
        standing = self._own_standing(model)
        if wait_s is None:
            # what comes while the key is set aside was asked before, together with what did that
            asked_s = now_s if self._back_s(standing, index) <= now_s else NEVER_S
            standing.unstated[index] = another(standing.unstated[index], asked_s, now_s)
        return cooldown_s(wait_s, standing.unstated[index])

    def _back_s(self, standing: _Standing, index: int) -> float:
        return max(self._wholly_until_s[index], standing.until_s[index])

    def _standing(self, model: str) -> _Standing:
        return self._models.get(model, self._others)

    def _own_standing(self, model: str) -> _Standing:
        """The entry of `model`, made where there is room for it."""
        if model not in self._models and len(self._models) < MOST_MODELS:
            self._models[model] = _Standing(self._size, self._others.turn)
        return self._standing(model)
