"""What a right configuration comes to: presets, overrides, inheritance."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config.build import idle_providers
from sidecar.config.patterns import covers
from sidecar.core.settings import (
    Address,
    BreakerPolicy,
    ContentFilter,
    OpenBackoff,
    Provider,
    Scope,
    Secret,
    Settings,
    Timeouts,
)
from sidecar.dialects.presets import PRESETS
from tests.config.texts import BASE, settings_of


def provider_of(text: str, environ: dict[str, str] | None = None) -> Provider:
    """The provider that `text` describes, in flow style."""
    return settings_of(BASE.replace("{kind: openai}", text), environ).providers[0]


def test_what_is_not_said_has_its_default() -> None:
    settings = settings_of(BASE)

    assert settings == Settings(routes=settings.routes, providers=settings.providers)


def test_settings_are_read_in_every_form() -> None:
    settings = settings_of(
        BASE
        + """\
listen: "[::1]:1"
admin: localhost:0
log: {level: debug, format: json}
limits: {request_body: 1KB, in_flight: 7}
drain_timeout: 1500ms
admin_token: t
"""
    )

    assert (settings.listen, settings.admin) == (
        Address(host="::1", port=1),
        Address(host="localhost", port=0),
    )
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert (settings.limits.request_body_bytes, settings.limits.in_flight) == (1000, 7)
    assert (settings.drain_timeout_s, settings.admin_token) == (1.5, Secret("t"))


@pytest.mark.parametrize("kind", [kind for kind in PRESETS if kind not in ("azure", "cloudflare")])
def test_a_kind_brings_its_address(kind: str) -> None:
    assert provider_of(f"{{kind: {kind}, api_key: k}}").base_url == PRESETS[kind].base_url


def test_the_operators_address_replaces_the_presets_whole() -> None:
    provider = provider_of("{kind: gemini, api_key: k, base_url: 'https://gateway/x/v9/'}")

    assert provider.base_url == "https://gateway/x/v9"


def test_the_account_is_put_into_the_address() -> None:
    provider = provider_of("{kind: cloudflare, api_key: k}", {"CLOUDFLARE_ACCOUNT_ID": "a/b"})

    assert provider.base_url == "https://api.cloudflare.com/client/v4/accounts/a%2Fb/ai/v1"


def test_a_provider_has_all_that_was_said_of_it(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("pem")
    provider = provider_of(
        f"{{kind: openai, api_key: k, headers: {{a: x, b: y}}, proxy: 'http://u:p@h:1',"
        f" ca_file: {ca_file}}}"
    )

    assert (provider.api_key, provider.proxy) == (Secret("k"), Secret("http://u:p@h:1"))
    assert provider.headers == (("a", Secret("x")), ("b", Secret("y")))
    assert provider.ca_file == str(ca_file)


@pytest.mark.parametrize("nothing", ["off", "false", "null", '""', '"${NONE:-}"'])
def test_what_may_be_left_out_can_be_turned_off(nothing: str) -> None:
    provider = provider_of(f"{{kind: openai, api_key: {nothing}, proxy: {nothing}}}")

    assert (provider.api_key, provider.proxy) == (None, None)


def test_a_secret_that_ends_with_a_line_break_is_trimmed() -> None:
    provider = provider_of("{kind: openai, api_key: '${KEY}'}", {"KEY": "k\n"})

    assert provider.api_key == Secret("k")


def test_a_provider_overrides_a_part_and_inherits_the_rest() -> None:
    settings = settings_of(
        BASE.replace(
            "{kind: openai}",
            "{kind: openai, breaker: {open_timeout: 5s, open_backoff: {max: 1m}, scope: model},"
            " timeouts: {idle: 1s}}",
        )
        + "breaker: {min_requests: 99, open_timeout: 7s, open_backoff: {multiplier: 2}}\n"
        + "timeouts: {connect: 2s, idle: 9s}\n"
    )

    assert settings.providers[0].breaker == BreakerPolicy(
        min_requests=99,
        open_timeout_s=5.0,
        open_backoff=OpenBackoff(multiplier=2, max_s=60.0),
        scope=Scope.MODEL,
    )
    assert settings.providers[0].timeouts == Timeouts(connect_s=2.0, idle_s=1.0)


def test_an_entry_overrides_the_clocks_of_its_provider() -> None:
    settings = settings_of(
        """\
providers:
  one: {kind: openai, timeouts: {idle: 1s, answer: 2s}}
routes:
  - models: [a]
    chain: [{provider: one, timeouts: {answer: 3s}}]
timeouts: {connect: 4s}
"""
    )

    assert settings.routes[0].chain[0].timeouts == Timeouts(connect_s=4.0, idle_s=1.0, answer_s=3.0)


def test_a_route_overrides_what_the_file_says_of_all_routes() -> None:
    settings = settings_of(
        """\
providers:
  one: {kind: openai}
routes:
  - {models: [a], chain: [one], content_filter: return, timeouts: {total: 1s}}
  - {models: [b], chain: [one]}
content_filter: fail_over
timeouts: {total: 2s}
"""
    )

    assert [(route.content_filter, route.total_s) for route in settings.routes] == [
        (ContentFilter.RETURN, 1.0),
        (ContentFilter.FAIL_OVER, 2.0),
    ]


@pytest.mark.parametrize(
    ("entry", "model", "context"),
    [
        ("one", None, None),
        ("one/m", "m", None),
        ("one/org/m:free", "org/m:free", None),
        ("one/${MODEL}", "from-variable", None),
        ("{provider: one}", None, None),
        ("{provider: one, model: org/m, context: 8}", "org/m", 8),
    ],
)
def test_an_entry_is_read_in_each_of_its_forms(
    entry: str, model: str | None, context: int | None
) -> None:
    text = f"providers: {{one: {{kind: openai}}}}\nroutes:\n- models: [a]\n  chain:\n  - {entry}\n"

    read = settings_of(text, {"MODEL": "from-variable"}).routes[0].chain[0]

    assert (read.provider.name, read.model, read.context) == ("one", model, context)


def test_a_merge_key_brings_in_what_is_not_said() -> None:
    settings = settings_of(
        """\
providers:
  one: &one {kind: openai, base_url: http://a, timeouts: {idle: 1s}}
  two: {<<: *one, base_url: http://b}
  three: {<<: [{base_url: http://c}, *one]}
routes:
  - {models: [a], chain: [one, two, three]}
"""
    )

    read = [(provider.base_url, provider.timeouts.idle_s) for provider in settings.providers]
    assert read == [("http://a", 1.0), ("http://b", 1.0), ("http://c", 1.0)]


def test_a_section_with_nothing_in_it_changes_nothing() -> None:
    assert settings_of(BASE + "breaker:\nlog:\n") == settings_of(BASE)


def test_a_model_may_look_like_a_date() -> None:
    settings = settings_of(BASE.replace('["*"]', "[2026-01-01]"))

    assert settings.routes[0].models == ("2026-01-01",)


def test_a_provider_that_no_chain_asks_is_idle() -> None:
    settings = settings_of(
        "providers: {two: {kind: openai}, one: {kind: openai}}\n" + "\n".join(BASE.splitlines()[2:])
    )

    assert list(idle_providers(settings)) == ["two"]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("*", "[ab]*"),
        ("a", "a"),
        ("[ab]", "[ab]"),
        ("gpt-*", "gpt-4*"),
        ("a?c", "abc"),
        ("*x", "?x"),
    ],
)
def test_a_pattern_that_matches_all_of_another_covers_it(earlier: str, later: str) -> None:
    assert covers(earlier, later)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("gpt-4*", "gpt-*"), ("a?c", "a*c"), ("*a*", "[ab]"), ("?", "*"), ("[*]", "**"), ("a", "A")],
)
def test_a_pattern_that_leaves_something_to_another_does_not_cover_it(
    earlier: str, later: str
) -> None:
    assert not covers(earlier, later)


def test_a_route_may_name_models_that_its_own_pattern_covers() -> None:
    settings = settings_of(BASE.replace('["*"]', '["gpt-*", gpt-4o]'))

    assert settings.routes[0].models == ("gpt-*", "gpt-4o")
