"""What truly happens in a simulated fleet, and the invariants that only this can show.

The store and the pods know records; the ledger knows who asked which provider and what came of it,
who gave orders, and what was lost. It checks every write to the store against that.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from sidecar.core.breaker import LOST_PER_PROBE, QUORUM
from sidecar.core.events import Cause, ProbeVerdict, State
from sidecar.core.record import Record, Slot
from tests.fleet.invariants import MOVES, Violation
from tests.fleet.simulated_store import Write

STALE_MS = 5000  # evidence that waited for longer is not to be used
FRESH_MS = 10_000  # an opening made alone may be so old when the store is back
QUEUE_MS = 1000  # what the operation before it may take, and its own tries
OPENINGS = frozenset((Cause.FAILURES, Cause.RATIO, Cause.SLOW))
LAST_LINES = 60  # of what happened, told with a violation


class ProbeKey(NamedTuple):
    """A lease, by what names it."""

    name: str
    epoch: int
    token: str


@dataclass
class Probe:
    """A call with a lease. `verdict` is what it truly showed, `None` while it is under way."""

    pod: str
    verdict: ProbeVerdict | None = None


class Failure(NamedTuple):
    """A call without a lease that went wrong.

    `is_sound`: there is evidence that it was not the pod's own fault. `is_own`: it was.
    `other_ms`: when another provider last answered this pod before.
    """

    at_ms: int
    epoch: int
    is_sound: bool
    is_own: bool
    other_ms: float


LONG_AGO_MS = -1_000_000


@dataclass
class PodFacts:
    """What is true of one pod. `sole`: it has reason to believe that it is the only one."""

    threshold: int = 3
    failures: defaultdict[str, deque[Failure]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=30))
    )
    regained_ms: int = LONG_AGO_MS  # when it last was alone no longer
    sole_until_ms: int = LONG_AGO_MS


class Ledger:
    """Keeps the truth and checks every write. `on_violation` hears of the first violation."""

    def __init__(self) -> None:
        self.on_violation: Callable[[Violation], None] = _ignore
        self.lines: deque[str] = deque(maxlen=LAST_LINES)
        self.pods: defaultdict[str, PodFacts] = defaultdict(PodFacts)
        self.probes: dict[ProbeKey, Probe] = {}
        self.granted: dict[ProbeKey, Slot] = {}
        self.epochs: dict[tuple[str, int], Record] = {}  # every one that the store had
        self.forked: set[tuple[str, int]] = set()  # those of which the store lost something
        self.orders: Counter[tuple[str, str, str]] = Counter()  # by pod, breaker and kind
        self.causes: Counter[Cause] = Counter()
        self.kinds: Counter[str] = Counter()  # of writes
        self.losses = 0
        self._good: Counter[tuple[str, int]] = Counter()
        self._spent: Counter[tuple[str, int]] = Counter()  # grants that came to nothing

    def tell(self, line: str) -> None:
        """Note what happens, for who wants to understand a violation."""
        self.lines.append(line)

    def require(self, holds: bool, number: int, rule: str) -> None:
        """Raise where an invariant does not hold, and end the run: others may catch it."""
        if not holds:
            self.fail(Violation(f"{number}: {rule}"))

    def fail(self, violation: Violation) -> NoReturn:
        """Raise it, and have the run end with it."""
        self.on_violation(violation)
        raise violation

    # What happens

    def probe_began(self, key: ProbeKey, pod: str) -> None:
        """A call with a lease begins."""
        self.probes[key] = Probe(pod)

    def probe_ended(self, key: ProbeKey, verdict: ProbeVerdict) -> None:
        """It ends, and this is the truth of it."""
        self.probes[key].verdict = verdict
        if verdict is ProbeVerdict.SUCCESS:
            self._good[key.name, key.epoch] += 1

    def forgotten(self, now: dict[str, Record], before: dict[str, Record]) -> None:
        """The store goes back."""
        self.losses += 1
        for name, record in (*before.items(), *now.items()):
            self.forked.add((name, record.epoch))

    # What is written

    def written(self, write: Write) -> None:
        """Check a write."""
        old, new = write.old, write.new
        where = f"{new.name} by {write.pod}"
        if old is None:
            old = Record(name=new.name)
            self.forked.add((new.name, new.epoch))
        self._check_record(new, where)
        known = (new.name, new.epoch) in self.epochs
        if write.old is None and self.losses and (not new.epoch or known):
            pass  # the store has lost it, and is told by one who goes on with it
        elif new.epoch == old.epoch:
            self._check_same_epoch(write, old, where)
        else:
            self._check_new_epoch(write, old, where)
        if new.why is None or new.why.cause is not Cause.RESET or new.epoch == old.epoch:
            self._check_cooldown(write, old, where)
        for slot in new.leases:
            self.granted[ProbeKey(new.name, new.epoch, slot.token)] = slot

    def _check_record(self, new: Record, where: str) -> None:
        limit = new.policy.probes
        self.require(len(new.leases) <= limit, 3, f"{where}: more leases than probes")
        is_round = new.state is State.HALF_OPEN
        self.require(is_round or not new.leases, 3, f"{where}: leases only in half-open")
        room = new.policy.successes
        self.require(len(new.leases) + new.succ <= room, 6, f"{where}: more grants than needed")

    def _check_same_epoch(self, write: Write, old: Record, where: str) -> None:
        new, now_ms = write.new, write.now_ms
        same = old.state is new.state and old.hold == new.hold
        self.require(same, 1, f"{where}: a move without a new epoch")
        self.require(new.until_ms == old.until_ms, 25, f"{where}: another deadline in one epoch")
        over = old.state is State.HALF_OPEN and old.until_ms <= now_ms and not old.hold
        self.require(not over, 11, f"{where}: the round outlives its deadline")
        gone = [slot for slot in old.leases if new.slot(slot.token) is None]
        buried = [slot for slot in gone if slot.pod in write.missed and slot.pod != write.pod]
        live = [slot for slot in gone if slot.until_ms > now_ms and slot not in buried]
        added = [slot for slot in new.leases if old.slot(slot.token) is None]
        self.require(new.lost == old.lost + len(gone) - len(live), 12, f"{where}: lost is lost")
        kept = [slot for slot in new.leases if old.slot(slot.token)]
        self.require(not set(kept) - set(old.leases), 25, f"{where}: a lease has changed")
        dead = [slot for slot in kept if slot.until_ms <= now_ms]
        self.require(not dead, 12, f"{where}: what has run out is kept: {dead}")
        self._check_returned(write, old, live)
        self._check_granted(write, old, added)
        self._check_votes(write, old)
        self.kinds["settle"] += bool(live)
        self.kinds["lease"] += bool(added)
        self.kinds["vote"] += new.votes != old.votes
        self.kinds["cool"] += new.cooldown != old.cooldown
        self.kinds["lost"] += len(gone) > len(live)
        self.require(new != old, 24, f"{where}: a write that changes nothing")

    def _check_returned(self, write: Write, old: Record, live: list[Slot]) -> None:
        new, where = write.new, f"{write.new.name} by {write.pod}"
        good, barred = new.succ - old.succ, len(new.excluded) - len(old.excluded)
        if not live:
            rule = f"{where}: a verdict without a live lease"
            self.require(not good and not barred, 12, rule)
        self.require(len(live) <= 1, 9, f"{where}: two leases handed back at once")
        for slot in live:
            self.require(slot.pod == write.pod, 7, f"{where}: hands back another's lease {slot}")
            verdict = self._verdict(old, slot, where)
            said = ProbeVerdict.SUCCESS if good else ProbeVerdict.VOID
            said = ProbeVerdict.INCONCLUSIVE if barred else said
            self.require(verdict is said, 23, f"{where}: {slot} showed {verdict}, not {said}")
            self._spent[new.name, new.epoch] += not good

    def _verdict(self, old: Record, slot: Slot, where: str) -> ProbeVerdict:
        """What the probe showed whose lease is handed back; without a probe, nothing."""
        probe = self.probes.get(ProbeKey(old.name, old.epoch, slot.token))
        if probe is None:
            return ProbeVerdict.VOID
        self.require(probe.verdict is not None, 7, f"{where}: {slot} is still in use")
        return probe.verdict or ProbeVerdict.VOID

    def _check_granted(self, write: Write, old: Record, added: list[Slot]) -> None:
        where = f"{write.new.name} by {write.pod}"
        for slot in added:
            self.require(slot.pod == write.pod, 7, f"{where}: a lease for another")
            self.require(slot.pod not in old.excluded, 15, f"{where}: it was barred")
            lasts_ms = slot.until_ms - write.now_ms
            self.require(lasts_ms <= old.policy.lease_ms + 1, 12, f"{where}: a lease too long")
        key = write.new.name, write.new.epoch
        if added and key not in self.forked:
            lost = write.new.lost
            given = sum(k.name == key[0] and k.epoch == key[1] for k in self.granted) + len(added)
            most = old.policy.successes + self._spent[key] + lost
            self.require(given <= most, 6, f"{where}: {given} grants, at most {most} were due")

    def _check_votes(self, write: Write, old: Record) -> None:
        where = f"{write.new.name} by {write.pod}"
        votes = {vote.pod: vote for vote in write.new.votes}
        for vote in old.votes:
            kept = votes.get(vote.pod)
            over = vote.until_ms <= write.asked_ms
            ok = over or (kept is not None and kept.until_ms >= vote.until_ms)
            self.require(ok, 25, f"{where}: the vote of {vote.pod} is shortened")
        if write.new.votes != old.votes:
            self.require(write.pod in votes, 7, f"{where}: votes for another")
            self._check_evidence(write, old)

    def _check_evidence(self, write: Write, old: Record) -> None:
        """Accusations are of this epoch, fresh, and enough."""
        where = f"{write.new.name} by {write.pod}"
        pod = self.pods[write.pod]
        was_alone = pod.regained_ms >= write.asked_ms - STALE_MS - QUEUE_MS
        fresh_ms = pod.regained_ms - FRESH_MS if was_alone else write.asked_ms - STALE_MS
        known = pod.failures[write.new.name]
        of_epoch = [one for one in known if was_alone or one.epoch == old.epoch]
        self.require(bool(of_epoch), 8, f"{where}: no call of epoch {old.epoch} failed")
        old_ms = fresh_ms - QUEUE_MS - of_epoch[-1].at_ms
        self.require(old_ms <= 0, 8, f"{where}: the last failure is {old_ms} ms too old")

    def _check_new_epoch(self, write: Write, old: Record, where: str) -> None:
        new = write.new
        self.require(new.epoch > old.epoch, 1, f"{where}: epoch {new.epoch} after {old.epoch}")
        if new.why is None:
            self.fail(Violation(f"2: {where}: an epoch without a reason"))
        cause = new.why.cause
        self.causes[cause] += 1
        again = (new.name, new.epoch) in self.epochs and (new.name, new.epoch) not in self.forked
        self.require(not again, 1, f"{where}: epoch {new.epoch} was there before")
        self.epochs[new.name, new.epoch] = new
        fresh = not (new.succ or new.lost or new.excluded or new.votes)
        self.require(fresh, 5, f"{where}: a new epoch begins with what another left")
        self.require(new.why.pod == write.pod, 20, f"{where}: in the name of {new.why.pod}")
        if write.old is None:
            return  # lost data: the record before this one is not known any more
        if cause in OPENINGS:
            self._check_opening(write, old, where)
        check = _OF_A_CAUSE.get(cause)
        if check:
            check(self, write, old, where)
        if cause not in _BEYOND_THE_MOVES:
            self.require((old.state, new.state) in MOVES, 2, f"{where}: {old.state} {new.state}")

    def _check_opening(self, write: Write, old: Record, where: str) -> None:
        self.require(old.state is State.CLOSED and not old.hold, 2, f"{where}: not from closed")
        stays_ms = write.new.until_ms - write.now_ms
        most_ms = max(write.new.policy.max_ms, write.new.policy.open_ms)
        self.require(stays_ms <= most_ms + 1, 25, f"{where}: open for {stays_ms} ms")
        self._check_evidence(write, old)
        pod = self.pods[write.pod]
        others = [v for v in old.votes if v.pod != write.pod and v.until_ms > write.asked_ms]
        known = pod.failures[write.new.name]
        sole = pod.sole_until_ms >= write.asked_ms - FRESH_MS - STALE_MS - QUEUE_MS
        sound = sole or any(one.is_sound for one in known)
        recent = list(known)[-pod.threshold :]
        # nobody can tell that of a network that was well between the failures
        is_own = all(one.is_own for one in recent) and recent[-1].other_ms < recent[0].at_ms
        sound = sound and (sole or not is_own)
        weight = QUORUM if sound else 1 + sum(vote.weight for vote in others)
        self.require(
            weight >= QUORUM, 15, f"{where}: opened by what may be its own network's fault"
        )

    def _check_cooldown(self, write: Write, old: Record, where: str) -> None:
        cooldown = dict(write.new.cooldown)
        for scope, until_ms in old.cooldown:
            kept = until_ms <= write.now_ms or cooldown.get(scope, 0) >= until_ms
            self.require(kept, 25, f"{where}: a cooldown is shortened")

    # The moves by their causes

    def _check_half_open(self, write: Write, old: Record, where: str) -> None:
        early_ms = old.until_ms - write.now_ms
        self.require(early_ms <= 0, 4, f"{where}: half-open {early_ms} ms early")
        self.require(len(write.new.leases) == 1, 6, f"{where}: a round begins with one lease")
        self._check_granted(write, old, list(write.new.leases))

    def _check_closed(self, write: Write, old: Record, where: str) -> None:
        self._check_settled(write, old, where, ProbeVerdict.SUCCESS)
        good = self._good[old.name, old.epoch]
        self.require(good >= old.policy.successes, 5, f"{where}: closed by {good} good probes")

    def _check_reopened(self, write: Write, old: Record, where: str) -> None:
        self._check_settled(write, old, where, ProbeVerdict.FAILURE)
        self.require(write.new.rounds == old.rounds + 1, 25, f"{where}: a failed round counts")

    def _check_settled(self, write: Write, old: Record, where: str, verdict: ProbeVerdict) -> None:
        self.require(old.until_ms > write.now_ms, 11, f"{where}: the round was over")
        mine = [slot for slot in old.leases if slot.pod == write.pod]
        live = [slot for slot in mine if slot.until_ms > write.now_ms]
        self.require(bool(live), 12, f"{where}: settled without a live lease")
        shown = [self.probes.get(ProbeKey(old.name, old.epoch, slot.token)) for slot in live]
        ok = any(probe and probe.verdict is verdict for probe in shown)
        self.require(ok, 7, f"{where}: {verdict}, though its probe did not show it")

    def _check_called_off(self, write: Write, old: Record, where: str) -> None:
        policy = old.policy
        live = [slot for slot in old.leases if slot.until_ms > write.now_ms]
        lost = old.lost + len(old.leases) - len(live)
        late = write.now_ms + policy.lease_ms >= old.until_ms and not live
        left = write.now_ms >= old.since_ms + policy.open_ms and not live
        barred = write.pod in old.excluded and left
        over = old.until_ms <= write.now_ms or late or barred
        ok = over or lost >= LOST_PER_PROBE * policy.probes
        self.require(ok, 11, f"{where}: a round called off that could go on")

    def _check_ordered(self, write: Write, old: Record, where: str) -> None:
        cause = write.new.why.cause if write.new.why else None
        if cause is Cause.RELEASE and old.hold and old.hold.is_over(write.now_ms):
            return
        ordered = self.orders[write.pod, old.name, str(cause)] > 0
        self.require(ordered, 2, f"{where}: {cause} by nobody's order")

    def _check_merged(self, write: Write, _: Record, where: str) -> None:
        self.require(self.losses > 0, 18, f"{where}: nothing was lost")
        self.require(write.new.state is not State.HALF_OPEN, 18, f"{where}: a round is called off")


_OF_A_CAUSE: dict[Cause, Callable[[Ledger, Write, Record, str], None]] = {
    Cause.OPEN_TIMEOUT: Ledger._check_half_open,
    Cause.PROBES_SUCCEEDED: Ledger._check_closed,
    Cause.PROBE_FAILED: Ledger._check_reopened,
    Cause.PROBES_LOST: Ledger._check_called_off,
    Cause.HOLD: Ledger._check_ordered,
    Cause.RELEASE: Ledger._check_ordered,
    Cause.RESET: Ledger._check_ordered,
    Cause.MERGE: Ledger._check_merged,
}
_BEYOND_THE_MOVES = frozenset((Cause.HOLD, Cause.RELEASE, Cause.RESET, Cause.MERGE))


def _ignore(_: Violation) -> None:
    """Nobody wants to hear of it."""
