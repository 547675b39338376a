"""Answers that say 200 and are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from sidecar.faults.answer import Json, Scene
from sidecar.faults.fault import Effect, Fault, Script, headers, play_well
from sidecar.faults.healthy import body_of
from sidecar.faults.refusals import FAILED, JSON, LOADING, OVER, PAGE, openai, table
from sidecar.faults.steps import Close, Send, Step
from sidecar.faults.wire import whole

ENVELOPE: Json = {"success": False, "errors": [{"code": 5012, "message": FAILED}], "result": None}


def altered(alter: Callable[[Json], Any]) -> Script:
    """Answer whole, streamed or not, after `alter` has been at the JSON."""

    def script(scene: Scene) -> Iterator[Step]:
        body = orjson.dumps(alter(orjson.loads(body_of(scene)[0])))
        yield Send(whole(200, headers(scene, JSON), body))

    return script


def without_choices(body: Json) -> Json:
    """All but the choices."""
    return {name: value for name, value in body.items() if name != "choices"}


def half(scene: Scene) -> Iterator[Step]:
    """Half of the JSON, with a length that fits it."""
    body, content_type = body_of(scene)
    yield Send(whole(200, headers(scene, content_type), body[: len(body) // 2]))


def shorter_than_said(scene: Scene) -> Iterator[Step]:
    """All but the last ten bytes of what the length promises."""
    body, content_type = body_of(scene)
    yield Send(whole(200, headers(scene, content_type), body)[:-10])
    yield Close()


OK = Fault("ok", "answers well", Effect.SERVED, play_well)

FAULTS = (
    OK,
    Fault("json_for_stream", "answers whole, not in a stream", Effect.SERVED, altered(dict), True),
    *table(
        OVER,
        ("ok_error", "answers 200 with an error", 200, openai(FAILED)),
        ("ok_error_string", "answers 200, the error a string", 200, {"error": FAILED}),
        ("ok_error_envelope", "answers 200 with an envelope of errors", 200, ENVELOPE),
        ("ok_warming", "answers 200, the model still loading", 200, LOADING),
        ("ok_html", "answers 200 with a page of HTML", 200, PAGE),
        ("ok_text", "answers 200 with plain text", 200, FAILED),
        ("ok_empty", "answers 200 with nothing", 200, b""),
        ("ok_null", "answers 200 with null", 200, b"null"),
    ),
    Fault("ok_half", "answers 200 with half of the JSON", OVER, half),
    Fault("ok_short", "closes before the length it promised", OVER, shorter_than_said),
    Fault("choices_missing", "leaves out the choices", OVER, altered(without_choices)),
    Fault(
        "choices_empty", "answers no choices", OVER, altered(lambda body: body | {"choices": []})
    ),
    Fault(
        "choices_null", "answers null choices", OVER, altered(lambda body: body | {"choices": None})
    ),
)
