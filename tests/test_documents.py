"""The documents: what they say of kinds, errors and configuration is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sidecar import __version__
from sidecar.config import load
from sidecar.config.errors import CLASSES
from sidecar.core.capability import Capability
from sidecar.core.outcome import COOLING, FAILURES, PARKING, Outcome, SkipReason
from sidecar.dialects.presets import PRESETS, Preset
from sidecar.drill.table import ROWS
from sidecar.observe.seats import ASIDES, SERVING
from sidecar.observe.standing import Looks
from sidecar.observe.status import Status
from tests.observe.scene import (
    SETTINGS,
    USAGE,
    StillClock,
    attempt_ended,
    failed_over,
    request_ended,
)
from tests.observe.test_report import report_of
from tests.observe.test_status import Breaker

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DEPLOY = ROOT / "deploy"
PAGES = (ROOT / "README.md", *sorted(DEPLOY.rglob("*.md")), *sorted(DOCS.rglob("*.md")))
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
EACH_KIND = pytest.mark.parametrize(("kind", "preset"), PRESETS.items(), ids=PRESETS)

VARIABLES = {variable.env for preset in PRESETS.values() for variable in preset.variables.values()}
KEYS = {preset.key_env for preset in PRESETS.values() if preset.key_env}
STANDINGS = ("open", "half_open", "held_open", "unknown", *SERVING, *ASIDES)
ENVIRONMENT = dict.fromkeys(VARIABLES | KEYS, "something")


def section(page: str, heading: str) -> str:
    """What stands under a heading of a page, up to the next one."""
    _, found, text = (DOCS / page).read_text().partition(f"\n{heading}\n")
    assert found, f"{page} has no {heading}"
    return text.partition("\n#")[0]


def table(page: str, heading: str) -> dict[str, list[str]]:
    """The rows of the table under a heading: the words of the first cell, and the other cells."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section(page, heading).splitlines()
        if line.startswith("|")
    ]
    return {word: cells for first, *cells in rows[2:] for word in re.findall("`([^`]+)`", first)}


# Providers


def told_variables(preset: Preset) -> str:
    """Where the parts of an address come from."""
    return ", ".join(
        f"`{{{name}}}`: `{one.env}`" + (f", else `{one.default}`" if one.default else "")
        for name, one in preset.variables.items()
    )


def told_capabilities(preset: Preset) -> list[str]:
    """What a kind serves itself, and what is beyond it."""
    kept = Capability.RESPONSES not in preset.beyond
    responses = ("kept" if kept else "served") if preset.responses else "translated"
    beyond = sorted(preset.beyond - {Capability.RESPONSES})
    words = ", ".join(f"`{word}`" for word in beyond)
    return [responses, "native" if preset.messages else "translated", words]


@EACH_KIND
def test_a_kind_is_told_with_its_address_and_its_key(kind: str, preset: Preset) -> None:
    address, variables, key, sent = table("providers.md", "## Addresses and keys")[kind]

    assert address == f"`{preset.base_url}`"
    assert variables == told_variables(preset)
    assert key.startswith(f"`{preset.key_env}`" if preset.key_env else "none")
    assert ("," in key or ":" in key or key == "none") == (not preset.key_required)
    assert sent == f"`{preset.auth_header}: {preset.auth_scheme}…`"


@EACH_KIND
def test_a_kind_is_told_with_what_it_can_do(kind: str, preset: Preset) -> None:
    told = table("providers.md", "## What they do themselves, and what they cannot do")

    assert told[kind] == told_capabilities(preset)


def test_every_kind_is_told_with_what_is_handled() -> None:
    assert set(table("providers.md", "### By kind")) == set(PRESETS)


def test_nothing_is_told_of_a_kind_that_there_is_not() -> None:
    told = table("providers.md", "## Addresses and keys")

    assert set(told) == set(PRESETS)


@pytest.mark.parametrize("word", Capability)
def test_a_capability_is_told_by_its_word(word: str) -> None:
    told = section("providers.md", "## What they do themselves, and what they cannot do")

    assert f"`{word}`" in told


def test_the_kinds_that_the_gateway_has_are_told() -> None:
    text = section("providers.md", "## Cloudflare's AI Gateway, three ways")
    listed = re.search(r"that the gateway has \(([^)]*)\)", text)

    assert listed
    assert set(re.findall("`([^`]+)`", listed[1])) == {
        kind for kind, preset in PRESETS.items() if preset.gateway
    }


# Errors


def afterwards(outcome: Outcome) -> str:
    """What becomes of a provider after such an attempt."""
    sets = {"counts": FAILURES, "cools": COOLING, "parks": PARKING}
    return next((word for word, outcomes in sets.items() if outcome in outcomes), "nothing")


def told_classes() -> dict[str, str]:
    """Each class of error, and what is said to become of the provider."""
    said = table("errors.md", "## What a provider says")
    found = table("errors.md", "## What the sidecar itself finds")
    return {word: cells[-1] for word, cells in (said | found).items()}


def test_every_class_of_error_is_told_with_what_becomes_of_the_provider() -> None:
    assert told_classes() == {one: afterwards(one) for one in Outcome if one is not Outcome.OK}


def test_what_a_provider_says_is_what_a_rule_may_call_it() -> None:
    assert set(table("errors.md", "## What a provider says")) == set(CLASSES)


@pytest.mark.parametrize("reason", SkipReason)
def test_a_reason_to_pass_over_is_told(reason: str) -> None:
    assert f"`{reason}`" in section("errors.md", "## Who is passed over")


# The drill


def test_every_fault_of_the_drill_is_told() -> None:
    told = re.findall(r"^\| `(\w+)` \|", section("drill.md", "## The faults"), re.MULTILINE)

    assert sorted(told) == sorted(ROWS)


# The status


def told_keys(heading: str) -> set[str]:
    """The keys that the table under a heading of the page on the status tells of."""
    return set(table("status.md", heading))


def shown_status() -> tuple[dict[str, Any], dict[str, Any]]:
    """A status in which everything has happened once, and its request."""
    status = Status(SETTINGS, StillClock(), Looks(breakers=lambda: [Breaker()]), "0.1.0")
    for event in (failed_over(), attempt_ended(), request_ended()):
        status.handlers[type(event)](event)
    return status.as_json(), status.request("req-1") or {}


def test_every_key_of_the_status_is_told() -> None:
    status, request = shown_status()

    assert told_keys("## `/status.json`") == set(status)
    assert told_keys("### Providers") == set(status["providers"][0])
    assert told_keys("### Seats") == set(status["routes"][0]["seats"][0])
    assert told_keys("### Requests") == set(request)


@pytest.mark.parametrize("part", ["config", "store"])
def test_every_key_of_a_part_of_the_status_is_told(part: str) -> None:
    (told,) = table("status.md", "## `/status.json`")[part]

    assert set(shown_status()[0][part]) <= set(re.findall(r"`(\w+)`", told))


def test_every_key_of_a_failover_and_a_try_is_told() -> None:
    status, request = shown_status()
    (failover,) = table("status.md", "## `/status.json`")["failovers"]
    (tries,) = table("status.md", "### Requests")["tries"]

    assert set(re.findall(r"`(\w+)`", failover)) == set(status["failovers"][0])
    assert set(request["tries"][0]) <= set(re.findall(r"`(\w+)`", tries))


@pytest.mark.parametrize("standing", STANDINGS)
def test_every_standing_is_told(standing: str) -> None:
    (told,) = table("status.md", "### Seats")["standing"]

    assert f"`{standing}`" in told


# The report


def test_every_key_of_the_report_is_told() -> None:
    report = report_of(attempt_ended(usage=USAGE), prices=False).as_json()

    assert set(table("report.md", "## `/report.json`")) == set(report)
    assert set(table("report.md", "### Providers")) == set(report["providers"][0])


@pytest.mark.parametrize("part", ["requests", "failover", "suggestions", "providers"])
def test_every_key_of_a_part_of_the_report_is_told(part: str) -> None:
    report = report_of(attempt_ended(usage=USAGE), prices=False).as_json()
    keys = report[part][0] if isinstance(report[part], list) else report[part]
    told = section("report.md", "## `/report.json`") + section("report.md", "### Providers")

    assert set(keys) <= set(re.findall(r"`(\w+)`", told))


# All pages


SNIPPETS = [
    pytest.param(text, id=f"{page.stem} {place}")
    for page in PAGES
    for place, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_a_piece_of_configuration_is_valid(text: str, tmp_path: Path) -> None:
    file = tmp_path / "shown.yaml"
    file.write_text(text)

    assert load(file, ENVIRONMENT).warnings == ()


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one).strip().lower().replace(" ", "-") for one in headings}


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_scorecard_is_of_this_version_and_every_promise_held() -> None:
    _, _, scorecard = (DOCS / "drill.md").read_text().partition("<!-- scorecard -->\n")
    held, played = re.findall(r"^ {4}(\d+) of (\d+) promises held\.$", scorecard, re.MULTILINE)[0]
    rows = set(re.findall(r"^ {6}(\w+)  ", scorecard, re.MULTILINE))

    assert held == played
    assert set(ROWS) - rows == {"prefill_rejected"}  # nobody of the usual chain has `prefill`
    assert "✗" not in scorecard
    assert re.search(
        rf"^    sidecar {__version__}, \d{{4}}-\d\d-\d\d \d\d:\d\d UTC", scorecard, re.MULTILINE
    )
