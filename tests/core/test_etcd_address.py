"""How an etcd is named in a URL."""

from __future__ import annotations

import pytest

from sidecar.core.etcd_address import read_address
from sidecar.core.tls_files import TlsFiles


def test_one_member_is_named_by_host_and_port() -> None:
    assert read_address("etcd://one:2379").endpoints == ("http://one:2379",)


def test_several_members_are_joined_by_commas() -> None:
    address = read_address("etcd://10.0.0.1:2379,[::1]:2380,three/")

    assert address.endpoints == ("http://10.0.0.1:2379", "http://[::1]:2380", "http://three:2379")


def test_user_and_password_are_percent_encoded() -> None:
    address = read_address("etcd://po%3Ad:p%40%2Fss@one:2379")

    assert (address.user, address.password) == ("po:d", "p@/ss")


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(read_address("etcd://pod:secret@one:2379"))


def test_without_tls_nobody_is_to_be_trusted() -> None:
    assert read_address("etcd://one:2379").tls is None


def test_with_tls_the_system_is_trusted_by_default() -> None:
    address = read_address("etcds://one:2379")

    assert address.endpoints == ("https://one:2379",)
    assert address.tls == TlsFiles()


def test_files_are_trusted_and_shown_instead() -> None:
    address = read_address("etcds://one?ca_file=/ca.pem&cert_file=/c.pem&key_file=/k.pem")

    assert address.tls == TlsFiles("/ca.pem", "/c.pem", "/k.pem")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("etcd://", "host 1 of etcd must be HOST:PORT"),
        ("etcd://one:2379,", "host 2 of etcd must be HOST:PORT"),
        ("etcd://one:0", "host 1 of etcd must be HOST:PORT"),
        ("etcd://one:65536", "host 1 of etcd must be HOST:PORT"),
        ("etcd://one:port", "host 1 of etcd must be HOST:PORT"),
        ("etcd://one:2379/path", "host 1 of etcd must be HOST:PORT"),
        ("etcd://one:2379#part", "host 1 of etcd must be HOST:PORT"),
        ("etcd://on e:2379", "host 1 of etcd must be HOST:PORT"),
        ("etcd://pod:se/cret", "host 1 of etcd must be HOST:PORT"),
        ("etcd://one:2379,one", "the same host and port twice"),
        ("etcd://secret@one", "both a user and a password"),
        ("etcd://pod:@one", "both a user and a password"),
        ("etcd://:secret@one", "both a user and a password"),
        ("etcd://pod:secret@one?ca_file=x", "ca_file is for etcds://, got etcd://"),
        ("etcds://pod:secret@one?cafile=x", "must be one of ca_file, .*, got cafile"),
        ("etcds://one?ca_file=x&ca_file=y", "given twice"),
        ("etcds://one?ca_file", "must be NAME=PATH"),
        ("etcds://one?cert_file=x", "cert_file and key_file of etcd go together"),
        ("etcds://one?key_file=x", "cert_file and key_file of etcd go together"),
    ],
)
def test_anything_else_is_refused_without_a_secret(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as raised:
        read_address(url)

    assert "cret" not in str(raised.value)
