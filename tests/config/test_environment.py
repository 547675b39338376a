"""A start without a file, and the variables that override any start."""

from __future__ import annotations

import pytest

from sidecar.config import ConfigError, Loaded, load
from sidecar.core.settings import Address, BreakerPolicy, Secret
from tests.config.texts import BASE, problems_of, settings_of

KEYS = {"GEMINI_API_KEY": "g", "HF_TOKEN": "h", "ANTHROPIC_API_KEY": "a"}


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
    ]


def test_every_model_takes_the_one_route() -> None:
    (route,) = start(**KEYS).settings.routes

    assert route.models == ("*",)


def test_each_provider_has_its_key() -> None:
    providers = start(**KEYS).settings.providers

    assert {provider.name: provider.api_key for provider in providers} == {
        "gemini": Secret("g"),
        "huggingface": Secret("h"),
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


def test_a_provider_that_is_not_served_yet_is_left_out_with_a_warning() -> None:
    assert "anthropic is left out: this version does not support it" in start(**KEYS).warnings


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
        " anthropic is left out: this version does not support it"
    )


def test_the_applications_own_base_url_is_not_ours() -> None:
    """`OPENAI_BASE_URL` points at this very process."""
    loaded = start(
        OPENAI_API_KEY="o", AI_PROVIDER="openai", OPENAI_BASE_URL="http://127.0.0.1:8787/v1"
    )

    assert loaded.settings.providers[0].base_url == "https://api.openai.com/v1"


def test_the_gateway_is_ignored_with_a_warning() -> None:
    gateway = dict.fromkeys(
        ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_GATEWAY_ID", "CLOUDFLARE_API_TOKEN"), "x"
    )

    assert start(**KEYS, **gateway).warnings[-1] == (
        "CLOUDFLARE_GATEWAY_ID is ignored: this version does not reach providers through a gateway"
    )


def test_a_part_of_the_gateway_is_none() -> None:
    warnings = start(**KEYS, CLOUDFLARE_ACCOUNT_ID="x").warnings

    assert not any("gateway" in warning for warning in warnings)


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
            "redis://:pw@h",
            "store: redis:// is not supported by this version; remove it",
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


def test_a_kind_that_needs_an_address_needs_a_file() -> None:
    said = error_of(AI_PROVIDER="azure", AZURE_OPENAI_API_KEY="k", AI_FALLBACK_PROVIDERS=",")

    assert said == "environment: providers.azure.base_url: is required for kind azure"


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
