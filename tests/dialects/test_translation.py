"""Which sides a call has that goes on with an answer, and what its provider is asked."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest

from sidecar.core.outcome import Endpoint
from sidecar.dialects.dialect import Json
from sidecar.dialects.resumption import Diverged
from sidecar.dialects.translation import resume
from tests.dialects.resumed import OPENAI, USER, assistant, calling, heard, ids, told_of
from tests.dialects.targets import target


@dataclass
class Asked:
    """A call of an application."""

    endpoint: Endpoint
    fields: Json
    wants_usage: bool = False

    @property
    def body(self) -> bytes:
        """Its bytes, which nobody else would write like this."""
        return orjson.dumps(self.fields).replace(b'":', b'" :')


OLD, NEW = "claude-opus-4-1", "claude-haiku-5-5"
CALLS = {
    Endpoint.CHAT: calling(stream=True),
    Endpoint.MESSAGES: {"model": "m", "max_tokens": 9, "messages": [USER], "stream": True},
    Endpoint.RESPONSES: {"model": "m", "input": "Hi", "stream": True},
}


@pytest.mark.parametrize(("endpoint", "fields"), CALLS.items(), ids=CALLS)
@pytest.mark.parametrize(
    ("kind", "model", "path"),
    [
        ("openai", "m", "/chat/completions"),
        ("anthropic", OLD, "/messages"),
        ("cloudflare", "m", "/chat/completions"),
    ],
)
def test_every_call_goes_on_through_chat(
    endpoint: Endpoint, fields: Json, kind: str, model: str, path: str
) -> None:
    resumed = resume(Asked(endpoint, fields), target(kind, model), told_of("Hello "), prefill=True)

    last = orjson.loads(resumed.outgoing.body)["messages"][-1]
    text = last["content"] if kind != "anthropic" else last["content"][0]["text"]
    assert (resumed.prefilled, resumed.outgoing.path) == (True, path)
    assert (last["role"], text) == ("assistant", "Hello")


def test_a_call_that_is_not_begun_goes_on_as_it_came() -> None:
    asked = Asked(Endpoint.CHAT, calling(stream_options={"include_usage": True}))

    resumed = resume(asked, target("openai"), told_of("Hello"), prefill=False)

    assert (resumed.prefilled, resumed.outgoing.body) == (False, asked.body)


SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
NO_BEGINNING: list[tuple[str, str, Json]] = [
    ("a model that takes none", NEW, calling()),
    ("a model that thinks first", OLD, calling(reasoning_effort="high")),
    ("an answer that has a form", OLD, calling(response_format=FORMAT)),
]


@pytest.mark.parametrize(("_name", "model", "fields"), NO_BEGINNING, ids=ids(NO_BEGINNING))
def test_a_model_is_never_asked_in_words_of_ours(_name: str, model: str, fields: Json) -> None:
    asked = Asked(Endpoint.CHAT, fields)

    resumed = resume(asked, target("anthropic", model), told_of("Hello"), prefill=True)

    turns = orjson.loads(resumed.outgoing.body)["messages"]
    assert (resumed.prefilled, len(turns)) == (False, 1)
    assert b"Hello" not in resumed.outgoing.body


def test_completions_are_answered_from_the_start() -> None:
    asked = Asked(Endpoint.COMPLETIONS, {"model": "m", "prompt": "Hi"})

    resumed = resume(asked, target("openai"), told_of("Hello"), prefill=True)

    assert (resumed.prefilled, resumed.outgoing.path) == (False, "/completions")


def test_what_mistral_repeats_of_the_beginning_is_not_heard_again() -> None:
    fields = calling(assistant("Well, "))
    told = told_of("hello \n")
    reader = resume(Asked(Endpoint.CHAT, fields), target("mistral"), told, prefill=True).reader()

    assert heard(reader, OPENAI.events(["Well, he", "llo \n", "you"])) == "you"


def test_mistral_must_repeat_the_beginning() -> None:
    told = told_of("hello ")
    reader = resume(Asked(Endpoint.CHAT, calling()), target("mistral"), told, prefill=True).reader()

    with pytest.raises(Diverged):
        heard(reader, OPENAI.events(["you"]))


def test_who_goes_on_may_answer_whole() -> None:
    resumed = resume(Asked(Endpoint.CHAT, calling()), target("openai"), told_of("H"), prefill=False)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Hi"},
        "finish_reason": "stop",
    }

    answered = resumed.read_answer(orjson.dumps({"choices": [choice]}))

    assert answered.answer["choices"] == [choice]
