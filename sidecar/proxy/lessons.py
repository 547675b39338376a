"""What a provider's refusal teaches: which key to pass over, which field to leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import orjson

from sidecar.core.capability import Capability
from sidecar.core.failover import Failure
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.core.settings import Entry
from sidecar.proxy.call import Call
from sidecar.proxy.upstream import Upstream
from sidecar.proxy.wire import Request
from sidecar.proxy.words import RESPONSES


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
    return Lesson(replace(failure, again=failure.again or learn(asked, failure)), one_key)


def learn(asked: Asked, failure: Failure) -> bool:
    """Whether there was something new to learn of what the provider takes."""
    learned = asked.upstream.learned
    if failure.outcome is Outcome.UNSUPPORTED_PARAM:
        model = asked.entry.model or asked.call.model
        return learned.learn(model, failure, orjson.loads(asked.request.body))
    if failure.outcome is not Outcome.NOT_SUPPORTED or not could_do_without(asked):
        return False
    learned.note_lack(RESPONSES)
    return True


def could_do_without(asked: Asked) -> bool:
    """Whether the provider's own Responses API was asked for what chat completions can do."""
    upstream, call = asked.upstream, asked.call
    stateless = Capability.RESPONSES not in call.needs
    native = upstream.preset.responses and not upstream.learned.lacks(RESPONSES)
    return call.endpoint is Endpoint.RESPONSES and native and stateless
