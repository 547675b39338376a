"""A start without a file: what the process makes of its environment. Nobody is called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.stories.process import Running, a_process

KEYS = {
    "GEMINI_API_KEY": "key-for-gemini",
    "HF_TOKEN": "token-for-huggingface",
    "ANTHROPIC_API_KEY": "key-for-anthropic",
}
GATEWAY = {
    "CLOUDFLARE_ACCOUNT_ID": "an-account",
    "CLOUDFLARE_GATEWAY_ID": "a-gateway",
    "CLOUDFLARE_API_TOKEN": "token-for-cloudflare",
}
ANYWHERE = {"SIDECAR_LISTEN": "127.0.0.1:0", "SIDECAR_ADMIN": "127.0.0.1:0"}
BEHIND = "https://gateway.ai.cloudflare.com/v1/an-account/a-gateway"
CHAIN = [
    "gemini: gemini-3-flash",
    "huggingface: meta-llama/Llama-3.3-70B-Instruct",
    "anthropic: claude-haiku-5-5",
]
DIRECT = {
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "huggingface": "https://router.huggingface.co/v1",
    "anthropic": "https://api.anthropic.com/v1",
}
THROUGH_THE_GATEWAY = {
    "gemini": f"{BEHIND}/google-ai-studio/v1beta/openai",
    "huggingface": DIRECT["huggingface"],
    "anthropic": f"{BEHIND}/anthropic/v1",
}
ADDRESSES = pytest.mark.parametrize(
    ("more", "addresses"),
    [({}, DIRECT), (GATEWAY, THROUGH_THE_GATEWAY)],
    ids=["direct", "gateway"],
)

Json = dict[str, Any]


# By `sidecar explain`


class Explained(NamedTuple):
    """What `sidecar explain` says: each entry of the chain, and the address of its provider."""

    chain: list[str]
    addresses: dict[str, str]


def ran(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command, in an environment that holds nothing else."""
    command = (sys.executable, "-m", "sidecar", *words)
    return subprocess.run(  # noqa: S603  our own command
        command, env=environ, capture_output=True, text=True, timeout=30, check=False
    )


def explained(**environ: str) -> Explained:
    done = ran("explain", "whatever", **environ)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line]
    chain = [rest for word, rest in lines if word.rstrip(".").isdigit()]
    ways = [rest.split(", ") for word, rest in lines if word == "provider"]
    return Explained(chain, {kind: address for kind, address, _ in ways})


@ADDRESSES
def test_three_keys_make_the_usual_chain(
    more: Mapping[str, str], addresses: Mapping[str, str]
) -> None:
    assert explained(**KEYS, **more) == Explained(CHAIN, dict(addresses))


def test_the_first_provider_its_model_and_the_chain_can_be_chosen() -> None:
    told = explained(
        **KEYS,
        OPENAI_API_KEY="key-for-openai",
        AI_PROVIDER="anthropic",
        AI_MODEL="claude-opus-5-5",
        AI_FALLBACK_PROVIDERS="openai, gemini",
    )

    assert told.chain == [
        "anthropic: claude-opus-5-5",
        "openai: gpt-5-mini",
        "gemini: gemini-3-flash",
    ]


def test_a_gateway_that_keeps_the_keys_is_enough_for_whom_it_serves() -> None:
    assert explained(**GATEWAY).addresses == {
        name: address for name, address in THROUGH_THE_GATEWAY.items() if name != "huggingface"
    }


@pytest.mark.parametrize("command", [("explain", "m"), ("serve",), ("check",)], ids=" ".join)
def test_without_any_key_it_ends_and_names_what_to_set(command: tuple[str, ...]) -> None:
    done = ran(*command, **ANYWHERE)

    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert [name for name in KEYS if f"{name} is not set" not in said] == []


# By a process that serves


@asynccontextmanager
async def serving(**environ: str) -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    async with (
        a_process(environ={**ANYWHERE, **environ}) as running,
        aiohttp.ClientSession() as http,
    ):
        yield running, http


async def page(http: aiohttp.ClientSession, url: str) -> Json:
    async with http.get(url) as answer:
        assert answer.status == 200
        told: Json = await answer.json()
        return told


@ADDRESSES
async def test_what_serves_is_what_was_explained(
    more: Mapping[str, str], addresses: Mapping[str, str]
) -> None:
    async with serving(**KEYS, **more) as (running, http):
        config = await page(http, f"{running.admin}/config")
        status = await page(http, f"{running.admin}/status.json")

        providers = config["providers"]
        assert {name: one["base_url"] for name, one in providers.items()} == addresses
        (route,) = status["routes"]
        assert route["models"] == ["*"]
        assert route["chain"] == [one.replace(": ", "/") for one in CHAIN]


async def test_behind_the_gateway_each_says_so_in_its_headers() -> None:
    async with serving(**KEYS, **GATEWAY) as (running, http):
        config = await page(http, f"{running.admin}/config")

        headers = {name: one.get("headers") for name, one in config["providers"].items()}
        ours = dict.fromkeys(("cf-aig-max-attempts", "cf-aig-skip-cache"), "***")
        ours["cf-aig-authorization"] = "***"
        assert headers == {"gemini": ours, "huggingface": {}, "anthropic": ours}


async def test_the_breaker_is_as_the_environment_says() -> None:
    variables = {
        "CIRCUIT_BREAKER_FAILURE_THRESHOLD": "5",
        "CIRCUIT_BREAKER_SUCCESS_THRESHOLD": "1",
        "CIRCUIT_BREAKER_OPEN_TIMEOUT": "1500",
    }
    async with serving(**KEYS, **variables) as (running, http):
        config = await page(http, f"{running.admin}/config")

        for provider in config["providers"].values():
            breaker = provider["breaker"]
            assert (breaker["failure_threshold"], breaker["success_threshold"]) == (5, 1)
            assert breaker["open_timeout"] == "1500ms"


async def test_who_has_no_key_is_left_out_with_a_warning() -> None:
    async with serving(ANTHROPIC_API_KEY="k") as (running, http):
        status = await page(http, f"{running.admin}/status.json")

        warned = [line["msg"] for line in running.log if line["level"] == "warning"]
        assert warned == [
            "gemini is left out: GEMINI_API_KEY is not set",
            "huggingface is left out: HF_TOKEN is not set",
        ]
        assert [one["name"] for one in status["providers"]] == ["anthropic"]


async def test_the_models_of_the_chain_are_told_to_applications() -> None:
    async with serving(**KEYS) as (running, http):
        told = await page(http, f"{running.api}/v1/models")

        assert {one["id"] for one in told["data"]} >= {"gemini-3-flash", "claude-haiku-5-5"}


PAGES = ("/config", "/status.json", "/metrics", "/status", "/version")


async def test_no_key_of_the_environment_is_shown() -> None:
    secrets = {**KEYS, **GATEWAY, "SIDECAR_ADMIN_TOKEN": "token-of-the-operator"}
    async with serving(**secrets, SIDECAR_LOG_LEVEL="debug") as (running, http):
        shown = [await (await http.get(f"{running.admin}{path}")).text() for path in PAGES]
        running.process.terminate()
        await running.end()

        said = json.dumps([shown, running.log])
        public = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_GATEWAY_ID")  # they are in the address
        assert [name for name, it in secrets.items() if it in said and name not in public] == []
