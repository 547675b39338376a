"""What is said of the ports."""

from __future__ import annotations

import errno

import pytest

from sidecar.core.settings import Address
from sidecar.doctor.finding import Mark
from sidecar.doctor.ports import Port, judge_port


@pytest.mark.parametrize(
    ("number", "error", "sidecar", "mark", "told"),
    [
        (9464, 0, "", Mark.GOOD, "h:9464 is free"),
        (0, 0, "", Mark.GOOD, "any free port"),
        (9464, errno.EADDRINUSE, "sidecar 1.2.3", Mark.GOOD, "h:9464: sidecar 1.2.3 is running"),
        (9464, errno.EADDRINUSE, "", Mark.BAD, "h:9464 is taken by something that is no sidecar"),
        (80, errno.EACCES, "", Mark.BAD, "cannot listen on h:80: Permission denied"),
        (80, errno.EADDRNOTAVAIL, "", Mark.BAD, "Cannot assign requested address"),
    ],
)
def test_a_port_is_free_or_a_sidecars(
    number: int, error: int, sidecar: str, mark: Mark, told: str
) -> None:
    address = Address(host="h", port=number)
    found = judge_port(Port(setting="admin", address=address, error=error, sidecar=sidecar))

    assert (found.check, found.mark) == ("port of admin", mark)
    assert told in found.seen


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (errno.EADDRINUSE, "or set listen to another port"),
        (errno.EACCES, "set listen to a port from 1024 on"),
        (errno.EADDRNOTAVAIL, "set listen to an address of this machine"),
    ],
)
def test_a_port_that_cannot_be_had_has_a_cure(error: int, cure: str) -> None:
    port = Port(setting="listen", address=Address(host="h", port=80), error=error)

    assert cure in judge_port(port).cure
