"""A start without a file, and the variables that override any start."""

from __future__ import annotations

import pytest

from sidecar.config import ConfigError, Loaded, load
from sidecar.core.policies import BreakerPolicy
from sidecar.core.settings import Address, Secret
from sidecar.dialects.presets import PRESETS
from tests.config.texts import BASE, problems_of, settings_of

KEYS = {"GEMINI_API_KEY": "g", "HF_TOKEN": "h", "ANTHROPIC_API_KEY": "a"}
GATEWAY = {
    "CLOUDFLARE_ACCOUNT_ID": "acc",
    "CLOUDFLARE_GATEWAY_ID": "gate",
    "CLOUDFLARE_API_TOKEN": "token\n",
}
# All that any kind asks the environment for, so that each can be reached.
EVERYTHING = {
    name: "x"
    for preset in PRESETS.values()
    for name in (preset.key_env, *(variable.env for variable in preset.variables.values()))
    if name
}


def start(**environ: str) -> Loaded:
    """A start without a file."""
    return load(None, environ)


def chain_of(loaded: Loaded) -> list[str]:
    """The one chain there is, as `provider/model`."""
    (route,) = loaded.settings.routes
    return [f"{entry.provider.name}/{entry.model_label}" for entry in route.chain]


def error_of(**environ: str) -> str:
    """What a start is refused with."""
    with pytest.raises(ConfigError) as refused:
        start(**environ)
    return str(refused.value)


def test_the_keys_alone_are_enough() -> None:
    assert chain_of(start(**KEYS)) == [
        "gemini/gemini-3-flash",
        "huggingface/meta-llama/Llama-3.3-70B-Instruct",
        "anthropic/claude-haiku-5-5",
    ]


def test_every_model_takes_the_one_route() -> None:
    (route,) = start(**KEYS).settings.routes

    assert route.models == ("*",)


def test_each_provider_has_its_key() -> None:
    providers = start(**KEYS).settings.providers

    assert {provider.name: provider.api_key for provider in providers} == {
        "gemini": Secret("g"),
        "huggingface": Secret("h"),
        "anthropic": Secret("a"),
    }


def test_the_source_is_the_environment() -> None:
    assert start(**KEYS).source == "environment"


def test_the_first_provider_comes_first_and_only_once() -> None:
    loaded = start(
        **KEYS,
        OPENAI_API_KEY="o",
        AI_PROVIDER="huggingface",
        AI_MODEL="m/n",
        AI_FALLBACK_PROVIDERS="gemini, huggingface,,openai,gemini",
    )

    assert chain_of(loaded) == ["huggingface/m/n", "gemini/gemini-3-flash", "openai/gpt-5-mini"]


def test_the_model_is_for_the_first_provider_even_where_that_one_is_left_out() -> None:
    loaded = start(HF_TOKEN="h", AI_MODEL="m")

    assert chain_of(loaded) == ["huggingface/meta-llama/Llama-3.3-70B-Instruct"]


def test_a_provider_without_a_usual_model_is_asked_for_the_applications() -> None:
    loaded = start(AI_PROVIDER="ollama", AI_FALLBACK_PROVIDERS=",")

    assert chain_of(loaded) == ["ollama/*"]


def test_a_provider_without_a_key_is_left_out_with_a_warning() -> None:
    assert "huggingface is left out: HF_TOKEN is not set" in start(GEMINI_API_KEY="g").warnings


@pytest.mark.parametrize("key", ["", " "])
def test_an_empty_key_is_no_key(key: str) -> None:
    assert "GEMINI_API_KEY is not set" in error_of(GEMINI_API_KEY=key)


def test_openai_needs_its_key_here() -> None:
    assert "openai is left out: OPENAI_API_KEY is not set" in error_of(
        AI_PROVIDER="openai", AI_FALLBACK_PROVIDERS="openai"
    )


def test_no_provider_at_all_is_an_error_that_names_what_to_set() -> None:
    assert error_of() == (
        "environment: no provider can be asked; gemini is left out: GEMINI_API_KEY is not set;"
        " huggingface is left out: HF_TOKEN is not set;"
        " anthropic is left out: ANTHROPIC_API_KEY is not set"
    )


def test_the_applications_own_base_url_is_not_ours() -> None:
    """`OPENAI_BASE_URL` points at this very process."""
    loaded = start(
        OPENAI_API_KEY="o", AI_PROVIDER="openai", OPENAI_BASE_URL="http://127.0.0.1:8787/v1"
    )

    assert loaded.settings.providers[0].base_url == "https://api.openai.com/v1"


@pytest.mark.parametrize("kind", PRESETS)
def test_every_kind_can_be_named(kind: str) -> None:
    loaded = start(**EVERYTHING, AI_PROVIDER=kind, AI_FALLBACK_PROVIDERS=",")

    assert chain_of(loaded) == [f"{kind}/{PRESETS[kind].model or '*'}"]


@pytest.mark.parametrize(
    ("kind", "variable"), [("vertex", "GOOGLE_CLOUD_PROJECT"), ("bedrock", "AWS_REGION")]
)
def test_a_cloud_needs_no_key_as_it_has_credentials_of_its_own(kind: str, variable: str) -> None:
    loaded = start(AI_PROVIDER=kind, AI_FALLBACK_PROVIDERS=",", **{variable: "x"})

    assert [(one.name, one.keys) for one in loaded.settings.providers] == [(kind, ())]


def test_the_gateway_is_the_way_to_whom_it_serves() -> None:
    reached = {one.name: one.base_url for one in start(**KEYS, **GATEWAY).settings.providers}

    assert reached == {
        "gemini": "https://gateway.ai.cloudflare.com/v1/acc/gate/google-ai-studio/v1beta/openai",
        "huggingface": PRESETS["huggingface"].base_url,
        "anthropic": "https://gateway.ai.cloudflare.com/v1/acc/gate/anthropic/v1",
    }


def test_the_gateway_has_its_token_and_is_told_to_keep_out() -> None:
    gemini, huggingface, _ = start(**KEYS, **GATEWAY).settings.providers

    assert (dict(gemini.headers), huggingface.headers) == (
        {
            "cf-aig-max-attempts": Secret("1"),
            "cf-aig-skip-cache": Secret("true"),
            "cf-aig-authorization": Secret("Bearer token"),
        },
        (),
    )


def test_a_provider_behind_the_gateway_has_its_own_key_as_well() -> None:
    assert start(**KEYS, **GATEWAY).settings.providers[0].keys == (Secret("g"),)


def test_a_key_may_be_stored_with_the_gateway() -> None:
    loaded = start(**GATEWAY)

    assert [(one.name, one.keys) for one in loaded.settings.providers] == [
        ("gemini", ()),
        ("anthropic", ()),
    ]


def test_the_parts_of_the_gateways_address_are_quoted() -> None:
    odd = GATEWAY | {"CLOUDFLARE_GATEWAY_ID": " a/b?c "}

    assert (
        start(**odd)
        .settings.providers[0]
        .base_url.startswith("https://gateway.ai.cloudflare.com/v1/acc/a%2Fb%3Fc/google-ai-studio/")
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ("CLOUDFLARE_ACCOUNT_ID",),
            "the gateway is not used without CLOUDFLARE_GATEWAY_ID and CLOUDFLARE_API_TOKEN",
        ),
        (
            ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_GATEWAY_ID"),
            "the gateway is not used without CLOUDFLARE_API_TOKEN",
        ),
    ],
    ids=["one", "two"],
)
def test_a_part_of_the_gateway_is_none_with_a_warning(given: tuple[str, ...], said: str) -> None:
    loaded = start(**KEYS, **{name: GATEWAY[name] for name in given})

    assert (loaded.warnings, loaded.settings) == ((said,), start(**KEYS).settings)


def test_what_cloudflares_own_models_need_is_no_part_of_a_gateway() -> None:
    loaded = start(
        AI_PROVIDER="cloudflare",
        AI_FALLBACK_PROVIDERS=",",
        CLOUDFLARE_ACCOUNT_ID="a",
        CLOUDFLARE_API_TOKEN="t",
    )

    assert loaded.warnings == ()


def test_the_breaker_is_set_in_counts_and_milliseconds() -> None:
    loaded = start(
        **KEYS,
        CIRCUIT_BREAKER_FAILURE_THRESHOLD="5",
        CIRCUIT_BREAKER_SUCCESS_THRESHOLD=" 1 ",
        CIRCUIT_BREAKER_OPEN_TIMEOUT="1500",
    )

    assert loaded.settings.providers[0].breaker == BreakerPolicy(
        failure_threshold=5, success_threshold=1, open_timeout_s=1.5
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "AI_PROVIDER",
            "gemni",
            "providers.gemni.kind: unknown kind, got gemni (did you mean gemini?)",
        ),
        (
            "AI_FALLBACK_PROVIDERS",
            "groc",
            "providers.groc.kind: unknown kind, got groc (did you mean groq?)",
        ),
        (
            "CIRCUIT_BREAKER_FAILURE_THRESHOLD",
            "few",
            "breaker.failure_threshold: must be a whole number, not text, got few",
        ),
        (
            "CIRCUIT_BREAKER_SUCCESS_THRESHOLD",
            "0",
            "breaker.success_threshold: must be at least 1, got 0",
        ),
        ("CIRCUIT_BREAKER_OPEN_TIMEOUT", "0", "breaker.open_timeout: must be positive, got 0"),
        (
            "SIDECAR_LISTEN",
            "8787",
            "listen: must be HOST:PORT, got 8787 (did you mean 127.0.0.1:8787?)",
        ),
        ("SIDECAR_ADMIN", "h:99999", "admin: the port must be 0 to 65535, got h:99999"),
        (
            "SIDECAR_LOG_LEVEL",
            "inf",
            "log.level: must be one of debug, info, warning, error, got inf (did you mean info?)",
        ),
        (
            "SIDECAR_STORE",
            "redis://:pw@h,i",
            "store: must be one host, or redis+sentinel:// or redis+cluster://,"
            " got redis://***@h,i",
        ),
        (
            "SIDECAR_ADMIN_TOKEN",
            "a\nb",
            "admin_token: must not hold a line break or another control character, got ***",
        ),
    ],
)
def test_a_problem_names_its_variable(variable: str, value: str, said: str) -> None:
    assert error_of(**KEYS, **{variable: value}) == f"{variable}: {said}"


def test_a_kind_that_needs_an_address_names_the_variable_for_it() -> None:
    said = error_of(AI_PROVIDER="azure", AZURE_OPENAI_API_KEY="k", AI_FALLBACK_PROVIDERS=",")

    assert said == (
        "environment: providers.azure.base_url: is required for kind azure,"
        " or the variable AZURE_OPENAI_RESOURCE"
    )


def test_variables_override_a_file() -> None:
    settings = settings_of(
        BASE + "listen: 127.0.0.1:1\nlog: {level: error, format: json}\n",
        {
            "SIDECAR_LISTEN": "127.0.0.1:2",
            "SIDECAR_ADMIN": "[::1]:3",
            "SIDECAR_ADMIN_TOKEN": "t",
            "SIDECAR_LOG_LEVEL": "debug",
            "SIDECAR_STORE": "memory",
        },
    )

    assert (settings.listen, settings.admin) == (
        Address(host="127.0.0.1", port=2),
        Address(host="::1", port=3),
    )
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert settings.admin_token == Secret("t")


def test_what_a_variable_overrides_need_not_be_right() -> None:
    assert problems_of(BASE + "listen: x\n", {"SIDECAR_LISTEN": "127.0.0.1:2"}) == []


def test_an_override_within_a_section_that_is_none_leaves_its_problem() -> None:
    assert problems_of(BASE + "log: x\n", {"SIDECAR_LOG_LEVEL": "info"}) == [
        "c.yaml:5:6: log: must be a mapping, got a single value"
    ]


def test_an_empty_override_overrides_nothing() -> None:
    assert problems_of(BASE, {"SIDECAR_LISTEN": ""}) == []


def test_a_value_of_the_environment_is_not_expanded() -> None:
    settings = settings_of(BASE, {"SIDECAR_ADMIN_TOKEN": "${HOME}"})

    assert settings.admin_token == Secret("${HOME}")
