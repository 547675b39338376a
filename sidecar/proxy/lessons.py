"""What a provider's refusal teaches: which key to pass over, which field to leave out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

from sidecar.core.failover import Failure
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.core.settings import Entry
from sidecar.dialects.responses.needs import first_need, needs_native
from sidecar.proxy.call import Call, Rejected, read_fields
from sidecar.proxy.upstream import Upstream
from sidecar.proxy.wire import Request
from sidecar.proxy.words import RESPONSES

NO_SUCH_PATH = (404, 405, 501)
# What servers say of a path that they do not know, and not of a model that cannot do something.
NOTHING_THERE = re.compile(
    r"^\W*(?:\d{3}\W*)?(?:(?:page|path|route|url|resource|endpoint|method) )?"
    r"(?:not found|not allowed|not implemented)\b"
    r"|(?:invalid|unknown) (?:request )?url|cannot post|no route|/responses",
    re.IGNORECASE,
)


class Lesson(NamedTuple):
    """The failure as it is now, and whether it was the fault of one key of several."""

    failure: Failure
    one_key: bool


class Asked(NamedTuple):
    """Who was asked what, and with which key."""

    call: Call
    entry: Entry
    upstream: Upstream
    request: Request
    key: int


def heed(asked: Asked, failure: Failure, now_s: float) -> Lesson:
    """Remember what `failure` teaches; `again` where the same provider is worth asking once more.

    `now_s` is monotonic.
    """
    label = asked.entry.model_label
    failure = asked.upstream.heed(asked.key, label, failure, now_s)
    one_key = asked.upstream.has_other_keys(failure, label, now_s)
    return Lesson(replace(failure, again=failure.again or learn(asked, failure, now_s)), one_key)


def in_view_of(call: Call, failure: Failure) -> Failure:
    """What a refusal means for what only a Responses API can serve: that is the caller's to change.

    Either there is no such API, or it does not know what the call names.
    """
    if call.endpoint is not Endpoint.RESPONSES or failure.outcome is not Outcome.NOT_SUPPORTED:
        return failure
    need = first_need(call.fields)
    if need is None:
        return failure
    told = f"{need.reason}, and this provider does not know it: {failure.message or failure.status}"
    return replace(failure, outcome=Outcome.BAD_REQUEST, param=need.param, message=told)


def learn(asked: Asked, failure: Failure, now_s: float) -> bool:
    """Whether there was something new to learn of what the provider takes."""
    learned = asked.upstream.learned
    if failure.outcome is Outcome.UNSUPPORTED_PARAM:
        model = asked.entry.model or asked.call.model
        return learned.learn(model, failure, fields_of(asked.request), now_s)
    if not (is_no_such_path(failure) and could_do_without(asked, now_s)):
        return False
    learned.note_lack(RESPONSES, now_s)
    return True


def fields_of(request: Request) -> dict[str, Any]:
    """What was sent, read as leniently as the application was."""
    try:
        return read_fields(request.body)
    except Rejected:
        return {}


def is_no_such_path(failure: Failure) -> bool:
    """Whether a provider says that there is nothing at all where it was asked."""
    refused = failure.outcome is Outcome.NOT_SUPPORTED and failure.status in NO_SUCH_PATH
    return refused and (not failure.message or bool(NOTHING_THERE.search(failure.message)))


def could_do_without(asked: Asked, now_s: float) -> bool:
    """Whether the provider's own Responses API was asked for what chat completions can do."""
    upstream, call = asked.upstream, asked.call
    stateless = not needs_native(call.fields)
    native = upstream.preset.responses and not upstream.learned.lacks(RESPONSES, now_s)
    return call.endpoint is Endpoint.RESPONSES and native and stateless
