"""Who may change something."""

from __future__ import annotations

from unittest import mock

import pytest
from aiohttp.test_utils import make_mocked_request

from sidecar.core.settings import Secret
from sidecar.proxy.access import may_change

TOKEN = Secret("open sesame")
BEARER = {"Authorization": "Bearer open sesame"}
HERE = {"Host": "localhost:9464"}
HOSTS = ("admin.internal",)


def judge(
    headers: dict[str, str],
    *,
    peer: object = ("127.0.0.1", 40000),
    reached: object = ("127.0.0.1", 9464),
    token: Secret | None = TOKEN,
    hosts: tuple[str, ...] = HOSTS,
) -> str | None:
    transport = mock.Mock()
    ends = {"peername": peer, "sockname": reached}
    transport.get_extra_info.side_effect = lambda name, default=None: ends.get(name, default)
    request = make_mocked_request("POST", "/-/drain", headers, transport=transport)
    return may_change(request, token, hosts)


@pytest.mark.parametrize(
    "peer",
    [
        ("127.0.0.1", 1),
        ("127.8.8.8", 1),
        ("::1", 1, 0, 0),
        ("::ffff:127.0.0.1", 1, 0, 0),
    ],
    ids=["IPv4", "all of 127", "IPv6", "IPv4 on an IPv6 socket"],
)
def test_a_loopback_peer_needs_no_token(peer: object) -> None:
    assert judge(HERE, peer=peer) is None


@pytest.mark.parametrize(
    "peer",
    [("10.0.0.7", 1), ("::ffff:10.0.0.7", 1, 0, 0), ("fe80::1%eth0", 1, 0, 2), "", None],
    ids=["IPv4", "IPv4 on an IPv6 socket", "link-local", "nameless", "hung up"],
)
def test_a_peer_from_elsewhere_needs_a_token(peer: object) -> None:
    assert judge(HERE, peer=peer) is not None


@pytest.mark.parametrize(
    "authorization",
    ["Bearer open sesame", "bearer  open sesame "],
    ids=["as documented", "loosely written"],
)
def test_the_token_lets_a_peer_from_elsewhere_in(authorization: str) -> None:
    assert judge({**HERE, "Authorization": authorization}, peer=("10.0.0.7", 1)) is None


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer open",
        "Bearer open sesame!",
        "Basic open sesame",
        "open sesame",
        "Bearer \u00e9",
    ],
    ids=["empty", "no token", "a part", "more", "other scheme", "no scheme", "not ASCII"],
)
def test_anything_else_than_the_token_does_not(authorization: str) -> None:
    assert judge({**HERE, "Authorization": authorization}, peer=("10.0.0.7", 1)) is not None


def test_a_wrong_token_does_not_hurt_a_loopback_peer() -> None:
    assert judge({**HERE, "Authorization": "Bearer stale"}) is None


@pytest.mark.parametrize("token", [None, Secret("")], ids=["none", "empty"])
def test_without_a_configured_token_nobody_from_elsewhere_gets_in(token: Secret | None) -> None:
    reason = judge({**HERE, "Authorization": "Bearer "}, peer=("10.0.0.7", 1), token=token)

    assert reason is not None
    assert "admin_token" in reason


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://evil.example",
            "http://localhost:9464.evil.example",
            "null",
            "",
            "localhost:9464",
        ),
        *(
            "http://localhost",
            "http://localhost:3000",
            "http://127.0.0.1:9464",
            "http://[::1]:9464",
        ),
        "http://[",
    ],
)
def test_another_origin_is_refused_even_with_the_token(origin: str) -> None:
    assert judge({**HERE, **BEARER, "Origin": origin}) is not None


@pytest.mark.parametrize("host", ["localhost:9464", "LOCALHOST:9464", "127.0.0.1:1", "[::1]:9464"])
def test_the_page_that_we_served_may_change_what_its_reader_may(host: str) -> None:
    assert judge({"Host": host, "Origin": f"http://{host.lower()}"}) is None


def test_the_page_that_we_served_still_needs_the_token_elsewhere() -> None:
    own = {"Host": "admin.internal:9464", "Origin": "http://admin.internal:9464"}

    assert judge(own, peer=("10.0.0.7", 1)) is not None
    assert judge({**own, **BEARER}, peer=("10.0.0.7", 1)) is None


def test_a_page_that_came_by_a_rebound_name_is_refused() -> None:
    assert judge({"Host": "evil.example:9464", "Origin": "http://evil.example:9464"}) is not None


def test_an_origin_without_a_host_is_refused() -> None:
    assert judge({"Origin": ""}) is not None


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:9464", "127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "[::1]"),
        *("admin.internal", "Admin.Internal:9464"),
    ],
)
def test_a_host_that_is_ours_is_let_in(host: str) -> None:
    assert judge({"Host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:9464", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("admin.internal.evil", "evil@localhost", "localhost/x", "[::1", "::1", "10.0.0.5", ""),
    ],
)
def test_a_foreign_host_is_refused_even_with_the_token(host: str) -> None:
    assert judge({"Host": host, **BEARER}) is not None


def test_a_missing_host_is_refused() -> None:
    assert judge(BEARER) is not None


@pytest.mark.parametrize("reached", ["10.0.0.5", "::ffff:10.0.0.5"], ids=["IPv4", "dual stack"])
def test_a_wildcard_stands_for_the_address_that_was_reached(reached: str) -> None:
    headers = {"Host": "10.0.0.5:9464", **BEARER}

    reason = judge(headers, peer=("10.0.0.7", 1), reached=(reached, 9464), hosts=("::",))

    assert reason is None


@pytest.mark.parametrize("host", ["10.0.0.6", "evil.example"], ids=["other address", "name"])
def test_a_wildcard_stands_for_nothing_else(host: str) -> None:
    assert judge({"Host": host}, reached=("10.0.0.5", 9464), hosts=("::",)) is not None


def test_the_reason_does_not_tell_the_token() -> None:
    reason = judge({**HERE, "Authorization": "Bearer open sesame."}, peer=("10.0.0.7", 1))

    assert reason is not None
    assert "sesame" not in reason
