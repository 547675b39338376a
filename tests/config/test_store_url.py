"""The store as the configuration names it: which URLs there are, and what is shown of them."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.config import load, redacted
from sidecar.config.store_url import shown
from sidecar.core.policies import Fleet
from tests.config.texts import BASE, problems_of, settings_of

LETTERS = string.ascii_letters + string.digits + "-_/+=.:@?#%& "


@pytest.mark.parametrize(
    "url",
    [
        *("memory", "memory://", "redis://localhost", "rediss://me:pw@[::1]:7000/3"),
        "redis+sentinel://a:1,b:2/mymaster/1?sentinel_user=s&sentinel_password=p",
        *("rediss+sentinel://a/m", "redis+cluster://a:1,b:2", "rediss+cluster://:pw@a"),
        *("etcd://a:2379,b:2379", "etcds://me:pw@a"),
    ],
)
def test_a_store_is_chosen_by_its_url(url: str) -> None:
    assert settings_of(f"{BASE}store: {url}").store == url


def test_the_environment_overrides_the_file() -> None:
    environ = {"SIDECAR_STORE": "etcd://a:2379"}

    assert settings_of(f"{BASE}store: redis://h", environ).store == "etcd://a:2379"


def test_the_environment_alone_chooses_the_store() -> None:
    environ = {"GEMINI_API_KEY": "k", "SIDECAR_STORE": "redis://h"}

    assert load(None, environ).settings.store == "redis://h"


def test_a_password_may_come_from_a_variable() -> None:
    settings = settings_of(f"{BASE}store: redis://:${{PW}}@h", {"PW": "s3cret"})

    assert settings.store == "redis://:s3cret@h"


def test_the_line_break_at_the_end_of_a_secret_file_is_left_out() -> None:
    assert settings_of(f"{BASE}store: ${{URL}}", {"URL": "redis://:s@h\n"}).store == "redis://:s@h"


def test_how_the_fleet_shares_is_read() -> None:
    text = f"{BASE}fleet: {{namespace: prod, op_timeout: 100ms, sync: 3s}}"

    assert settings_of(text).fleet == Fleet(namespace="prod", op_timeout_s=0.1, sync_s=3.0)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        *(("memory", "memory"), ("memory://", "memory://"), ("redis://h/1", "redis://h/1")),
        ("rediss://me:s3cret@h:7000/3?ca_file=/c.pem", "rediss://***@h:7000/3?ca_file=/c.pem"),
        (
            "redis+sentinel://:s3cret@a:1,b/m/1?sentinel_user=s3cret&sentinel_password=s3cret",
            "redis+sentinel://***@a:1,b/m/1?sentinel_user=***&sentinel_password=***",
        ),
        ("etcd://me:s3cret@a:1,b:2", "etcd://***@a:1,b:2"),
    ],
)
def test_what_is_shown_of_the_configuration_holds_no_login(url: str, seen: str) -> None:
    told = redacted(settings_of(f"{BASE}store: {url}"))

    assert told["store"] == seen
    assert "s3cret" not in json.dumps(told)


def test_what_is_shown_says_how_the_fleet_shares() -> None:
    told = redacted(settings_of(BASE))

    assert told["fleet"] == {"namespace": "default", "op_timeout": "250ms", "sync": "2s"}


@pytest.mark.parametrize(
    "url",
    [
        *("redis://me:s3cret@s3cret@h/x", "redis://me:s3cret/s3cret@h/x", "redis://me:s3cret"),
        *("redis://me:s3cret#s3cret@h/x", "redis://me:12?s3cret@h/x", "redis://h/0#s3cret"),
        *("redis://h?s3cret", "redis://h?s3cret=s3cret", "redis://h?sentinel_password=s3cret"),
        *(
            "s3cret",
            "redis:s3cret",
            "other://me:s3cret@h",
            "etcd://me:s3cret@h:0",
            "etcd://s3cret@h",
        ),
        *("etcd://me:s3cret@h?x=s3cret", "etcd://me:s3cret/s3cret@h/x", "redis://u:s3cret@"),
    ],
)
def test_a_wrong_url_is_told_without_its_secrets(url: str) -> None:
    (said,) = problems_of(f"{BASE}store: {json.dumps(url)}")

    assert said.startswith("c.yaml:5:8: store: ")
    assert "s3cret" not in said


@given(password=st.text(LETTERS, min_size=6), host=st.sampled_from(["h", "h:1,i", "h/x"]))
def test_no_password_is_shown_however_it_is_written(password: str, host: str) -> None:
    assert password not in shown(f"redis://me:{password}@{host}").replace("***", "")


def test_a_variable_is_shown_by_its_name_alone() -> None:
    said = problems_of(f"{BASE}store: redis://me:${{PW}}@h/${{DB}}", {"PW": "pass", "DB": "data"})

    assert said == ["c.yaml:5:8: store: the database must be a number, got redis://***@h/${DB}"]
