"""What a provider is asked with: its keys, or what its kind has in their place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.core.settings import Provider, Secret
from sidecar.dialects.presets import Preset
from sidecar.proxy.aws_signing import AwsSigner
from sidecar.proxy.credentials import NoKey, StaticKey, credentials_of
from sidecar.proxy.google_tokens import GoogleTokens
from tests.proxy.clouds import CALL, forget_the_machine

KEYS = (Secret("first-of-the-keys"), Secret("second-of-the-keys"))
BY_KEY = Preset(base_url=None)
BY_GOOGLE = Preset(base_url=None, credential="google")
BY_AWS = Preset(base_url=None, credential="aws")


def a_provider(*keys: Secret) -> Provider:
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com/v1"
    return Provider(name="p", kind="some", base_url=url, api_keys=keys)


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_the_machine(monkeypatch, str(tmp_path))


async def test_each_key_is_a_credential_of_its_own() -> None:
    first, second = credentials_of(a_provider(*KEYS), BY_KEY)

    assert await first.headers(CALL) == [("Authorization", "Bearer first-of-the-keys")]
    assert await second.headers(CALL) == [("Authorization", "Bearer second-of-the-keys")]


async def test_a_key_goes_where_its_kind_wants_it() -> None:
    preset = Preset(base_url=None, auth_header="api-key", auth_scheme="")
    (credential,) = credentials_of(a_provider(KEYS[0]), preset)

    assert await credential.headers(CALL) == [("api-key", "first-of-the-keys")]


async def test_a_key_is_a_secret() -> None:
    (credential,) = credentials_of(a_provider(KEYS[0]), BY_KEY)

    assert credential.secrets() == (b"first-of-the-keys",)


async def test_a_short_key_is_a_word_and_no_secret() -> None:
    assert StaticKey("Authorization", "Bearer ", Secret("EMPTY")).secrets() == ()


async def test_a_provider_without_a_key_is_asked_without() -> None:
    (credential,) = credentials_of(a_provider(), BY_KEY)

    assert isinstance(credential, NoKey)
    assert (await credential.headers(CALL), credential.secrets()) == ([], ())


@pytest.mark.parametrize("preset", [BY_GOOGLE, BY_AWS], ids=["google", "aws"])
async def test_a_key_goes_before_a_cloud_s_own_credentials(preset: Preset) -> None:
    (credential,) = credentials_of(a_provider(KEYS[0]), preset)

    assert await credential.headers(CALL) == [("Authorization", "Bearer first-of-the-keys")]


@pytest.mark.parametrize(
    ("preset", "kind"), [(BY_GOOGLE, GoogleTokens), (BY_AWS, AwsSigner)], ids=["google", "aws"]
)
async def test_without_a_key_a_cloud_has_its_own(preset: Preset, kind: type[object]) -> None:
    (credential,) = credentials_of(a_provider(), preset)
    await credential.close()

    assert isinstance(credential, kind)


def test_what_only_a_cloud_needs_is_not_loaded_for_others() -> None:
    code = (
        "import sys, sidecar.proxy.credentials;"
        "sys.exit(any(name in sys.modules for name in ('google.auth', 'botocore', 'requests')))"
    )

    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603  our own words

    assert done.returncode == 0
