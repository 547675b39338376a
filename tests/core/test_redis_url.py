"""What the URL of a Redis store says, and that a wrong one is told without its secrets."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.redis_url import Address, Login, Place, read_url
from sidecar.core.tls_files import TlsFiles

LOCAL = (Address("localhost", 6379),)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", Place(addresses=LOCAL)),
        ("redis://localhost/", Place(addresses=LOCAL)),
        ("redis://localhost:7000/3", Place(addresses=(Address("localhost", 7000),), db=3)),
        ("redis://[::1]:7000", Place(addresses=(Address("::1", 7000),))),
        ("redis://[::1]", Place(addresses=(Address("::1", 6379),))),
        ("redis://:pw@localhost", Place(addresses=LOCAL, login=Login(None, "pw"))),
        ("redis://me:p%40w@localhost", Place(addresses=LOCAL, login=Login("me", "p@w"))),
        ("redis://me:p:w+x@localhost", Place(addresses=LOCAL, login=Login("me", "p:w+x"))),
        ("rediss://localhost", Place(addresses=LOCAL, tls=TlsFiles())),
        (
            "rediss://localhost?ca_file=/a%26b.pem&cert_file=/c.pem&key_file=/k.pem",
            Place(addresses=LOCAL, tls=TlsFiles("/a&b.pem", "/c.pem", "/k.pem")),
        ),
        (
            "redis+sentinel://me:pw@a,b:7000/my%20master/2?sentinel_password=p%26w",
            Place(
                addresses=(Address("a", 26379), Address("b", 7000)),
                service="my master",
                db=2,
                login=Login("me", "pw"),
                sentinel_login=Login(None, "p&w"),
            ),
        ),
        (
            "rediss+sentinel://a/m?sentinel_user=s&sentinel_password=p&ca_file=/a.pem",
            Place(
                addresses=(Address("a", 26379),),
                service="m",
                sentinel_login=Login("s", "p"),
                tls=TlsFiles("/a.pem"),
            ),
        ),
        (
            "redis+cluster://a:1,b/0",
            Place(addresses=(Address("a", 1), Address("b", 6379))),
        ),
        ("rediss+cluster://localhost", Place(addresses=LOCAL, tls=TlsFiles())),
    ],
)
def test_a_url_says_where_and_how(url: str, place: Place) -> None:
    assert read_url(url) == place


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://", "must be scheme"),
        ("redis:localhost", "must be scheme"),
        ("redis+unix://localhost", "must be scheme"),
        ("redis://me:s3cret@s3cret@localhost", "must be scheme"),
        ("redis://me:s3cret/s3cret@localhost", "must be scheme"),
        ("redis://me:s3cret#s3cret@localhost", "must be scheme"),
        ("redis://me:s3cret?s3cret@localhost", "a host must be"),
        ("redis://me:12?s3cret@localhost", "options must be name=value"),
        ("redis://s3cret@localhost", "a login must be"),
        ("redis://me:s3cret%zz@localhost", "% must begin"),
        ("redis://me:s3cret%ff@localhost", "% must begin"),
        ("redis://me:s3cret@local host", "a host must be"),
        ("redis://me:s3cret@localhost:", "a host must be"),
        ("redis://me:s3cret@localhost:0", "a host must be"),
        ("redis://me:s3cret@localhost:65536", "a host must be"),
        ("redis://me:s3cret@[::1", "a host must be"),
        ("redis://me:s3cret@a,,b", "a host must be"),
        ("redis://me:s3cret@a,b", "must be one host"),
        ("redis://localhost/first", "the database must be a number"),
        ("redis://localhost/1/2", "the database must be a number"),
        ("redis://localhost/-1", "the database must be a number"),
        ("redis+cluster://localhost/1", "a Cluster has one database"),
        ("redis+sentinel://localhost", "the name of the service"),
        ("redis+sentinel://localhost/", "the name of the service"),
        ("redis+sentinel://localhost/m/x", "the database must be a number"),
        ("redis://localhost?ca_file=/a.pem", "of: none here"),
        ("rediss://localhost?sentinel_password=s3cret", "of: ca_file, cert_file, key_file"),
        ("redis+sentinel://a/m?x=s3cret", "of: sentinel_user, sentinel_password"),
        ("rediss://localhost?ca_file=/a.pem&ca_file=/b.pem", "each once"),
        ("rediss://localhost?ca_file=", "options must be name=value"),
        ("rediss://localhost?cert_file=/c.pem", "must be given together"),
        ("rediss://localhost?key_file=/k.pem", "must be given together"),
    ],
)
def test_a_wrong_url_is_told_without_its_secrets(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as told:
        read_url(url)

    assert "s3cret" not in str(told.value)


@given(user=st.text(min_size=1), password=st.text())
def test_any_login_can_be_written(user: str, password: str) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"

    assert read_url(f"redis://{login}@localhost").login == Login(user, password)


def test_a_place_shows_no_password() -> None:
    url = "redis+sentinel://me:s3cret@a:1,[::1]:2/m?sentinel_password=s3cret"

    assert "s3cret" not in repr(read_url(url))
    assert str(read_url(url)) == "a:1,[::1]:2"
