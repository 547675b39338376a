"""What is shown of a configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from sidecar.config import explain, redacted
from sidecar.core.settings import Provider, Secret, Settings
from tests.config.texts import BASE, settings_of

FULL = """\
listen: 127.0.0.1:1
admin: 127.0.0.1:2
admin_token: t
log: {level: error, format: text}
limits: {request_body: 1MB, headers: 3KiB}
drain_timeout: 1500ms
content_filter: fail_over
breaker: {open_timeout: 61s, open_backoff: {multiplier: 2, max: 5m}}
timeouts: {idle: 250ms}
providers:
  one: {kind: openai, api_key: k, headers: {a: x}, proxy: "http://u:p@h"}
  two:
    kind: gemini
    api_keys: [k, l]
    breaker: {scope: model}
    timeouts: {connect: 1s}
    cannot: [n, images]
    errors: [{match: {code: 7, text: "try: later"}, class: overloaded}]
errors: [{match: {status: 400, type: t}, class: auth}]
tracing: {otlp: "http://c:4318", to_providers: true, sample_ratio: 0.5}
prices:
  one/m: {input: 1, cached_input: 0.25, output: 2.5}
  two/*: {input: 3, output: 4}
routes:
  - models: [a, "b*"]
    chain: [one/m, {provider: two, context: 5, timeouts: {answer: 1h}, cannot: [audio]}]
    timeouts: {total: 2m}
  - {models: ["*"], chain: [two/org/m], content_filter: return}
"""


def without_secrets(settings: Settings) -> Settings:
    """The settings with each secret as it is shown."""
    hidden = Secret("***")

    def shown(provider: Provider) -> Provider:
        return replace(
            provider,
            api_key=provider.api_key and hidden,
            api_keys=(hidden,) * len(provider.api_keys),
            proxy=provider.proxy and Secret("http://***"),
            headers=tuple((name, hidden) for name, _ in provider.headers),
        )

    return replace(
        settings,
        admin_token=settings.admin_token and hidden,
        providers=tuple(shown(provider) for provider in settings.providers),
        routes=tuple(
            replace(
                route,
                chain=tuple(
                    replace(entry, provider=shown(entry.provider)) for entry in route.chain
                ),
            )
            for route in settings.routes
        ),
    )


def test_what_is_shown_reads_back_as_it_was_but_for_the_secrets() -> None:
    settings = settings_of(FULL)
    shown = yaml.safe_dump(redacted(settings)).replace("proxy: '***'", "proxy: http://***")

    assert settings_of(shown) == without_secrets(settings)


def test_every_secret_is_hidden() -> None:
    shown = redacted(settings_of(FULL))

    one = shown["providers"]["one"]
    assert (shown["admin_token"], one["api_key"], one["proxy"], one["headers"]) == (
        "***",
        "***",
        "***",
        {"a": "***"},
    )


def test_every_key_of_several_is_hidden() -> None:
    assert redacted(settings_of(FULL))["providers"]["two"]["api_keys"] == ["***", "***"]


def test_the_rules_of_all_providers_are_shown_with_each_of_them() -> None:
    assert redacted(settings_of(FULL))["providers"]["two"]["errors"] == [
        {"match": {"code": "7", "text": "try: later"}, "class": "overloaded"},
        {"match": {"status": 400, "type": "t"}, "class": "auth"},
    ]


def test_what_is_not_set_is_not_shown() -> None:
    shown = redacted(settings_of(BASE))

    assert not {"api_key", "api_keys", "proxy", "ca_file"} & shown["providers"]["one"].keys()


def test_a_chain_is_explained_with_its_models_clocks_and_thresholds() -> None:
    assert (
        explain(settings_of(FULL), "b1")
        == """\
b1 takes the route a,b*
  the whole chain has 2m; a refusal by content policy fails over
  a break after the first content ends the stream with an error
  its spans go to http://c:4318
  its providers are told the trace that it belongs to

1. one: m
   provider  openai, https://api.openai.com/v1, 1 key
   price     1 in (0.25 cached), 2.5 out, in USD per million tokens
   clocks    connect 5s, first token 12s (1m with reasoning), answer 2m, idle 250ms
   retry     1 extra try a call, stated waits up to 2s, a budget of 10 and 20% of first tries
   breaker   one
             opens after 3 failures in a row within 1m,
             or when 50% of at least 10 requests within 30s fail
             stays open for 61s, x2 after each failed round, up to 5m
             closes after 2 good probes; at most 2 at once in the whole fleet, one of each pod

2. two: the model that was asked for, window of 5 tokens
   provider  gemini, https://generativelanguage.googleapis.com/v1beta/openai, 2 keys
   cannot    audio, completions, images, n, responses
   price     3 in, 4 out, in USD per million tokens
   clocks    connect 1s, first token 12s (1m with reasoning), answer 1h, idle 250ms
   retry     1 extra try a call, stated waits up to 2s, a budget of 10 and 20% of first tries
   breaker   two/*
             opens after 3 failures in a row within 1m,
             or when 50% of at least 10 requests within 30s fail
             stays open for 61s, x2 after each failed round, up to 5m
             closes after 2 good probes; at most 2 at once in the whole fleet, one of each pod"""
    )


def test_a_plain_breaker_is_explained_without_a_backoff() -> None:
    assert "stays open for 1m\n" in explain(settings_of(BASE), "a")


@pytest.mark.parametrize(
    ("kind", "said"),
    [("openai", "no key"), ("vertex", "Google's credentials"), ("bedrock", "AWS credentials")],
)
def test_a_provider_without_a_key_is_told_with_what_it_has_instead(kind: str, said: str) -> None:
    text = BASE.replace("openai", f"{kind}, base_url: http://h")

    assert f"   provider  {kind}, http://h, {said}\n" in explain(settings_of(text), "a")


FINE = """\
providers:
  one: {kind: openai, max_in_flight: 64, retry: {attempts: 2}}
  two: {kind: openai, retry: {attempts: 0}, breaker: {slow: {first_token: 5s, ratio: 0.3}}}
routes:
  - {models: [a], chain: [one, {provider: two, prefill: true}], after_content: resume}
  - {models: [b], chain: [two], after_content: buffer}
streaming: {upstream: always}
hedge: {after: 3s}
"""


def test_what_is_not_usual_is_explained_where_it_is_on() -> None:
    assert (
        explain(settings_of(FINE), "a")
        == """\
a takes the route a
  the whole chain has 5m; a refusal by content policy goes to the application
  a break after the first content is mended by the next provider that can
  every answer is streamed from its provider, asked for or not
  without a token for 3s, the next provider is asked as well

1. one: the model that was asked for
   provider  openai, https://api.openai.com/v1, no key
   clocks    connect 5s, first token 12s (1m with reasoning), answer 2m, idle 30s
   calls     at most 64 at once
   retry     2 extra tries a call, stated waits up to 2s, a budget of 10 and 20% of first tries
   breaker   one
             opens after 3 failures in a row within 1m,
             or when 50% of at least 10 requests within 30s fail
             stays open for 1m
             closes after 2 good probes; at most 2 at once in the whole fleet, one of each pod

2. two: the model that was asked for
   provider  openai, https://api.openai.com/v1, no key
   clocks    connect 5s, first token 12s (1m with reasoning), answer 2m, idle 30s
   prefill   goes on with what an assistant's message begins
   breaker   two
             opens after 3 failures in a row within 1m,
             or when 50% of at least 10 requests within 30s fail,
             or when 30% of these fail or take longer than 5s to the first token
             stays open for 1m
             closes after 2 good probes; at most 2 at once in the whole fleet, one of each pod"""
    )


def test_a_route_may_hold_streams_until_they_are_whole() -> None:
    assert "  a stream is held until it is whole" in explain(settings_of(FINE), "b")


def test_where_nobody_is_next_no_hedge_is_explained() -> None:
    assert "asked as well" not in explain(settings_of(FINE), "b")


def test_a_hedge_may_go_by_how_long_the_last_ones_took() -> None:
    told = explain(settings_of(FINE.replace("after: 3s", "after: p95")), "a")

    assert "  without a token for as long as 95% of the last ones took, the next" in told


@pytest.mark.parametrize(
    ("retry", "said"),
    [
        ("{}", "1 extra try a call, stated waits up to 2s, a budget of 10 and 20% of first tries"),
        ("{max_wait: 0s}", "1 extra try a call, a budget of 10 and 20% of first tries"),
        ("{budget: {ratio: 0, floor: 0}}", None),
        ("{attempts: 0}", None),
    ],
    ids=["as it is by default", "no waits", "nothing to spend", "off"],
)
def test_further_tries_are_explained_where_there_are_any(retry: str, said: str | None) -> None:
    told = explain(settings_of(f"{BASE}retry: {retry}\n"), "a")

    lines = [line.split("retry     ")[1] for line in told.splitlines() if "retry     " in line]
    assert lines == ([said] if said else [])


def test_a_model_that_no_route_takes_is_told_so() -> None:
    text = BASE.replace('["*"]', "[a, b]")

    assert explain(settings_of(text), "c") == (
        "No route takes c: such a request is answered with 404. Taken: a,b"
    )


def test_who_hears_of_a_trace_is_explained() -> None:
    told = explain(settings_of(FULL), "a")

    assert "  its spans go to http://c:4318\n" in told
    assert "  its providers are told the trace that it belongs to\n" in told
    assert "trace" not in explain(settings_of(BASE), "a")
