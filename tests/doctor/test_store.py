"""What is said of the store."""

from __future__ import annotations

import pytest

from sidecar.doctor.finding import Mark
from sidecar.doctor.store import ELSE, StoreSeen, judge_store

SEEN = StoreSeen(place="redis://r", op_timeout_s=0.25, first_s=0.02, op_s=0.001, others=2)


def test_memory_has_nothing_to_be_reached() -> None:
    assert judge_store(None).mark is Mark.GOOD


def test_a_store_that_is_quick_is_told_with_its_times() -> None:
    found = judge_store(SEEN)

    assert found.mark is Mark.GOOD
    assert found.seen == "redis://r: reached and let in, 20 ms; an operation 1.0 ms; 2 other pods"


@pytest.mark.parametrize(("op_s", "mark"), [(0.124, Mark.GOOD), (0.125, Mark.DOUBT)])
def test_a_store_near_its_time_limit_is_in_doubt(op_s: float, mark: Mark) -> None:
    found = judge_store(StoreSeen(place="r", op_timeout_s=0.25, op_s=op_s))

    assert found.mark is mark
    assert ("fleet.op_timeout (250ms)" in found.cure) is (mark is Mark.DOUBT)


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        ("needs `pip install llm-failover-sidecar[redis]`", "install"),
        ("cannot read the certificates, got /x: no such file", "correct ca_file"),
        ("redis at h:1: invalid username-password pair or user is disabled.", "user and password"),
        ("redis at h:1: Authentication required.", "user and password"),
        ("redis at h:1: this user has no permissions to run the 'evalsha' command", "grant"),
        ("etcd refuses: etcdserver: permission denied", "grant"),
        ("etcd refuses: etcdserver: user name is empty", "user and password"),
        ("redis at h:1: Error 111 connecting to h:1. Connect call failed", "start it"),
        ("etcd does not answer: http://h:1: ClientConnectorError", "start it"),
        ("redis at h:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "ca_file=…"),
        ("redis at h:1: no answer within 0.25 s", "op_timeout"),
        ("etcd took too long", "op_timeout"),
        ("redis at h:1: Name or service not known", "correct the host"),
        ("redis at h:1: LOADING the dataset in memory", ELSE),
    ],
)
def test_what_a_store_says_leads_to_its_cure(error: str, cure: str) -> None:
    found = judge_store(StoreSeen(place="r", op_timeout_s=0.25, error=error))

    assert (found.mark, found.seen) == (Mark.BAD, error)
    assert cure in found.cure
