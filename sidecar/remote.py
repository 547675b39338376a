"""A running sidecar as the operator's commands reach it: through its admin listener."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from sidecar.config import ConfigError, Place, Problem, find_config, load
from sidecar.config.addresses import AddressText
from sidecar.config.problem import Wrong, printable, shortened
from sidecar.core.settings import Address, Secret

Json = dict[str, Any]

DEFAULT = Address(host="127.0.0.1", port=9464)
TIMEOUT_S = 5.0  # for connecting and for each piece of the answer
MAX_ANSWER_BYTES = 16 * 1024**2

NO_SIDECAR = "answers, but not as a sidecar's admin listener"
REFUSALS = {
    401: "{at} asks for a token: set SIDECAR_ADMIN_TOKEN to the sidecar's admin_token",
    403: "{at} refuses the change: {message}",
    404: "{at} does not know this: {message}",
    503: "{at} could not do it: {message}",
}


class RemoteError(Exception):
    """The running sidecar is not there or does not comply; says why in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A sidecar at `address`. `doubt` is what to add to an error if nobody answers there."""

    address: Address
    token: Secret | None = None
    doubt: str = ""

    def status(self) -> Json:
        """Ask for `/status.json`."""
        return self._call("GET", "/status.json", expected=("sentence", "providers", "routes"))

    def report(self) -> Json:
        """Ask for `/report.json`."""
        return self._call("GET", "/report.json", expected=("providers", "suggestions"))

    def breakers(self) -> list[str]:
        """The names of all breakers."""
        return [provider["name"] for provider in self.status()["providers"]]

    def change(self, breaker: str, word: str, **body: str) -> Json:
        """Hold, release or reset (`word`) a breaker; returns its new state."""
        name = quote(breaker, safe="", errors="surrogateescape")
        return self._call("POST", f"/-/breakers/{name}/{word}", body, expected=("state",))

    def _call(
        self, method: str, path: str, body: Json | None = None, *, expected: Sequence[str]
    ) -> Json:
        text = None if body is None else json.dumps(body)
        # http.client knows no proxies: the token goes to the sidecar and nowhere else
        connection = HTTPConnection(self.address.host, self.address.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, text, self._headers())
            answer = connection.getresponse()
            payload = as_object(answer.read(MAX_ANSWER_BYTES))
        except (OSError, UnicodeError) as error:  # the latter from a name that no resolver takes
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise RemoteError(f"no sidecar answers at {self.address}{self.doubt}: {why}") from error
        except HTTPException as error:
            raise RemoteError(f"{self.address} {NO_SIDECAR}") from error
        finally:
            connection.close()
        self._check(answer.status, payload, expected)
        return payload

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token is None:
            return headers
        token = self.token.reveal()
        if not (token.isascii() and token.isprintable()):
            # http.client would say so too, and show the token
            raise RemoteError("SIDECAR_ADMIN_TOKEN holds characters that no header can carry")
        return {**headers, "Authorization": f"Bearer {token}"}

    def _check(self, status: int, payload: Json, expected: Sequence[str]) -> None:
        if status != 200:
            message = printable(message_of(payload)) or "it does not say why"
            refusal = REFUSALS.get(status, "{at} answered {status}: {message}")
            raise RemoteError(refusal.format(at=self.address, status=status, message=message))
        if not payload.keys() >= set(expected):
            raise RemoteError(f"{self.address} {NO_SIDECAR}")


def as_object(text: bytes) -> Json:
    """The JSON object that `text` is; an empty one if it is none."""
    try:
        payload = json.loads(text)
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def message_of(payload: Json) -> str:
    """The message of an error in OpenAI's shape; empty where there is none."""
    error = payload.get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def find_remote(argument: Address | None, config: str | None, environ: Mapping[str, str]) -> Remote:
    """Find the sidecar that the operator means, and the token to show it.

    It is at `argument`, else at `$SIDECAR_ADMIN`, else where the configuration that serve would
    use puts its admin listener, else at the default. `ConfigError` if the variable is no address.
    """
    token = environ.get("SIDECAR_ADMIN_TOKEN", "").strip()
    remote = Remote(address=DEFAULT, token=Secret(token) if token else None)
    if stated := argument or from_environment(environ):
        return replace(remote, address=reachable(stated))
    try:
        return replace(remote, address=reachable(configured(config, environ)))
    except ConfigError:
        return replace(remote, doubt=" (the default: the configuration cannot be loaded)")


def from_environment(environ: Mapping[str, str]) -> Address | None:
    """What `$SIDECAR_ADMIN` says."""
    text = environ.get("SIDECAR_ADMIN")
    try:
        return AddressText().parse(text) if text else None
    except Wrong as wrong:
        place = Place("SIDECAR_ADMIN")
        problem = Problem(
            place=place, what=str(wrong), got=shortened(text or ""), meant=wrong.meant
        )
        raise ConfigError([problem]) from wrong


def configured(config: str | None, environ: Mapping[str, str]) -> Address:
    """Where the configuration puts the admin listener."""
    path = find_config(config, environ)
    return load(path, environ).settings.admin if path else DEFAULT


def reachable(address: Address) -> Address:
    """Where to call a listener that is bound to `address`: all addresses are called as loopback."""
    try:
        bound = ip_address(address.host)
    except ValueError:
        return address
    if not bound.is_unspecified:
        return address
    return replace(address, host="127.0.0.1" if bound.version == 4 else "::1")
