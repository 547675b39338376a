"""The settings of a drill are the operator's, without what leads or tells elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.settings import Provider, Secret, Tracing
from sidecar.dialects.presets import PRESETS
from sidecar.drill.stand_ins import (
    KEY,
    NOWHERE,
    Cast,
    Way,
    drilled,
    path_of,
    stood_in,
    words_of,
)
from sidecar.faults.catalog import OK
from tests.drill.settings import CHAIN, place_of

URLS = {name: f"http://127.0.0.1:1/{name}" for name in ("gemini", "huggingface", "anthropic")}
MORE = """\
breaker: {failure_threshold: 7, open_timeout: 5s}
timeouts: {first_token: 3s}
retry: {attempts: 4}
streaming: {after_content: buffer}
hedge: {after: 2s}
limits: {in_flight: 9}
admin_token: secret-of-admin
"""


def test_every_provider_is_its_stand_in() -> None:
    settings = drilled(place_of(), URLS)

    assert {one.name: one.base_url for one in settings.providers} == URLS
    assert {one.provider.base_url for one in settings.routes[0].chain} == set(URLS.values())


def test_no_secret_is_left() -> None:
    settings = drilled(place_of(more=MORE), URLS)

    keys = {key.reveal() for one in settings.providers for key in one.keys}
    assert keys == {KEY.reveal()}
    assert settings.admin_token is None


def test_all_else_is_as_the_operator_has_it() -> None:
    place = place_of(more=MORE)
    settings, was = drilled(place, URLS), place.settings

    for name in ("streaming", "hedge", "limits", "prices", "drain_timeout_s"):
        assert getattr(settings, name) == getattr(was, name)
    for one, before in zip(settings.providers, was.providers, strict=True):
        kept = replace(one, base_url=before.base_url, api_key=before.api_key)
        assert kept == before
    for entry, entry_before in zip(settings.routes[0].chain, was.routes[0].chain, strict=True):
        assert replace(entry, provider=entry_before.provider) == entry_before


def test_it_listens_where_nobody_else_does() -> None:
    settings = drilled(place_of(), URLS)

    assert (str(settings.listen), str(settings.admin)) == ("127.0.0.1:0", "127.0.0.1:0")


def test_no_collector_and_no_store_hear_of_it() -> None:
    more = 'store: redis://127.0.0.1:1\ntracing: {otlp: "http://127.0.0.1:1", to_providers: true}\n'

    settings = drilled(place_of(more=more), URLS)

    assert settings.store == "memory"
    assert settings.tracing == Tracing(to_providers=True)


def provider(**changes: object) -> Provider:
    return replace(Provider(name="a", kind="openai", base_url="http://a/v1"), **changes)  # type: ignore[arg-type]  # whatever a test is about


def test_whatever_leads_elsewhere_is_left_out() -> None:
    there = provider(proxy=Secret("http://proxy"), ca_file="/a.pem")

    here = stood_in(there, "http://127.0.0.1:1/v1")

    assert (here.proxy, here.ca_file) == (None, None)


def test_as_many_keys_are_left_as_there_were() -> None:
    there = provider(api_keys=(Secret("one"), Secret("two")))

    found = [key.reveal() for key in stood_in(there, "http://b").keys]

    assert len(set(found)) == 2
    assert not {"one", "two"} & set(found)


def test_a_header_keeps_its_name_and_loses_its_value() -> None:
    said = (("x-team", Secret("s3cret")), ("Anthropic-Version", Secret("2023-06-01")))

    here = stood_in(provider(headers=said), "http://b")

    assert [(name, value.reveal()) for name, value in here.headers] == [
        ("x-team", KEY.reveal()),
        ("Anthropic-Version", "2023-06-01"),
    ]


@pytest.mark.parametrize("kind", PRESETS)
def test_every_kind_gets_a_key_so_that_no_cloud_is_asked_for_one(kind: str) -> None:
    assert stood_in(provider(kind=kind), "http://b").keys == (KEY,)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://router.huggingface.co/v1", "/v1"),
        ("https://res.openai.azure.com/openai", "/openai"),
        ("https://gateway/v1/acc/gw/compat", "/v1/acc/gw/compat"),
        ("http://user:password@host:1", ""),
    ],
)
def test_what_follows_the_host_is_kept_and_nothing_before_it(url: str, path: str) -> None:
    assert path_of(provider(base_url=url)) == path


def test_nowhere_is_too_long_a_name_to_be_asked_for() -> None:
    assert len(NOWHERE) > 255
    assert max(map(len, NOWHERE.split("."))) < 64
    assert NOWHERE in Way.NOWHERE.url(1, "/v1")


def test_everybody_says_something_else() -> None:
    place, cast = place_of(), Cast(faults=(OK,))

    texts = {cast.answer_of(entry.provider, place).text for entry in place.route.chain}

    assert len(texts) == 3
    assert all(len(text.split()) == 60 for text in texts)


def test_who_is_to_go_on_says_the_same() -> None:
    place, cast = place_of(), Cast(faults=(OK,), same_words=True)

    answers = [cast.answer_of(entry.provider, place) for entry in place.route.chain]

    assert {answer.text for answer in answers} == {words_of("word")}
    assert all(answer.goes_on for answer in answers)


def test_who_repeats_a_beginning_says_it_again() -> None:
    chain = CHAIN.replace("kind: huggingface", "kind: mistral")
    place, cast = place_of(chain=chain), Cast(faults=(OK,), same_words=True)

    answers = [cast.answer_of(entry.provider, place) for entry in place.route.chain]

    assert [answer.goes_on for answer in answers] == [True, False, True]


def test_those_before_fail_and_those_after_are_well() -> None:
    place, cast = place_of(1), Cast(faults=(OK,))

    played = [cast.faults_of(entry.provider, place)[0] for entry in place.route.chain]

    assert [fault.id for fault in played] == ["overloaded", "ok", "ok"]
