"""A call in the words of the provider that is to be asked, and what its refusals teach."""

from __future__ import annotations

import logging
import re
from typing import NamedTuple

from sidecar.core.headers import to_provider
from sidecar.core.outcome import Endpoint
from sidecar.core.settings import Entry
from sidecar.core.trace import TraceContext
from sidecar.dialects.anthropic.native import NativeMessages
from sidecar.dialects.dialect import Target, Untranslatable
from sidecar.dialects.presets import Preset
from sidecar.dialects.resumption import Told
from sidecar.dialects.translation import Translation, resume, translate
from sidecar.proxy.call import Call
from sidecar.proxy.upstream import UNREADABLE, VERSION, Upstream
from sidecar.proxy.wire import Headers, Request

log = logging.getLogger(__name__)

RESPONSES = "responses"
KEPT = "/responses/"
VERSION_FORM = re.compile("[0-9A-Za-z.-]{1,32}")
NATIVE = (Endpoint.MESSAGES, Endpoint.PASSTHROUGH)  # whose callers say which version they speak


class Words(NamedTuple):
    """What goes out, and how its answer is read and passed on (`None`: as it is).

    `dropped` are the call's fields that the provider does not hear. `kept`: it is about a response
    that the provider keeps.
    """

    request: Request
    translation: Translation | None = None
    dropped: tuple[str, ...] = ()
    kept: bool = False

    def within(self, trace: TraceContext) -> Words:
        """The same, telling which trace it belongs to."""
        passed = [*self.request.passed, *trace.headers()]
        return self._replace(request=self.request._replace(passed=passed))


SILENCE = Words(Request("", "", b""))


class Now(NamedTuple):
    """The time, by both clocks."""

    unix: float
    monotonic: float


def put(call: Call, entry: Entry, upstream: Upstream, now: Now, told: Told | None = None) -> Words:
    """The call as `entry` is to hear it. Raises `Untranslatable`.

    `told` is what was heard already of the answer that it is to go on with.
    """
    preset = upstream.preset
    passed = to_provider(call.headers, upstream.vendor)
    target = target_of(call, entry.model or call.model, upstream, now)
    if call.endpoint is Endpoint.PASSTHROUGH:
        body, ours = passed_body(call, target)
        request = Request(call.method, passed_path(preset, call.path), body, passed, ours)
        return Words(request, kept=call.path.startswith(KEPT))
    translation = translated(call, target)
    if told:
        going_on = resume(call, target, told, prefill=entry.prefill)
        translation = translation._replace(provider=going_on)
    out = translation.provider.outgoing
    request = Request(call.method, out.path, out.body, passed, out.headers)
    return Words(request, translation, translation.dropped + out.dropped)


def translated(call: Call, target: Target) -> Translation:
    """The call's two sides. What is too odd to be translated is not the provider's fault."""
    try:
        return translate(call, target)
    except UNREADABLE as error:
        log.warning("a request could not be translated", exc_info=error)
        raise Untranslatable("The request cannot be put into the provider's format.") from error


def passed_body(call: Call, target: Target) -> tuple[bytes, Headers]:
    """The body of what is passed through: as it came, or the message whose tokens to count."""
    if not call.fields:
        return call.body, ()
    out = NativeMessages(call.fields, target).outgoing
    return out.body, out.headers


def passed_path(preset: Preset, path: str) -> str:
    """The path of what is passed through, with what this kind of provider wants behind it."""
    if not preset.query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{preset.query}"


def target_of(call: Call, model: str, upstream: Upstream, now: Now) -> Target:
    """Whom the call is put into words for."""
    known = upstream.learned.known(model, now.monotonic)
    return Target(
        provider=upstream.provider.name,
        preset=upstream.preset,
        model=model,
        seed=call.id,
        created=int(now.unix),
        memory=upstream.memory,
        version=version_of(call, upstream),
        without=known.without,
        max_tokens=known.max_tokens,
        lacks_responses=upstream.learned.lacks(RESPONSES, now.monotonic),
    )


def version_of(call: Call, upstream: Upstream) -> str:
    """The version of the provider's API that the operator wants, else the application."""
    if upstream.version or call.endpoint not in NATIVE:
        return upstream.version
    stated = next((value for name, value in call.headers if name.lower() == VERSION), "")
    return stated if VERSION_FORM.fullmatch(stated) else ""
