"""Secrets stay out of everything that is shown."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.config import ConfigError, redacted
from sidecar.config.loading import load
from tests.config.texts import problems_of, settings_of

# Long enough not to stand in a message by chance.
SECRETS = st.text(string.ascii_letters + string.digits + "-_/+=.:@ ", min_size=12, max_size=60).map(
    lambda text: f"sk{text}ks"
)

FIELDS = """\
providers:
  one:
    kind: openai
    api_key: ${SECRET}
    headers: {x-key: "Bearer ${SECRET}"}
    proxy: http://user:${IN_URL}@host
  two: {kind: gemini, api_keys: ["${SECRET}", "x${SECRET}"]}
routes: [{models: [a], chain: [one, two]}]
admin_token: ${SECRET}
"""

# Every place where a value can stand, with a secret that does not belong there.
WRONG = [
    *("listen: ${SECRET}", "admin: ${SECRET}", "log: {level: '${SECRET}'}", "store: ${SECRET}"),
    *("drain_timeout: ${SECRET}", "limits: {headers: '${SECRET}'}", "limits: ${SECRET}"),
    *("breaker: {min_requests: '${SECRET}'}", "breaker: {failure_ratio: '${SECRET}'}"),
    *("content_filter: ${SECRET}", 'admin_token: ["${SECRET}"]', "admin_token: {a: '${SECRET}'}"),
    *("providers: {one: '${SECRET}'}", "providers: {one: {kind: '${SECRET}'}}"),
    *("providers: {one: {kind: openai, base_url: '${SECRET}'}}",),
    *("providers: {one: {kind: openai, base_url: 'http://x:${SECRET}@h'}}",),
    *("providers: {one: {kind: openai, base_url: 'http://h?key=${SECRET}'}}",),
    *("providers: {one: {kind: openai, proxy: '${SECRET}'}}",),
    *("providers: {one: {kind: openai, ca_file: '${SECRET}'}}",),
    *("providers: {one: {kind: openai, headers: ['${SECRET}']}}",),
    *("providers: {one: {kind: openai, api_key: ['${SECRET}']}}",),
    *("providers: {one: {kind: openai, api_keys: '${SECRET}'}}",),
    *("providers: {one: {kind: openai, api_keys: [['${SECRET}']]}}",),
    *("providers: {one: {kind: openai, api_key: '${SECRET}', api_keys: ['${SECRET}']}}",),
    *("providers: {one: {kind: openai, cannot: ['${SECRET}']}}",),
    *("errors: [{match: {status: '${SECRET}'}, class: '${SECRET}'}]",),
    *("prices: {one/m: {input: '${SECRET}', output: 1}}", "prices: '${SECRET}'"),
    *("routes: [{models: ['${SECRET}', '${SECRET}'], chain: ['${SECRET}']}]",),
    *("routes: [{models: '${SECRET}', chain: [{provider: '${SECRET}'}]}]", "routes: ['${SECRET}']"),
]

# The same, written into the file itself where a secret belongs, or nearly.
LITERAL = [
    *("admin_token: [SECRET]", "admin_token: {a: SECRET}", "admin_tokn: SECRET", "store: SECRET"),
    *('admin_token: "SECRET\\n;"', "admin_token: *SECRET", "admin_token: !SECRET x"),
    *("store: redis://:SECRET@h,i", "providers: {one: SECRET}", "providers: SECRET"),
    *("providers: {one: {kind: openai, proxy: 'socks5://u:SECRET@h'}}",),
    *("providers: {one: {kind: openai, base_url: 'ftp://u:SECRET@h'}}",),
    *("providers: {one: {kind: openai, base_url: 'ftp://h?key=SECRET'}}",),
    *("providers: {one: {kind: openai, headers: {a: [SECRET]}}}",),
    *("providers: {one: {kind: openai, headers: SECRET}}",),
    *("providers: {one: {kind: openai, api_key: SECRET, api_keys: [SECRET]}}",),
    *("providers: {one: {kind: openai, api_keys: SECRET}}",),
    *("providers: {one: {kind: openai, api_keys: [{a: SECRET}]}}",),
]


@settings(deadline=None)
@given(SECRETS)
def test_no_secret_is_in_what_is_shown_of_the_settings(secret: str) -> None:
    environ = {"SECRET": secret, "IN_URL": secret.translate(str.maketrans("/@: ", "____"))}

    shown = json.dumps(redacted(settings_of(FIELDS, environ)))

    assert not any(value in shown for value in environ.values())


@pytest.mark.parametrize("text", WRONG)
@settings(max_examples=15, deadline=None)  # for each of the places
@given(secret=SECRETS)
def test_no_value_of_a_variable_is_in_a_problem(text: str, secret: str) -> None:
    problems = problems_of(text, {"SECRET": secret})

    assert problems
    assert not any(secret in problem for problem in problems)


@pytest.mark.parametrize("text", LITERAL)
def test_no_secret_of_the_file_is_in_a_problem(text: str) -> None:
    problems = problems_of(text.replace("SECRET", "sk-12345"))

    assert problems
    assert not any("12345" in problem for problem in problems)


@pytest.mark.parametrize("variable", ["SIDECAR_STORE", "SIDECAR_ADMIN_TOKEN", "GEMINI_API_KEY"])
def test_no_secret_of_the_environment_is_in_a_problem(variable: str) -> None:
    environ = {"GEMINI_API_KEY": "k", variable: "redis://:sk-12345\n@h"}

    with pytest.raises(ConfigError) as refused:
        load(None, environ)

    assert "12345" not in str(refused.value)


def test_the_gateways_token_is_not_in_a_problem() -> None:
    gateway = {"CLOUDFLARE_ACCOUNT_ID": "a", "CLOUDFLARE_GATEWAY_ID": "g"}

    with pytest.raises(ConfigError) as refused:
        load(None, gateway | {"CLOUDFLARE_API_TOKEN": "sk-12345\n@h"})

    assert str(refused.value).splitlines()[0] == (
        "CLOUDFLARE_API_TOKEN: providers.gemini.headers.cf-aig-authorization:"
        " must not hold a line break or another control character, got ***"
    )


def test_an_error_carries_no_cause_that_would_show_the_file() -> None:
    with pytest.raises(ConfigError) as refused:
        settings_of("admin_token: sk-12345 : x")

    assert (refused.value.__cause__, refused.value.__suppress_context__) == (None, True)
