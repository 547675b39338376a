"""A call in the words of a provider that speaks OpenAI."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from sidecar.core.outcome import Endpoint
from sidecar.dialects.dialect import Outgoing, Target
from sidecar.dialects.memory import Memory
from sidecar.dialects.openai_side import outgoing
from sidecar.dialects.presets import PRESETS


def target(model: str = "m", kind: str = "openai", **changes: Any) -> Target:
    return Target(
        **{
            "provider": "p",
            "preset": PRESETS[kind],
            "model": model,
            "seed": "s",
            "created": 0,
            "memory": Memory(),
            **changes,
        }
    )


def said(body: bytes, to: Target, endpoint: Endpoint = Endpoint.CHAT) -> Outgoing:
    return outgoing(endpoint, orjson.loads(body), to, body)


def test_a_body_for_the_same_model_goes_on_as_the_very_bytes_it_came_in() -> None:
    body = b'{ "model": "m",  "n": 1.0 }'

    assert said(body, target()).body is body


def test_only_the_model_changes_for_another_one() -> None:
    body = b'{"model":"m","messages":[{"content":"\xc3\xbc"}],"seed":123456789012345678901234}'

    assert said(body, target("other")).body == body.replace(b'"m"', b'"other"')


def test_a_model_that_hides_behind_an_escape_is_found() -> None:
    body = b'{"\\u006dodel":"m","seed":123456789012345678901234}'

    assert orjson.loads(said(body, target("other")).body)["model"] == "other"
    assert b"123456789012345678901234" in said(body, target("other")).body


STREAMED: list[tuple[str, bytes]] = [
    ("nothing said of it", b'{"model":"m","stream":true}'),
    ("after a space", b' {"model":"m","stream":true}'),
    ("other options", b'{"model":"m","stream":true,"stream_options":{"include_usage":false}}'),
    ("options of null", b'{"model":"m","stream":true,"stream_options":null}'),
    ("said already", b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'),
]


@pytest.mark.parametrize("body", [row[1] for row in STREAMED], ids=[row[0] for row in STREAMED])
@pytest.mark.parametrize("model", ["m", "other"])
def test_a_stream_is_always_asked_for_its_tokens(body: bytes, model: str) -> None:
    heard = orjson.loads(said(body, target(model)).body)

    assert heard == {"model": model, "stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("space", ["", " "])
@pytest.mark.parametrize("model", ["m", "other"])
def test_a_body_in_another_encoding_is_written_anew(encoding: str, space: str, model: str) -> None:
    fields = {"model": "m", "stream": True, "user": "ü"}
    body = (space + json.dumps(fields, ensure_ascii=False)).encode(encoding)

    heard = outgoing(Endpoint.CHAT, json.loads(body), target(model), body).body

    counting = {"stream_options": {"include_usage": True}}
    assert orjson.loads(heard) == {**fields, "model": model, **counting}


def test_embeddings_are_not_asked_for_what_they_do_not_know() -> None:
    body = b'{"model":"m","input":"x","stream":true}'

    assert said(body, target(), Endpoint.EMBEDDINGS).body == body


def test_a_field_that_is_known_to_be_refused_is_left_out_and_named() -> None:
    out = said(b'{"model":"m","seed":1}', target(without=frozenset(("seed", "store"))))

    assert orjson.loads(out.body) == {"model": "m"}
    assert out.dropped == ("seed",)


def test_a_model_may_be_part_of_the_address() -> None:
    out = said(b'{"model":"m"}', target("my/model", "azure-deployments"))

    assert out.path.startswith("/deployments/my%2Fmodel/chat/completions?api-version=")
