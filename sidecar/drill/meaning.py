"""What an error of a provider means to the sidecar, as the operator's `errors` have it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from sidecar.core.outcome import CLOCKS, FAILURES, Outcome
from sidecar.core.settings import Provider
from sidecar.core.taxonomy import judge_by_rules, read_complaint
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import Promise
from sidecar.faults.vendors import Trouble, refusal_of

Promises = Callable[[Place, Mode], Promise | LeftOut]

USUAL = {
    Trouble.LIMITED: Outcome.RATE_LIMIT,
    Trouble.OVERLOADED: Outcome.OVERLOADED,
    Trouble.BROKEN: Outcome.SERVER_ERROR,
    Trouble.TOO_LONG: Outcome.CONTEXT_LENGTH,
    Trouble.FILTERED: Outcome.CONTENT_FILTER,
}
ITS_FAULT = FAILURES - CLOCKS  # a failure of the provider, and the next one is asked


def meant_by(provider: Provider, trouble: Trouble, status: int | None = None) -> Outcome:
    """What is made of a trouble, be it told with a `status` that is not its own."""
    own_status, body = refusal_of(provider.kind, trouble)
    complaint = read_complaint(body)
    ruled = judge_by_rules(own_status if status is None else status, complaint, provider.errors)
    return ruled or USUAL[trouble]


def ruled(meant: Outcome) -> LeftOut:
    """Why a row is left out whose error is another one here."""
    return LeftOut(f"a rule of `errors` makes {meant} of it")


def provided(
    trouble: Trouble, fine: Container[Outcome], status: int | None = None
) -> Callable[[Promises], Promises]:
    """A promise that stands where `trouble` means something that is `fine`."""

    def unless_ruled(promises: Promises) -> Promises:
        def promise(place: Place, mode: Mode) -> Promise | LeftOut:
            meant = meant_by(place.provider, trouble, status)
            return promises(place, mode) if meant in fine else ruled(meant)

        return promise

    return unless_ruled


def all_fail(providers: Iterable[Provider]) -> Outcome | None:
    """What else than a failure is made of an overload, if anything is."""
    meanings = (meant_by(one, Trouble.OVERLOADED) for one in providers)
    return next((meant for meant in meanings if meant not in ITS_FAULT), None)
