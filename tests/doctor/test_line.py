"""What is said of a line, and what cures it where it is cut."""

from __future__ import annotations

import pytest

from sidecar.doctor.finding import Finding, Mark
from sidecar.doctor.line import DAY_S, Line, Stage, Step, Trouble, Way, judge_line

NOW_S = 1_800_000_000.0
WAY = Way("one", "api.test:443", "api.test:443", is_proxied=False)
PROXIED = Way("one", "egress.test:3128", "api.test:443", is_proxied=True)


def judged(*steps: Step, way: Way = WAY, trouble: Trouble | None = None) -> list[Finding]:
    return list(judge_line(Line(way=way, steps=steps, trouble=trouble, why="so it is"), NOW_S))


def test_a_stage_that_was_passed_is_told_with_its_time() -> None:
    step = Step(stage=Stage.DNS, took_s=0.0123, said="api.test: 2 addresses")

    assert judged(step) == [Finding("one", "dns", Mark.GOOD, "api.test: 2 addresses, 12 ms")]


@pytest.mark.parametrize("trouble", Trouble)
def test_each_trouble_has_a_stage_and_a_cure(trouble: Trouble) -> None:
    [found] = judged(trouble=trouble)

    assert (found.mark, found.seen) == (Mark.BAD, "so it is")
    assert found.check in set(Stage)
    assert found.cure
    assert "{" not in found.cure
    assert "\n" not in found.cure


def test_a_cure_names_the_setting_that_leads_there() -> None:
    [direct] = judged(trouble=Trouble.REFUSED)
    [proxied] = judged(trouble=Trouble.REFUSED, way=PROXIED)

    assert direct.cure == "start what should listen at api.test:443, or correct base_url"
    assert proxied.cure == "start what should listen at egress.test:3128, or correct proxy"


@pytest.mark.parametrize(
    ("days", "mark"), [(90, Mark.GOOD), (14, Mark.GOOD), (13.9, Mark.DOUBT), (0.5, Mark.DOUBT)]
)
def test_a_certificate_that_ends_soon_is_told(days: float, mark: Mark) -> None:
    ends_unix_s = NOW_S + days * DAY_S
    [found] = judged(Step(stage=Stage.TLS, took_s=0.02, said="TLSv1.3", ends_unix_s=ends_unix_s))

    assert found.mark is mark
    assert found.seen == f"TLSv1.3, 20 ms, certificate for {days:.0f} more days"
    assert bool(found.cure) is (mark is Mark.DOUBT)


@pytest.mark.parametrize(
    ("status", "mark"),
    [(200, Mark.GOOD), (301, Mark.GOOD), (401, Mark.GOOD), (404, Mark.GOOD), (503, Mark.DOUBT)],
)
def test_any_answer_will_do_but_that_of_a_server_that_is_unwell(status: int, mark: Mark) -> None:
    [found] = judged(Step(stage=Stage.ANSWER, took_s=0.1, said="answers", status=status))

    assert found.mark is mark


def test_a_proxy_that_wants_a_login_is_no_answer() -> None:
    step = Step(stage=Stage.ANSWER, took_s=0.1, said="answers", status=407)
    [found] = judged(step, way=PROXIED)

    assert (found.mark, found.seen) == (Mark.BAD, "the proxy answers 407")
    assert "login in proxy" in found.cure


def test_the_time_is_that_of_the_stage_that_told_it() -> None:
    steps = (Step(stage=Stage.DNS, took_s=0), Step(stage=Stage.ANSWER, took_s=0, ahead_s=-3.0))

    assert Line(way=WAY, steps=steps).ahead_s == -3.0
    assert Line(way=WAY, steps=steps[:1]).ahead_s is None
