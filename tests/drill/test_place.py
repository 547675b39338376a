"""Where faults are played, and how a route is reached."""

from __future__ import annotations

import pytest

from sidecar.core.settings import Entry, Provider, Route, Settings
from sidecar.drill.place import LeftOut, Mode, Place, model_for, named, places_of
from tests.drill.settings import place_of, settings_of

TWICE = """\
routes:
  - models: [m]
    chain: [gemini/pro, huggingface/llama, gemini/flash, anthropic/claude]
"""


def routed(*patterns: tuple[str, ...]) -> Settings:
    provider = Provider(name="a", kind="openai", base_url="http://a/v1")
    chain = (Entry(provider=provider),)
    routes = tuple(Route(models=models, chain=chain) for models in patterns)
    return Settings(routes=routes, providers=(provider,))


@pytest.mark.parametrize(
    "pattern",
    ["gpt-4o", "gpt-4o*", "*", "*-mini", "gpt-?", "[abc]*", "[!abc]-model", "[]]x", "**"],
)
def test_a_model_is_found_that_reaches_the_route(pattern: str) -> None:
    settings = routed((pattern,))

    found = model_for(settings, settings.routes[0])

    assert found
    assert settings.routes[0].serves(found)


def test_a_model_that_an_earlier_route_takes_is_not_asked_for() -> None:
    settings = routed(("gpt-4o", "any"), ("gpt-4o*", "*"))

    found = model_for(settings, settings.routes[1])

    assert found
    assert settings.route_for(found) is settings.routes[1]


def test_a_route_that_is_never_reached_is_left_out() -> None:
    settings = routed(("*",), ("gpt-4o",))

    _, (name, why) = places_of(settings)  # type: ignore[misc]  # the second is none

    assert name == "gpt-4o"
    assert isinstance(why, LeftOut)


def test_every_position_is_a_place() -> None:
    places = [one for one in places_of(settings_of()) if isinstance(one, Place)]

    assert [named(place) for place in places] == [
        "1. gemini/gemini-3-flash",
        "2. huggingface/meta-llama/Llama-3.3-70B",
        "3. anthropic/claude-haiku-5-5",
    ]


def test_a_provider_that_stands_twice_has_its_faults_at_both_places() -> None:
    first = place_of(route=TWICE)

    assert [entry.model for entry in first.own] == ["pro", "flash"]
    assert [entry.model for entry in first.later] == ["llama", "claude"]


def test_a_second_place_of_a_provider_is_left_out() -> None:
    found = [one for one in places_of(settings_of(route=TWICE)) if not isinstance(one, Place)]

    assert [name for name, _ in found] == ["m, 3. gemini/flash"]


def test_one_that_failed_before_is_not_well_after() -> None:
    second = place_of(1, route=TWICE)

    assert [entry.provider.name for entry in second.later] == ["anthropic"]


@pytest.mark.parametrize(
    ("more", "mode", "hedges"),
    [
        ("", Mode.STREAM, False),
        ("hedge: {after: 1s}", Mode.STREAM, True),
        ("hedge: {after: 1s}", Mode.WHOLE, False),
        ("hedge: {after: 1s}\nstreaming: {upstream: always}", Mode.WHOLE, True),
        ("hedge: {after: p95}", Mode.STREAM, False),
    ],
    ids=[
        "not configured",
        "streamed",
        "not streamed",
        "streamed all the same",
        "nothing known yet",
    ],
)
def test_only_what_is_streamed_is_hedged(more: str, mode: Mode, hedges: bool) -> None:
    assert place_of(more=more).hedges(mode) == hedges


@pytest.mark.parametrize(
    ("more", "mode", "holds"),
    [
        ("", Mode.STREAM, False),
        ("", Mode.WHOLE, True),
        ("streaming: {after_content: buffer}", Mode.STREAM, True),
    ],
)
def test_what_is_heard_as_a_whole_is_held(more: str, mode: Mode, holds: bool) -> None:
    assert place_of(more=more).holds(mode) == holds
