"""What is said of memory, open files and the clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.doctor.finding import Mark
from sidecar.doctor.host import memory_room, open_files
from sidecar.doctor.machine import MIB, judge_clock, judge_descriptors, judge_memory

NOW_S = 1_800_000_000.0  # 2027-01-15 08:00 UTC


@pytest.mark.parametrize(
    ("mib", "mark"), [(63, Mark.BAD), (64, Mark.DOUBT), (127, Mark.DOUBT), (128, Mark.GOOD)]
)
def test_memory_is_judged_by_what_a_sidecar_needs(mib: int, mark: Mark) -> None:
    found = judge_memory(mib * MIB, "its limit")

    assert (found.mark, found.seen) == (mark, f"{mib} MiB (its limit)")
    assert ("128 MiB" in found.cure) is (mark is not Mark.GOOD)


def test_memory_that_nobody_tells_of_is_in_doubt() -> None:
    assert judge_memory(None, "").mark is Mark.DOUBT


@pytest.mark.parametrize(
    ("files", "mark", "cure"),
    [
        (2100, Mark.GOOD, ""),
        (None, Mark.GOOD, ""),
        (1024, Mark.DOUBT, "raise `ulimit -n` to 2100, or set limits.in_flight to 462"),
        (64, Mark.BAD, "raise `ulimit -n` to 2100, or set limits.in_flight to 1"),
    ],
)
def test_each_call_takes_two_open_files(files: int | None, mark: Mark, cure: str) -> None:
    found = judge_descriptors(files, in_flight=1000)

    assert (found.mark, found.cure) == (mark, cure)


@pytest.mark.parametrize(
    ("ahead_s", "mark", "told"),
    [
        ({"a": 0.4, "b": -29.0}, Mark.GOOD, "2027-01-15 08:00 UTC, as a, b has it"),
        ({"a": 31.0}, Mark.BAD, "2027-01-15 08:00 UTC, but a is 31s ahead"),
        ({"a": -3600.0, "b": -3601}, Mark.BAD, "but a is 1h behind, b is 3601s behind"),
        ({"a": 0.0, "b": 90.0}, Mark.DOUBT, "but b is 90s ahead"),
        ({}, Mark.DOUBT, "nobody told the time"),
    ],
    ids=["all agree", "one is off", "all are off", "they disagree", "nobody"],
)
def test_the_clock_is_compared_with_all_that_told_the_time(
    ahead_s: dict[str, float], mark: Mark, told: str
) -> None:
    found = judge_clock(ahead_s, NOW_S)

    assert found.mark is mark
    assert told in found.seen


def test_a_clock_before_the_program_is_wrong_though_nobody_told_the_time() -> None:
    found = judge_clock({}, 86400.0)

    assert (found.mark, found.seen[:10]) == (Mark.BAD, "1970-01-02")


# Where it is read


def a_machine(root: Path, available_kib: int, group: str, **limits: str) -> Path:
    """The files of a machine; a limit is written with `__` for each `/` of its path."""
    texts = {
        "proc/meminfo": f"MemTotal: 9 kB\nMemAvailable:   {available_kib} kB\n",
        "proc/self/cgroup": group,
    } | {path.replace("__", "/"): text for path, text in limits.items()}
    for path, text in texts.items():
        file = root / path.replace("memory_max", "memory.max")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_the_limit_of_a_container_counts_where_it_is_less(tmp_path: Path) -> None:
    root = a_machine(tmp_path, 999_999, "0::/\n", sys__fs__cgroup__memory_max="67108864\n")

    assert memory_room(root) == (64 * MIB, "the limit of its control group")


def test_the_limits_of_the_groups_around_count_too(tmp_path: Path) -> None:
    root = a_machine(
        tmp_path,
        999_999,
        "0::/pods/mine\n",
        sys__fs__cgroup__pods__memory_max="134217728\n",
        sys__fs__cgroup__pods__mine__memory_max="max\n",
    )

    assert memory_room(root) == (128 * MIB, "the limit of its control group")


def test_the_limit_of_the_older_version_is_found(tmp_path: Path) -> None:
    group = "9:cpu:/x\n4:hugetlb,memory:/docker/abc\n0::/\n"
    root = a_machine(tmp_path, 999_999, group)
    file = root / "sys/fs/cgroup/memory/memory.limit_in_bytes"
    file.parent.mkdir(parents=True)
    file.write_text("100000000\n")

    assert memory_room(root) == (100_000_000, "the limit of its control group")


def test_what_is_available_counts_where_it_is_less(tmp_path: Path) -> None:
    root = a_machine(tmp_path, 65536, "0::/\n", sys__fs__cgroup__memory_max="max\n")

    assert memory_room(root) == (64 * MIB, "available on this machine")


def test_a_machine_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    assert memory_room(tmp_path) == (None, "")


def test_this_machine_has_room_and_files() -> None:
    room_bytes, _ = memory_room()

    assert room_bytes is None or room_bytes > MIB
    assert open_files() is None or (open_files() or 0) > 10
