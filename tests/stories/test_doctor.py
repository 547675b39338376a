"""The doctor on real sockets: what is well, what is broken, and what it never does."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from sidecar import __version__
from sidecar.app import Sidecar
from sidecar.cli import main
from sidecar.doctor import Wish, doctor
from sidecar.faults.fault import Effect, Fault, reply
from sidecar.faults.provider import HOST, ScriptedProvider, refusing_port
from tests.fleet.stores import etcd_server
from tests.fleet.stores.redis_server import PASSWORD, RIGHTS, RedisServer, login
from tests.stories.egress import an_egress
from tests.stories.world import settings_for

Capture = pytest.CaptureFixture[str]
KEY = "key-of-this-provider"
SECRETS = (KEY, PASSWORD, "s3cret", "admin-of-ours")


@dataclass(slots=True)
class Examined:
    """What a run of the command came to."""

    code: int
    text: str
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __getitem__(self, subject: str) -> tuple[str, str]:
        """The mark of a finding, and what was seen."""
        found = self.findings[subject]
        return str(found["mark"]), str(found["seen"])

    def cure(self, subject: str) -> str:
        return str(self.findings[subject]["cure"])

    def of(self, provider: str) -> list[str]:
        """The checks of a provider, in order."""
        return [name.partition(" ")[2] for name in self.findings if name.startswith(f"{provider} ")]


class Patient:
    """A configuration on its way through the command line."""

    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.file = folder / "sidecar.yaml"
        self._capsys = capsys

    def write(self, *providers: str, more: str = "", chain: str = "") -> None:
        """Write the configuration that is examined."""
        write(self.file, *providers, more=more, chain=chain)

    async def run(self, *words: str) -> Examined:
        """Run it for people and for programs; no secret is in either."""
        words = ("doctor", "--config", str(self.file), *words)
        code, text = await self._call(*words)
        again, document = await self._call(*words, "--json")
        assert again == code
        findings = json.loads(document)["findings"]
        named = {f"{one['about'] or ''} {one['check']}".strip(): one for one in findings}
        return Examined(code, text, named)

    async def _call(self, *words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main, words)
        out, errors = self._capsys.readouterr()
        assert [one for one in SECRETS if one in out + errors] == []
        assert ("bill" in errors) is ("--live" in words)
        assert isinstance(ended.value.code, int)
        return ended.value.code, out


def write(file: Path, *providers: str, more: str = "", chain: str = "") -> None:
    """A configuration of `name: {…}` providers, each asked for a model."""
    names = [one.partition(":")[0] for one in providers]
    chain = chain or ", ".join(f"{name}/model-of-{name}" for name in names)
    listed = "".join(f"  {one}\n" for one in providers)
    listeners = "" if "listen:" in more else "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"
    file.write_text(
        f"{listeners}admin_token: admin-of-ours\nproviders:\n{listed}"
        f"routes: [{{models: ['*'], chain: [{chain}]}}]\n"
        f"timeouts: {{connect: 300ms, first_token: 300ms}}\n{more}"
    )


@pytest.fixture
def patient(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Patient:
    for name in ("SIDECAR_STORE", "SIDECAR_LISTEN", "SIDECAR_ADMIN", "SIDECAR_ADMIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return Patient(tmp_path, capsys)


def at(url: str, **more: str) -> str:
    """A provider called `one`."""
    rest = "".join(f", {name}: {value}" for name, value in more.items())
    return f'one: {{kind: openai, api_key: {KEY}, base_url: "{url}"{rest}}}'


# Providers


async def test_what_is_well_is_0_and_nobody_is_billed(patient: Patient) -> None:
    async with ScriptedProvider("one") as one:
        patient.write(at(one.base_url))
        seen = await patient.run()

    assert seen.code == 0
    assert seen.of("one") == ["keys", "dns", "tcp", "answer"]
    assert {seen[f"one {check}"][0] for check in seen.of("one")} == {"good"}
    assert seen["store"][0] == "good"
    assert seen.text.startswith(f"sidecar {__version__}, {patient.file}\n\n✓ configuration")
    asked = [(call.method, call.path) for call in one.calls if call.path]
    assert asked == [("GET", "/")] * 2
    assert all("authorization" not in call.headers for call in one.calls)


async def test_a_refused_port_ends_the_line(patient: Patient) -> None:
    with refusing_port() as port:
        patient.write(at(f"http://{HOST}:{port}/v1"))
        seen = await patient.run()

    assert (seen.code, seen.of("one")) == (1, ["keys", "dns", "tcp"])
    assert seen["one tcp"] == ("bad", "Connection refused")
    assert f"start what should listen at {HOST}:{port}" in seen.cure("one tcp")
    assert "✗ one tcp" in seen.text


async def test_a_name_that_nobody_knows_is_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    patient.write(at("https://nobody.test/v1"))
    monkeypatch.setattr("sidecar.fleet.stores.names.socket.getaddrinfo", unknown)
    seen = await patient.run()

    assert (seen.code, seen.of("one")) == (1, ["keys", "dns"])
    assert seen["one dns"] == ("bad", "nobody.test: Name or service not known")


def test_a_resolver_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    write(file, at("https://slow.test/v1"))
    code = (
        "import socket, time\n"
        "from sidecar.cli import main\n"
        "socket.getaddrinfo = lambda *_, **__: time.sleep(600)\n"
        f"main(['doctor', '--config', {str(file)!r}])"
    )
    ended = subprocess.run(  # noqa: S603  the code is our own
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stderr) == (1, "")
    assert "✗ one dns         the DNS server does not answer within 0.3 s" in ended.stdout


@contextmanager
def silent_port(*, lets_in: bool) -> Iterator[int]:
    """A port where nobody says anything, or where nobody even gets in."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((HOST, 0), backlog=128 * lets_in))
        port = int(server.getsockname()[1])
        for _ in range(0 if lets_in else 2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((HOST, port))
        yield port


@pytest.mark.parametrize(
    ("scheme", "lets_in", "check", "told"),
    [
        ("http", False, "tcp", "no connection within 0.3 s"),
        ("http", True, "answer", "connected, but no answer within 0.3 s"),
        ("https", True, "tls", "connected, but no TLS within 0.3 s"),
    ],
)
async def test_silence_is_told_with_where_it_begins(
    scheme: str, lets_in: bool, check: str, told: str, patient: Patient
) -> None:
    with silent_port(lets_in=lets_in) as port:
        patient.write(at(f"{scheme}://{HOST}:{port}/v1"))
        seen = await patient.run()

    assert (seen.code, seen.of("one")[-1]) == (1, check)
    assert seen[f"one {check}"] == ("bad", told)


async def test_all_providers_are_looked_at_at_once(patient: Patient) -> None:
    with silent_port(lets_in=True) as port:
        url = f"http://{HOST}:{port}/v1"
        patient.write(*(at(url).replace("one", f"p{number}", 1) for number in range(20)))
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        seen = await patient.run()

    assert seen.code == 1
    assert sum(name.endswith("answer") for name in seen.findings) == 20
    assert loop.time() - began_s < 2 * 20 * 0.3


async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say of whatever comes in that it is not HTTP."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


async def test_tls_where_there_is_none_and_none_where_there_is(
    patient: Patient, tmp_path: Path
) -> None:
    plain = await asyncio.start_server(complain, HOST, 0)
    async with plain, a_secure_provider(tmp_path) as (secure, _):
        patient.write(
            at(f"https://{HOST}:{plain.sockets[0].getsockname()[1]}/v1"),
            at(secure.base_url.replace("https:", "http:")).replace("one", "two", 1),
        )
        seen = await patient.run()

    assert seen["one tls"][0] == "bad"
    assert "write base_url with http://" in seen.cure("one tls")
    assert seen["two answer"][0] == "bad"
    assert "https:// for http://" in seen.cure("two answer")


# Certificates


@asynccontextmanager
async def a_secure_provider(
    folder: Path, days: float = 90, host: str = HOST
) -> AsyncIterator[tuple[ScriptedProvider, Path]]:
    """A provider whose certificate ends in `days`, and the file of its authority."""
    authority, file = trustme.CA(), folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ends = datetime.now(UTC) + timedelta(days=days)
    authority.issue_cert(host, not_after=ends).configure_cert(context)
    async with ScriptedProvider("one", ssl_context=context) as provider:
        yield provider, file


@pytest.mark.parametrize(
    ("days", "host", "wanted"),
    [
        (90, HOST, ("good", "certificate for 90 more days", "None")),
        (5, HOST, ("doubt", "certificate for 5 more days", "renew the certificate")),
        (-1, HOST, ("bad", "certificate has expired", "renew the certificate")),
        (90, "other.test", ("bad", f"is not valid for '{HOST}'", "as the certificate has it")),
    ],
    ids=["good", "ends soon", "expired", "of another"],
)
async def test_a_certificate_is_told_with_its_fault(
    days: float, host: str, wanted: tuple[str, str, str], patient: Patient, tmp_path: Path
) -> None:
    mark, told, cure = wanted
    async with a_secure_provider(tmp_path, days, host) as (one, file):
        patient.write(at(one.base_url, ca_file=str(file)))
        seen = await patient.run()

    assert seen["one tls"][0] == mark
    assert told in seen["one tls"][1]
    assert cure in seen.cure("one tls")
    assert seen.code == (mark == "bad")


async def test_an_authority_that_nobody_trusts_is_cured_by_its_file(
    patient: Patient, tmp_path: Path
) -> None:
    async with a_secure_provider(tmp_path) as (one, _):
        patient.write(at(one.base_url))
        seen = await patient.run()

    assert (seen.code, seen["one tls"][0]) == (1, "bad")
    assert "certificate" in seen["one tls"][1]
    assert "ca_file" in seen.cure("one tls")


async def test_a_file_without_certificates_is_told(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    patient.write(at(f"https://{HOST}:1/v1", ca_file=str(tmp_path / "empty.pem")))
    seen = await patient.run()

    assert seen["one tls"][0] == "bad"
    assert "empty.pem" in seen["one tls"][1]


# Proxies


async def test_the_way_leads_through_the_proxy(patient: Patient, tmp_path: Path) -> None:
    async with an_egress(tmp_path) as (egress, ca_file):
        patient.write(at("https://far.test/v1", proxy=egress.url, ca_file=str(ca_file)))
        seen = await patient.run()

    assert (seen.code, seen.of("one")) == (0, ["keys", "dns", "tcp", "tls", "answer"])
    assert egress.hosts == ["far.test:443"] * 2  # TLS and the question share a connection
    assert seen["one tcp"][1].startswith("the proxy listens at port ")


async def test_a_proxy_that_refuses_is_told_without_its_login(patient: Patient) -> None:
    async with ScriptedProvider("proxy") as proxy:
        proxy.plays(answering(407))
        url = f"http://user:s3cret@{HOST}:{proxy.port}"
        far = at("https://far.test/v1", proxy=url)
        patient.write(far, far.replace("one", "two", 1).replace("https", "http", 1))
        seen = await patient.run()

    assert seen["one tls"] == ("bad", "the proxy answers 407")
    assert seen["two answer"] == ("bad", "the proxy answers 407")
    assert "login in proxy" in seen.cure("one tls")


# The clock


def answering(status: int, **headers: str) -> Fault:
    return Fault("answering", "answers", Effect.SERVED, reply(status, b"", "text/plain", headers))


@pytest.mark.parametrize(
    ("minutes", "mark", "told"),
    [(0, "good", ", as one has it"), (7, "bad", "s ahead"), (-7, "bad", "s behind")],
)
async def test_the_clock_is_compared_with_the_providers(
    minutes: float, mark: str, told: str, patient: Patient
) -> None:
    date = format_datetime(
        datetime.now(UTC) + timedelta(minutes=minutes, seconds=minutes), usegmt=True
    )
    async with ScriptedProvider("one") as one:
        one.plays(answering(404, date=date))
        patient.write(at(one.base_url))
        seen = await patient.run()

    assert seen["clock"][0] == mark
    assert seen["clock"][1].endswith(told)
    assert seen.code == (mark == "bad")


# Colors


class Terminal(io.StringIO):
    """What looks like one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "environ", "colored"),
    [(Terminal(), {}, True), (Terminal(), {"NO_COLOR": "1"}, False), (io.StringIO(), {}, False)],
    ids=["a terminal", "one without colors", "a pipe"],
)
def test_colors_are_for_terminals(
    out: io.StringIO, environ: dict[str, str], colored: bool, tmp_path: Path
) -> None:
    code = doctor(str(tmp_path / "none.yaml"), environ, Wish(), out)

    assert (code, "\x1b" in out.getvalue()) == (1, colored)


# Keys and configuration


async def test_a_placeholder_is_told_and_its_place(patient: Patient) -> None:
    async with ScriptedProvider("one") as one:
        patient.write(f'one: {{kind: gemini, api_key: sk-..., base_url: "{one.base_url}"}}')
        seen = await patient.run()

    assert (seen.code, seen["one keys"]) == (1, ("bad", "the key is a placeholder"))
    assert "$GEMINI_API_KEY" in seen.cure("one keys")


async def test_a_cloud_that_nobody_can_sign_for_is_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    async with ScriptedProvider("one") as one:
        patient.write(f'one: {{kind: bedrock, base_url: "{one.base_url}"}}')
        seen = await patient.run()

    assert seen["one keys"][0] == "bad"
    assert "AWS_REGION" in seen["one keys"][1]


async def test_a_broken_configuration_is_told_line_by_line_beside_the_rest(
    patient: Patient,
) -> None:
    patient.file.write_text("lissten: here\nadmin: there\n")
    seen = await patient.run()

    assert seen.code == 1
    told = " ".join(seen.text.split())
    assert f"✗ configuration {patient.file}:1:1: lissten: unknown key" in told
    assert f"✗ configuration {patient.file}:2:8: admin: must be HOST:PORT" in told
    assert "→ write listen" in seen.text
    assert {"memory", "clock", "descriptors"} < seen.findings.keys()


async def test_a_warning_is_a_doubt(patient: Patient) -> None:
    async with ScriptedProvider("one") as one:
        patient.write(at(one.base_url), "spare: {kind: vllm}", chain="one/m")
        seen = await patient.run()

    assert "! configuration" in seen.text
    assert "providers.spare: no chain asks it" in seen.text.replace("\n", " ")


# Ports


async def test_a_sidecar_that_runs_already_is_well(patient: Patient) -> None:
    async with ScriptedProvider("one") as one, Sidecar(settings_for(one)) as sidecar:
        patient.write(at(one.base_url), more=f"listen: {sidecar.api}\nadmin: {sidecar.admin}\n")
        seen = await patient.run()

    assert seen["port of listen"] == ("good", f"{sidecar.api}: a sidecar is running")
    told = f"{sidecar.admin}: sidecar {__version__} is running"
    assert seen["port of admin"] == ("good", told)


async def test_somebody_else_at_a_port_is_told(patient: Patient) -> None:
    async with ScriptedProvider("one") as one:
        with closing(socket.create_server((HOST, 0))) as mute:
            admin = f"{HOST}:{mute.getsockname()[1]}"
            mute.close()
            patient.write(at(one.base_url), more=f"listen: {HOST}:{one.port}\nadmin: {admin}\n")
            seen = await patient.run()

    assert seen.code == 1
    assert seen["port of listen"][0] == "bad"
    assert "no sidecar" in seen["port of listen"][1]
    assert seen["port of admin"] == ("good", f"{admin} is free")


# The store


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.remove()


async def with_store(patient: Patient, url: str) -> Examined:
    async with ScriptedProvider("one") as one:
        patient.write(at(one.base_url), more=f"store: {url}\n")
        return await patient.run()


async def test_a_store_that_lets_us_in_is_told_with_its_times(
    redis: RedisServer, patient: Patient
) -> None:
    redis.admit(*RIGHTS)
    seen = await with_store(patient, f"redis://{login()}@{HOST}:{redis.port}")

    mark, told = seen["store"]
    assert mark == "good"
    assert told.startswith(f"redis://***@{HOST}:{redis.port}: reached and let in, ")
    assert seen["clock"][1].endswith("as the store has it")
    assert redis.ask("KEYS", "*breaker*") == []


@pytest.mark.parametrize(
    ("rights", "who", "cure"),
    [
        (RIGHTS, login("wrong"), "correct user and password"),
        (("+evalsha", "+eval", "+time"), login(), "grant its user"),
        (tuple(one for one in RIGHTS if one != "+subscribe"), login(), "grant its user"),
    ],
    ids=["a wrong password", "too few rights", "not the right to listen"],
)
async def test_a_store_that_does_not_let_us_in_is_told(
    rights: tuple[str, ...], who: str, cure: str, redis: RedisServer, patient: Patient
) -> None:
    redis.admit(*rights)
    seen = await with_store(patient, f"redis://{who}@{HOST}:{redis.port}")

    assert (seen.code, seen["store"][0]) == (1, "bad")
    assert cure in seen.cure("store")


async def test_an_etcd_is_asked_too(patient: Patient) -> None:
    seen = await with_store(patient, f"etcd://{etcd_server.shared().host}")

    assert (seen.code, seen["store"][0]) == (0, "good")
    assert "nobody told the time" in seen["clock"][1]  # it has no clock to compare with


@pytest.mark.parametrize("scheme", ["redis", "etcd"])
async def test_a_store_that_is_not_there_is_told(scheme: str, patient: Patient) -> None:
    with refusing_port() as port:
        seen = await with_store(patient, f"{scheme}://{HOST}:{port}")

    assert (seen.code, seen["store"][0]) == (1, "bad")
    assert seen.cure("store") == "start it, or correct host and port in store"


# Calls that cost


async def test_live_calls_tell_who_answers(patient: Patient) -> None:
    async with ScriptedProvider("one") as one:
        patient.write(at(one.base_url))
        seen = await patient.run("--live")

    assert seen.code == 0
    mark, told = seen["one/model-of-one live call"]
    assert mark == "good"
    assert told.endswith("answered by model-of-one")
    [asked, _] = [call.json for call in one.calls if call.method == "POST"]
    assert asked["max_completion_tokens"] == 16


async def test_a_wrong_key_shows_in_a_live_call_alone(patient: Patient) -> None:
    async with ScriptedProvider("one") as one:
        one.plays("bad_key")
        patient.write(at(one.base_url))
        quiet, live = await patient.run(), await patient.run("--live")

    assert quiet.code == 0
    assert live.code == 1
    assert live["one/model-of-one live call"][1].startswith("auth 401 in ")
    assert "put a valid key" in live.cure("one/model-of-one live call")


async def test_no_failure_hides_another(patient: Patient) -> None:
    async with ScriptedProvider("one") as one, ScriptedProvider("two") as two:
        one.plays("bad_key")
        patient.write(
            at(one.base_url),
            at(two.base_url).replace("one", "two", 1),
            chain="one/a, one/b, two/c",
        )
        seen = await patient.run("--live")

    calls = {name: one["mark"] for name, one in seen.findings.items() if "live" in name}
    assert calls == {"one/a live call": "bad", "one/b live call": "bad", "two/c live call": "good"}


async def test_nobody_is_called_who_cannot_be_reached_with_a_key(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "empty.pem").write_text("nothing\n")
    async with ScriptedProvider("one") as one, ScriptedProvider("two") as two:
        patient.write(
            at(one.base_url),
            f'two: {{kind: gemini, api_key: changeme, base_url: "{two.base_url}"}}',
            f'cloud: {{kind: bedrock, base_url: "{two.base_url}"}}',
            at(f"https://{HOST}:1/v1", ca_file=str(tmp_path / "empty.pem")).replace("one", "ca", 1),
        )
        seen = await patient.run("--live")

    calls = {name: one["seen"] for name, one in seen.findings.items() if "live" in name}
    assert calls.pop("one/model-of-one live call").startswith("200 in ")
    assert calls == dict.fromkeys(
        (f"{name}/model-of-{name} live call" for name in ("two", "cloud", "ca")), "not asked"
    )
    assert "POST" not in [call.method for call in two.calls]
