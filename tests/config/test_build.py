"""What a right configuration comes to: presets, overrides, inheritance."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config import redacted
from sidecar.config.build import idle
from sidecar.config.errors import CLASSES
from sidecar.config.patterns import covers
from sidecar.core.capability import Capability
from sidecar.core.outcome import Outcome
from sidecar.core.policies import (
    BreakerPolicy,
    ContentFilter,
    OpenBackoff,
    RetryBudget,
    RetryPolicy,
    Scope,
    Slow,
    Timeouts,
)
from sidecar.core.settings import Address, ErrorMatch, ErrorRule, Price, Provider, Secret, Settings
from sidecar.dialects.presets import PRESETS, Preset, Variable
from tests.config.texts import BASE, problems_of, settings_of


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


@pytest.mark.parametrize("kind", [kind for kind in PRESETS if not PRESETS[kind].variables])
def test_a_kind_brings_its_address(kind: str) -> None:
    assert provider_of(f"{{kind: {kind}, api_key: k}}").base_url == PRESETS[kind].base_url


def test_the_operators_address_replaces_the_presets_whole() -> None:
    provider = provider_of("{kind: gemini, api_key: k, base_url: 'https://gateway/x/v9/'}")

    assert provider.base_url == "https://gateway/x/v9"


@pytest.mark.parametrize(
    ("kind", "environ", "base_url"),
    [
        (
            "cloudflare",
            {"CLOUDFLARE_ACCOUNT_ID": " a/b\n"},
            "https://api.cloudflare.com/client/v4/accounts/a%2Fb/ai/v1",
        ),
        (
            "vertex",
            {"GOOGLE_CLOUD_PROJECT": "p"},
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi",
        ),
        (
            "vertex",
            {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "eu"},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/endpoints/openapi",
        ),
    ],
    ids=["quoted", "a default", "a form of its own"],
)
def test_the_environment_completes_an_address(
    kind: str, environ: dict[str, str], base_url: str
) -> None:
    assert provider_of(f"{{kind: {kind}, api_key: k}}", environ).base_url == base_url


def test_the_environment_completes_the_query() -> None:
    provider = provider_of(
        "{kind: azure-deployments, api_key: k, base_url: http://h}", {"OPENAI_API_VERSION": "v&1"}
    )

    assert provider.query == "api-version=v%261"


def test_an_address_of_the_operators_needs_no_variable() -> None:
    assert provider_of("{kind: bedrock, base_url: 'http://h/v1'}").base_url == "http://h/v1"


def headers_of(text: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """The headers that go to the provider that `text` describes."""
    return {name: value.reveal() for name, value in provider_of(text, environ).headers}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind with headers of its own."""
    preset = Preset(
        base_url="http://h",
        credential="google",
        variables={"project": Variable(env="PROJECT"), "beta": Variable(env="BETA", default="b")},
        headers=(("x-project", "{project}"), ("x-beta", "a,{beta}"), ("x-plain", "yes")),
        cannot=frozenset((Capability.PDF,)),
    )
    monkeypatch.setitem(PRESETS, "cloud", preset)


@pytest.mark.usefixtures("cloud")
def test_a_kind_brings_its_headers_filled_from_the_environment() -> None:
    assert headers_of("{kind: cloud}", {"PROJECT": "p/1"}) == {
        "x-project": "p/1",
        "x-beta": "a,b",
        "x-plain": "yes",
    }


@pytest.mark.usefixtures("cloud")
def test_a_header_whose_variable_is_empty_is_left_out() -> None:
    assert headers_of("{kind: cloud}", {"PROJECT": " "}) == {"x-beta": "a,b", "x-plain": "yes"}


@pytest.mark.usefixtures("cloud")
def test_the_operators_header_goes_before_the_kinds_in_whatever_letters() -> None:
    assert headers_of("{kind: cloud, headers: {X-Beta: c, x-more: d}}") == {
        "x-plain": "yes",
        "X-Beta": "c",
        "x-more": "d",
    }


@pytest.mark.usefixtures("cloud")
def test_a_variable_starts_no_header_of_its_own() -> None:
    text = BASE.replace("openai", "cloud")

    assert problems_of(text, {"PROJECT": "p\r\nx-evil: 1"}) == [
        "c.yaml:2:8: providers.one: the variable PROJECT must not hold a line break or another"
        " control character"
    ]


@pytest.mark.usefixtures("cloud")
def test_a_cloud_needs_no_key() -> None:
    assert provider_of("{kind: cloud}").keys == ()


def test_a_gateway_in_the_address_is_told_to_keep_out() -> None:
    address = "https://gateway.ai.cloudflare.com/v1/a/g/openai"

    assert headers_of(f"{{kind: openai, base_url: '{address}'}}") == {
        "cf-aig-max-attempts": "1",
        "cf-aig-skip-cache": "true",
    }


def test_a_gateway_does_what_the_operator_wants() -> None:
    address = "https://Gateway.ai.cloudflare.com/v1/a/g/openai"
    headers = "{CF-AIG-Max-Attempts: '3'}"

    assert headers_of(f"{{kind: openai, base_url: '{address}', headers: {headers}}}") == {
        "cf-aig-skip-cache": "true",
        "CF-AIG-Max-Attempts": "3",
    }


def test_a_gateway_may_keep_the_keys() -> None:
    address = "https://gateway.ai.cloudflare.com/v1/a/g/google-ai-studio/v1beta/openai"

    assert provider_of(f"{{kind: gemini, base_url: '{address}'}}").keys == ()


def test_keys_are_used_in_the_order_of_the_file() -> None:
    provider = provider_of("{kind: gemini, api_keys: ['${B}', a]}", {"B": "b\n"})

    assert provider.keys == (Secret("b"), Secret("a"))


def test_a_key_of_several_may_be_left_out() -> None:
    provider = provider_of("{kind: gemini, api_key: '', api_keys: [a, '${NONE:-}']}")

    assert provider.keys == (Secret("a"),)


@pytest.mark.usefixtures("cloud")
def test_what_a_kind_cannot_do_is_added_to_and_not_replaced() -> None:
    (route,) = settings_of(
        BASE.replace("openai", "cloud, cannot: [images]").replace(
            "[one]", "[one, {provider: one, cannot: [n, images]}]"
        )
    ).routes

    assert [entry.cannot for entry in route.chain] == [
        {Capability.PDF, Capability.RESPONSES, Capability.IMAGES},
        {Capability.PDF, Capability.RESPONSES, Capability.IMAGES, Capability.CHOICES},
    ]


def test_a_providers_own_rules_for_errors_come_first() -> None:
    rule = "{{match: {{{}}}, class: {}}}".format
    provider = settings_of(
        BASE.replace("openai", f"openai, errors: [{rule('code: 0x10, type: t', 'auth')}]")
        + f"errors: [{rule('status: 400, text: Quota', 'quota_exhausted')}]"
    ).providers[0]

    assert provider.errors == (
        ErrorRule(match=ErrorMatch(code="0x10", type="t"), outcome=Outcome.AUTH),
        ErrorRule(match=ErrorMatch(status=400, text="Quota"), outcome=Outcome.QUOTA_EXHAUSTED),
    )


@pytest.mark.parametrize("empty", ["errors: []", "errors:", "prices: {}", "prices:"])
def test_there_may_be_no_rules_and_no_prices(empty: str) -> None:
    assert settings_of(BASE + empty) == settings_of(BASE)


def test_every_class_of_an_error_is_one_that_errors_come_to() -> None:
    ours = {one for one in Outcome if one.startswith(("timeout_", "stream_"))}
    ours |= {Outcome.OK, Outcome.CONNECT, Outcome.TRANSPORT, Outcome.PROTOCOL}
    ours |= {Outcome.CANCELLED, Outcome.HEDGE_LOST}

    assert set(CLASSES) == set(Outcome) - ours | {Outcome.TIMEOUT_UPSTREAM}


def test_prices_are_by_provider_and_model() -> None:
    settings = settings_of(
        BASE
        + "prices: {one/org/m: {input: 1, output: 2.5}, one/n: {input: 0.30, cached_input: 0.03,"
        " output: '${OUT}'}}",
        {"OUT": "2.50"},
    )

    assert settings.prices == (
        ("one/org/m", Price(input=1, output=2.5)),
        ("one/n", Price(input=0.3, cached_input=0.03, output=2.5)),
    )


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

    assert list(idle(settings)) == ["providers.two"]


def test_a_price_that_no_chain_meets_is_idle() -> None:
    free = "{input: 0, output: 0}"
    settings = settings_of(
        BASE.replace("[one]", "[one, one/m]")
        + f"prices: {{one/m: {free}, one/n: {free}, one/*: {free}}}"
    )

    assert list(idle(settings)) == ["prices.one/n"]


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


def test_retries_and_streams_are_read_and_shown_as_written() -> None:
    settings = settings_of(
        """
        providers:
          one: {kind: openai, max_in_flight: 3, retry: {attempts: 0}}
          two: {kind: openai, breaker: {slow: {first_token: 3s}}}
        routes:
          - models: [a]
            chain: [one, {provider: two, prefill: true}]
            after_content: buffer
          - {models: [b], chain: [one]}
        retry: {attempts: 2, budget: {floor: 3}}
        streaming: {keep_alive: off, upstream: always, after_content: resume}
        hedge: {after: p95}
        """
    )

    one, two = settings.providers
    assert one.retry == RetryPolicy(attempts=0, budget=RetryBudget(floor=3))
    assert two.retry.attempts == 2
    assert (one.max_in_flight, two.max_in_flight) == (3, None)
    assert (one.breaker.slow, two.breaker.slow) == (Slow(), Slow(first_token_s=3.0))
    assert [entry.prefill for entry in settings.routes[0].chain] == [False, True]
    assert [route.after_content for route in settings.routes] == ["buffer", "resume"]
    assert settings.streaming.keep_alive_s is None
    assert redacted(settings)["hedge"] == {"after": "p95"}
