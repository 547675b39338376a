"""The line to a provider: how far one gets on it, and what to do where it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sidecar.doctor.finding import Finding, bad, doubt, good, ms

DAY_S = 24 * 60 * 60
EXPIRES_SOON_S = 14 * DAY_S
PROXY_LOGIN = 407
FIRST_OF_ITS_FAULTS = 500  # by these a server says that it is not well


class Stage(StrEnum):
    """What has to work one after the other."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    ANSWER = "answer"


class Trouble(StrEnum):
    """What cuts a line."""

    UNKNOWN_NAME = "unknown_name"
    SILENT_DNS = "silent_dns"
    REFUSED = "refused"
    SILENT_PORT = "silent_port"
    UNREACHABLE = "unreachable"
    PROXY_REFUSES = "proxy_refuses"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    OF_ANOTHER = "of_another"
    BAD_CA_FILE = "bad_ca_file"
    NO_TLS = "no_tls"
    SILENT_TLS = "silent_tls"
    SILENT = "silent"
    NO_HTTP = "no_http"


# Where each of them shows, and its cure. `{at}` is what is connected to, `{far}` the provider,
# `{setting}` what names `{at}`.
TROUBLES: dict[Trouble, tuple[Stage, str]] = {
    Trouble.UNKNOWN_NAME: (
        Stage.DNS,
        "correct the host in {setting}, or the DNS of this machine: /etc/resolv.conf",
    ),
    Trouble.SILENT_DNS: (
        Stage.DNS,
        "let this machine reach its DNS server: /etc/resolv.conf, a NetworkPolicy for port 53",
    ),
    Trouble.REFUSED: (Stage.TCP, "start what should listen at {at}, or correct {setting}"),
    Trouble.SILENT_PORT: (
        Stage.TCP,
        "let this machine reach {at}: a firewall or NetworkPolicy drops it; or set proxy",
    ),
    Trouble.UNREACHABLE: (Stage.TCP, "give this machine a route to {at}, or set proxy"),
    Trouble.PROXY_REFUSES: (Stage.TLS, "let the proxy open {far}, or correct its login in proxy"),
    Trouble.UNTRUSTED: (
        Stage.TLS,
        "set ca_file to the PEM file of the authority that signed it, if it is yours",
    ),
    Trouble.EXPIRED: (Stage.TLS, "renew the certificate of {far}, or set this machine's clock"),
    Trouble.NOT_YET_VALID: (Stage.TLS, "set this machine's clock, or that of who signed for {far}"),
    Trouble.OF_ANOTHER: (Stage.TLS, "write the host in base_url as the certificate has it"),
    Trouble.BAD_CA_FILE: (Stage.TLS, "put certificates in PEM form into that file"),
    Trouble.NO_TLS: (Stage.TLS, "write base_url with http:// if {far} is plain, or correct it"),
    Trouble.SILENT_TLS: (
        Stage.TLS,
        "find who takes the connection to {at} and says nothing: a firewall, another service",
    ),
    Trouble.SILENT: (Stage.ANSWER, "look at {far}: it takes connections and answers nothing"),
    Trouble.NO_HTTP: (Stage.ANSWER, "correct base_url: https:// for http://, or the port"),
}


class Way(NamedTuple):
    """Where to connect for a provider: `at` is its proxy, or the provider itself (`far`)."""

    name: str
    at: str
    far: str
    is_proxied: bool

    def cure(self, trouble: Trouble) -> str:
        """What to do about `trouble`."""
        setting = "proxy" if self.is_proxied else "base_url"
        return TROUBLES[trouble][1].format(at=self.at, far=self.far, setting=setting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage that was passed, in `took_s`.

    `ends_unix_s` is when a certificate ends, `ahead_s` how far the provider's clock is before ours,
    `status` that of its answer.
    """

    stage: Stage
    took_s: float
    said: str = ""
    ends_unix_s: float | None = None
    ahead_s: float | None = None
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """All that was seen of it, and what cut it, if anything; `why` in the words of who found it."""

    way: Way
    steps: tuple[Step, ...] = ()
    trouble: Trouble | None = None
    why: str = ""

    @property
    def ahead_s(self) -> float | None:
        """How far the provider's clock is before ours, where it told the time."""
        return next((one.ahead_s for one in self.steps if one.ahead_s is not None), None)


def judge_line(line: Line, unix_s: float) -> Iterator[Finding]:
    """A finding for each stage that was reached. `unix_s` is the time now."""
    for step in line.steps:
        yield judge_step(line.way, step, unix_s)
    if line.trouble:
        stage = TROUBLES[line.trouble][0]
        yield bad(line.way.name, stage, line.why, line.way.cure(line.trouble))


def judge_step(way: Way, step: Step, unix_s: float) -> Finding:
    """What to say of a stage that was passed."""
    if step.status == PROXY_LOGIN:
        seen = f"the proxy answers {PROXY_LOGIN}"
        return bad(way.name, step.stage, seen, way.cure(Trouble.PROXY_REFUSES))
    if step.status >= FIRST_OF_ITS_FAULTS:
        cure = f"look at {way.far}, or at the status page of who runs it"
        return doubt(way.name, step.stage, f"{step.said}, {ms(step.took_s)}", cure)
    if step.ends_unix_s is not None:
        return judge_certificate(way, step, step.ends_unix_s - unix_s)
    return good(way.name, step.stage, f"{step.said}, {ms(step.took_s)}")


def judge_certificate(way: Way, step: Step, left_s: float) -> Finding:
    """`left_s` is how long it is valid yet."""
    seen = f"{step.said}, {ms(step.took_s)}, certificate for {left_s / DAY_S:.0f} more days"
    if left_s >= EXPIRES_SOON_S:
        return good(way.name, step.stage, seen)
    return doubt(way.name, step.stage, seen, f"renew the certificate of {way.far}")
