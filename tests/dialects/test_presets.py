"""The kinds of providers: where each is, and that no row contradicts itself."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from sidecar.core.capability import Capability
from sidecar.core.headers import HOP_BY_HOP
from sidecar.dialects.presets import PRESETS, Preset, Variable

LOCAL = ("127.0.0.1",)
VALUES = {
    "account": "acc",
    "gateway": "gw",
    "resource": "res",
    "region": "eu-west-1",
    "project": "proj",
    "location": "europe-west4",
    "host": "europe-west4",
    "version": "2024-10-21",
}
ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "azure": "https://res.openai.azure.com/openai/v1",
    "azure-deployments": "https://res.openai.azure.com/openai",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "vertex": (
        "https://europe-west4-aiplatform.googleapis.com"
        "/v1/projects/proj/locations/europe-west4/endpoints/openapi"
    ),
    "huggingface": "https://router.huggingface.co/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "bedrock": "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1",
    "cloudflare": "https://api.cloudflare.com/client/v4/accounts/acc/ai/v1",
    "cloudflare-compat": "https://gateway.ai.cloudflare.com/v1/acc/gw/compat",
    "openrouter": "https://openrouter.ai/api/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "together": "https://api.together.xyz/v1",
    "fireworks": "https://api.fireworks.ai/inference/v1",
    "xai": "https://api.x.ai/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
    "llamacpp": "http://127.0.0.1:8080/v1",
}
GATEWAYS = {
    "openai": "openai",
    "gemini": "google-ai-studio/v1beta/openai",
    "anthropic": "anthropic/v1",
    "openrouter": "openrouter/v1",
    "groq": "groq",
    "mistral": "mistral/v1",
    "deepseek": "deepseek",
    "xai": "grok/v1",
}
EACH = pytest.mark.parametrize(("kind", "preset"), PRESETS.items(), ids=PRESETS)


def filled(preset: Preset, template: str) -> str:
    """`template` with a value for every variable."""
    spelt = {name: one.spelt(VALUES[name]) for name, one in preset.variables.items()}
    return template.format(**spelt)


def test_every_kind_has_its_address() -> None:
    found = {kind: filled(one, one.base_url or "") for kind, one in PRESETS.items()}

    assert found == ADDRESSES


def test_the_gateway_has_what_it_has() -> None:
    assert {kind: one.gateway for kind, one in PRESETS.items() if one.gateway} == GATEWAYS


@EACH
def test_every_variable_of_a_kind_is_used(kind: str, preset: Preset) -> None:
    texts = (preset.base_url or "", preset.query, *(value for _, value in preset.headers))
    used = {name for text in texts for name in re.findall(r"{(\w+)}", text)}

    assert used == set(preset.variables), kind


@EACH
def test_a_key_has_a_variable_where_one_is_needed(kind: str, preset: Preset) -> None:
    assert preset.key_env or not preset.key_required, kind


@EACH
def test_only_what_is_local_is_called_without_encryption(kind: str, preset: Preset) -> None:
    address = urlsplit(filled(preset, preset.base_url or ""))

    assert (address.scheme == "http") == (address.hostname in LOCAL), kind


@EACH
def test_no_header_belongs_to_the_connection(kind: str, preset: Preset) -> None:
    names = {name.lower() for name, _ in preset.headers}

    assert names.isdisjoint(HOP_BY_HOP | {preset.auth_header.lower()}), kind


@EACH
def test_what_a_message_must_have_is_accepted(kind: str, preset: Preset) -> None:
    quirks = preset.quirks
    needed = {"role", "content", "tool_calls", "tool_call_id"}

    assert quirks.turns_accept is None or needed <= quirks.turns_accept, kind
    assert needed.isdisjoint(quirks.turns_drop), kind


@EACH
def test_what_a_request_must_have_is_accepted(kind: str, preset: Preset) -> None:
    needed = {"model", "messages", "stream", "tools", "max_tokens"}

    assert preset.quirks.accepts is None or needed <= preset.quirks.accepts, kind


@EACH
def test_who_counts_only_if_asked_can_be_asked(kind: str, preset: Preset) -> None:
    accepts = preset.quirks.accepts

    assert not preset.quirks.asks_usage or accepts is None or "stream_options" in accepts, kind


@EACH
def test_who_serves_no_responses_cannot_do_what_only_they_can(kind: str, preset: Preset) -> None:
    assert preset.responses or Capability.RESPONSES in preset.beyond, kind


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ],
)
def test_googles_host_depends_on_how_large_its_place_is(location: str, host: str) -> None:
    assert PRESETS["vertex"].variables["host"].spelt(location) == host


def test_a_variable_without_forms_is_spelt_as_it_is() -> None:
    assert Variable(env="X").spelt("{a}") == "{a}"


def test_the_gateway_neither_retries_nor_answers_from_its_cache() -> None:
    wanted = {("cf-aig-max-attempts", "1"), ("cf-aig-skip-cache", "true")}

    assert all(wanted <= set(PRESETS[kind].headers) for kind in ("cloudflare", "cloudflare-compat"))


def test_an_old_azure_has_the_model_in_its_address_and_a_version_after_it() -> None:
    preset = PRESETS["azure-deployments"]

    assert (preset.path, filled(preset, preset.query)) == (
        "/deployments/{model}",
        "api-version=2024-10-21",
    )
