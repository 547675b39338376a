"""What may be gone on with, what the next provider is asked, and what is left of its answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.core.answer import Piece
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event
from sidecar.dialects.dialect import Json, Reading
from sidecar.dialects.openai import (
    CONTENT,
    GARBLED,
    NOISE,
    REASONING,
    SILENT,
    THE_END,
    ChatReader,
)
from sidecar.dialects.resumption import (
    MAX_TOLD_CHARS,
    Continuation,
    Diverged,
    Told,
    can_prefill,
    prefilled,
)
from tests.dialects.resumed import (
    ANTHROPIC,
    OPENAI,
    USAGE,
    USER,
    assistant,
    calling,
    chunk,
    delta,
    events_of,
    heard,
    ids,
    reading,
    sse,
    told_of,
)
from tests.dialects.targets import target

ZERO = frozenset((0,))


def saying(*said: Reading) -> Told:
    """What was heard of `Hello` and of these."""
    told = told_of("Hello")
    for one in said:
        told.note(one)
    return told


def completed(**choice: Any) -> Reading:
    return reading({"index": 0, "finish_reason": None, **choice})


HARMLESS = [
    ("a role", reading(delta(role="assistant", content=""))),
    ("reasoning", reading(delta(reasoning_content="Hm"))),
    ("other reasoning", reading(delta(reasoning="Hm", reasoning_details=[{"text": "Hm"}]))),
    ("nothing", reading(delta())),
    ("no content", reading(delta(content=None, refusal=None, tool_calls=None))),
    ("no calls", reading(delta(tool_calls=[], refusal=""))),
    ("text in parts", reading(delta(content=[{"type": "text", "text": ""}]))),
    ("no finish", reading(delta("", content=""))),
    ("logprobs of none", reading({**delta(), "logprobs": None})),
    ("usage", reading(usage=USAGE)),
    ("no choices", reading(prompt_filter_results=[])),
    ("a signature", reading(delta(extra_content={"google": {"thought_signature": "c2ln"}}))),
    ("no chunk", Reading(NOISE)),
    ("a native event without content", Reading(SILENT, raw=b"data: {}\n\n")),
]
FINAL = [
    ("a tool call", reading(delta(tool_calls=[{"index": 0, "id": "t1"}]))),
    ("a function call", reading(delta(function_call={"name": "f"}))),
    ("a refusal", reading(delta(refusal="No."))),
    ("audio", reading(delta(audio={"data": "AAAA"}))),
    ("images", reading(delta(images=[{"type": "image_url"}]))),
    ("another choice", reading(delta(None, 1, content="Hi"))),
    ("the role of another choice", reading(delta(None, 1, role="assistant"))),
    ("a finish", reading(delta("stop"))),
    ("a finish that is no word", reading(delta(5))),
    ("content that is no text", reading(delta(content={"text": "Hi"}))),
    ("content that is a number", reading(delta(content=5))),
    ("logprobs", reading({**delta(content="!"), "logprobs": {"content": [{"token": "!"}]}})),
    ("a native event", Reading(CONTENT, raw=b'data: {"type":"text"}\n\n')),
    ("a choice that is none", Reading(SILENT, ({"choices": [5]},))),
    ("a completion's finish", completed(text="", finish_reason="stop")),
    ("a completion's text that is none", completed(text=["Hi"])),
]


@pytest.mark.parametrize(("_name", "said"), HARMLESS, ids=ids(HARMLESS))
def test_what_is_no_content_may_come_with_the_text(_name: str, said: Reading) -> None:
    told = saying(said, reading(delta(content=" you")))

    assert (told.resumable, told.text) == (True, "Hello you")


@pytest.mark.parametrize(("_name", "said"), FINAL, ids=ids(FINAL))
def test_nobody_goes_on_after_what_is_not_text(_name: str, said: Reading) -> None:
    told = saying(said, reading(delta(content=" you")))

    assert not told.resumable


@pytest.mark.parametrize(("_name", "said"), HARMLESS, ids=ids(HARMLESS))
def test_nobody_goes_on_with_no_text(_name: str, said: Reading) -> None:
    told = Told()
    told.note(said)

    assert (told.resumable, told.text) == (False, "")


def test_completions_are_told_as_well() -> None:
    told = Told()
    for text in ("Hel", "lo", ""):
        told.note(completed(text=text, logprobs=None))

    assert (told.resumable, told.text) == (True, "Hello")


def test_many_small_pieces_are_one_text() -> None:
    told = told_of(*["ab "] * 10_000)

    assert (told.resumable, told.text, told.text) == (True, "ab " * 10_000, "ab " * 10_000)


def test_an_answer_that_is_too_long_is_let_go() -> None:
    longest = told_of("a" * MAX_TOLD_CHARS)
    longer = told_of("a" * MAX_TOLD_CHARS, "a")

    assert (longest.resumable, longer.resumable) == (True, False)
    assert (len(longest.text), longer.text) == (MAX_TOLD_CHARS, "")


def test_an_answer_is_known_by_its_first_id() -> None:
    told = Told()
    told.note(reading(id="", created=0, prompt_filter_results=[]))  # as Azure begins
    told.note(reading(delta(content="Hi"), id="c1", created=7))
    told.note(reading(delta(content="Hi"), id="c2", created=8))

    assert told.head == {"id": "c1", "created": 7}


# What is asked


def test_the_text_becomes_the_beginning_of_the_answer() -> None:
    fields = calling(stream=True)

    asked = prefilled(fields, told_of("Hello", " you"), target("openai"))

    assert asked == calling(assistant("Hello you"), stream=True)
    assert fields == calling(stream=True)


def test_the_beginning_ends_with_no_white_space() -> None:
    asked = prefilled(calling(), told_of("  Hello \n\t\u00a0"), target("openai"))

    assert asked["messages"][-1] == assistant("  Hello")


def test_what_the_application_began_is_gone_on_with() -> None:
    fields = calling(assistant("Well, ", name="a"))

    asked = prefilled(fields, told_of("hello "), target("openai"))

    assert asked["messages"] == [USER, assistant("Well, hello", name="a")]
    assert fields["messages"] == [USER, assistant("Well, ", name="a")]


def test_vllm_is_told_not_to_begin_another_turn() -> None:
    asked = prefilled(calling(), told_of("Hello"), target("vllm"))

    assert asked == calling(
        assistant("Hello"), continue_final_message=True, add_generation_prompt=False
    )


def test_mistral_is_told_that_the_message_is_a_beginning() -> None:
    asked = prefilled(calling(), told_of("Hello"), target("mistral"))

    assert asked["messages"][-1] == assistant("Hello", prefix=True)


NOT_BEGUN: list[tuple[str, Json, str, str]] = [
    ("only white space", calling(), " \n", "openai"),
    ("nothing", calling(), "", "openai"),
    ("half a character", calling(), "Hi \ud83d", "openai"),
    ("no messages", {"model": "m", "prompt": "Hi"}, "Hi", "openai"),
    ("no message", {"model": "m", "messages": []}, "Hi", "openai"),
    ("no turn", {"model": "m", "messages": ["Hi"]}, "Hi", "openai"),
    ("in parts", calling(assistant([{"type": "text", "text": "Hi"}])), "Hi", "openai"),
    ("without content", calling(assistant(None)), "Hi", "openai"),
    ("a call", calling(assistant("Hi", tool_calls=[{"id": "t1"}])), "Hi", "openai"),
    ("an old call", calling(assistant("", function_call={"name": "f"})), "Hi", "openai"),
    ("a refusal", calling(assistant("", refusal="No.")), "Hi", "openai"),
]


@pytest.mark.parametrize(("_name", "fields", "text", "kind"), NOT_BEGUN, ids=ids(NOT_BEGUN))
def test_some_answers_have_no_beginning(_name: str, fields: Json, text: str, kind: str) -> None:
    assert not can_prefill(fields, told_of(text), target(kind))


BEGUN: list[tuple[str, Json]] = [
    ("a question", calling()),
    ("a result", calling({"role": "tool", "tool_call_id": "t1", "content": "4"})),
    ("a beginning", calling(assistant("Well,", tool_calls=[], refusal=None))),
]


@pytest.mark.parametrize(("_name", "fields"), BEGUN, ids=ids(BEGUN))
def test_others_have(_name: str, fields: Json) -> None:
    assert can_prefill(fields, told_of("Hello"), target("openai"))


def test_who_refuses_the_word_for_it_is_given_no_beginning() -> None:
    refusing = target("vllm", without=frozenset(("continue_final_message",)))

    assert not can_prefill(calling(), told_of("Hello"), refusing)


# What is left of the answer


def continuing(*told: str, prefilled: bool = False) -> Continuation:
    return Continuation(ChatReader("s2"), told_of(*told), prefilled=prefilled)


def said(*choices: Json, **fields: Any) -> Event:
    return events_of(sse([chunk(*choices, id="c2", **fields)]))[0]


def test_what_was_said_is_swallowed_and_counts_as_progress() -> None:
    reader = continuing("Hello", " you")

    read = [reader.read(said(delta(content=text))) for text in ("Hell", "o y")]

    assert read == [Reading(REASONING, [])] * 2


def test_the_first_new_words_begin_within_an_event() -> None:
    read = continuing("Hello").read(said(delta(role="assistant", content="Hello you")))

    begun = chunk(delta(content=" you"), id="c1", model="m-c2")
    assert read == Reading(CONTENT, [begun])


def test_the_answer_goes_on_under_its_first_id_by_another_model() -> None:
    reader = continuing("Hello")
    reader.read(said(delta(content="Hello")))

    (more,) = reader.read(said(delta(content="!"), system_fingerprint="f")).chunks

    assert more == chunk(delta(content="!"), id="c1", model="m-c2", system_fingerprint="f")


def test_nothing_is_changed_in_what_was_read() -> None:
    given = chunk(delta(role="assistant", content="Hello you"))
    before = orjson.dumps(given)

    continuing("Hello").rest_of(Reading(CONTENT, (given,)))

    assert orjson.dumps(given) == before


def test_the_role_and_the_thoughts_are_not_said_again() -> None:
    reader = continuing("H", prefilled=True)
    thought = reader.read(said(delta(role="assistant", reasoning="Hm", reasoning_content="Hm")))

    (mixed,) = reader.read(said(delta(content="i", reasoning_content="Hm"))).chunks

    assert thought == Reading(REASONING, [])
    assert mixed["choices"] == [delta(content="i")]


def test_places_in_a_text_of_another_beginning_are_not_said() -> None:
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2}}

    (more,) = (
        continuing("H", prefilled=True).read(said(delta(content="i", annotations=[cited]))).chunks
    )

    assert more["choices"] == [delta(content="i")]


def test_probabilities_of_a_part_are_not_said() -> None:
    token = {"content": [{"token": "Hello you", "logprob": -1}]}

    (more,) = (
        continuing("Hello").read(said({**delta(content="Hello you"), "logprobs": token})).chunks
    )

    assert more["choices"] == [{**delta(content=" you"), "logprobs": None}]


def test_what_else_comes_is_passed_on_once_the_words_are_new() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    reader = continuing("Hello")

    before = reader.read(said(delta(content="Hello", **signed)))
    after = reader.read(said(delta(**signed)))

    assert before == Reading(REASONING, [])
    assert [one["choices"] for one in after.chunks] == [[delta(**signed)]]


def test_a_finish_within_the_last_words_that_were_said_ends_the_answer() -> None:
    read = continuing("Hello").read(said(delta("stop", content="Hello")))

    end = chunk(delta("stop", content=""), id="c1", model="m-c2")
    assert read == Reading(Piece(ends=ZERO, reasoning=True), [end])


def test_a_finish_with_new_words_begins_and_ends_the_answer() -> None:
    read = continuing("Hello").read(said(delta("length", content="Hello you")))

    assert read.piece == Piece(starts=ZERO, ends=ZERO, cut=True)


@pytest.mark.parametrize("prefilled", [True, False])
def test_an_answer_that_was_all_said_is_whole(prefilled: bool) -> None:
    reader = continuing("Hello ", prefilled=prefilled)
    events = OPENAI.events([] if prefilled else ["Hello", " "])

    read = [reader.read(event) for event in events]

    (end,) = [one for reading in read for one in reading.chunks]
    assert end["choices"] == [delta("stop")]
    assert [reading.piece for reading in read][-3:] == [
        Piece(ends=ZERO),
        Piece(usage=Usage(5, 7)),
        THE_END,
    ]


@pytest.mark.parametrize("form", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
def test_the_tokens_are_counted_at_the_end_under_the_first_id(form: Any) -> None:
    reader = Continuation(form.reader(), told_of("Hello"), prefilled=False)
    for event in form.events(["Hello"]):
        reader.read(event)

    (last,) = reader.end()

    assert (last["id"], last["created"], last["choices"]) == ("c1", 2, [])
    assert last["usage"]["completion_tokens"] == 7


def test_an_answer_without_an_id_takes_that_of_who_goes_on() -> None:
    told = Told()
    told.note(Reading(CONTENT, ({"choices": [delta(content="Hello")]},)))
    reader = Continuation(ChatReader("s2"), told, prefilled=False)

    (more,) = reader.read(said(delta(content="Hello you"))).chunks

    assert more["id"] == "c2"


PASSED: list[tuple[str, bytes, Piece]] = [
    ("noise", b'{"type":"ping"}', NOISE),
    ("garbage", b"{", GARBLED),
]


@pytest.mark.parametrize(("_name", "data", "piece"), PASSED, ids=ids(PASSED))
def test_what_is_no_answer_means_what_it_means(_name: str, data: bytes, piece: Piece) -> None:
    assert continuing("Hello").read(Event(data)) == Reading(piece, [])


def test_a_failure_is_one() -> None:
    read = continuing("Hello").read(Event(b'{"error":{"message":"overloaded","code":503}}'))

    assert read.piece.failure is not None
    assert not read.chunks


DIVERGING: list[tuple[str, list[Json]]] = [
    ("another word", [delta(content="Help")]),
    ("another word at once", [delta(content="Bye")]),
    ("another word later", [delta(content="Hel"), delta(content="p")]),
    ("another case", [delta(content="hello")]),
    ("white space first", [delta(content=" Hello")]),
    ("an early end", [delta(content="Hell"), delta("stop")]),
    ("an early end with words", [delta("length", content="Hell")]),
    ("nothing", [delta("stop")]),
    ("a tool call", [delta(tool_calls=[{"index": 0, "id": "t1"}])]),
    ("a tool call too early", [delta(content="Hell"), delta(tool_calls=[{"id": "t1"}])]),
    ("an old call after all", [delta(content="Hello"), delta(function_call={"name": "f"})]),
    ("an old call", [delta(function_call={"name": "f"})]),
    ("a refusal", [delta(refusal="No.")]),
    ("a refusal with the end", [delta(content="Hello"), delta("content_filter", refusal="No.")]),
    ("audio", [delta(audio={"data": "AAAA"})]),
    ("another choice", [delta(None, 1, content="Hello")]),
    ("content that is no text", [delta(content={"text": "Hello"})]),
    ("a completion", [{"index": 0, "text": "Help", "finish_reason": None}]),
]


@pytest.mark.parametrize(("_name", "choices"), DIVERGING, ids=ids(DIVERGING))
def test_another_answer_diverges(_name: str, choices: list[Json]) -> None:
    reader = continuing("Hello")
    *before, last = [said(choice) for choice in choices]
    swallowed = [reader.read(event).chunks for event in before]

    with pytest.raises(Diverged) as raised:
        reader.read(last)

    assert not any(swallowed)
    assert (raised.value.outcome, raised.value.blameless) == (Outcome.CANCELLED, True)
    assert "another provider would have gone on differently" in raised.value.message


def test_a_stream_that_is_done_before_all_was_repeated_diverges() -> None:
    reader = continuing("Hello")
    reader.read(said(delta(content="Hell")))

    with pytest.raises(Diverged):
        reader.read(Event(b"[DONE]"))


def test_words_that_nobody_can_compare_diverge() -> None:
    with pytest.raises(Diverged):
        continuing("Hello").rest_of(Reading(CONTENT, raw=b'data: {"type":"text"}\n\n'))


def test_a_choice_among_several_diverges() -> None:
    with pytest.raises(Diverged):
        continuing("Hello").read(said(delta(content="Hello"), delta(None, 1, content="Hi")))


# What was said, what the next provider says of the white space at its end, what is new.
BLANKS: list[tuple[str, list[str], str]] = [
    ("Hello", ["you"], "you"),
    ("Hello", [" you"], " you"),
    ("Hello ", ["you"], "you"),
    ("Hello ", [" you"], "you"),
    ("Hello ", [" ", "you"], "you"),
    ("Hello ", [" ", " you"], " you"),
    ("Hello ", ["  you"], " you"),
    ("Hello ", ["\nyou"], "\nyou"),
    ("Hello \n", [" \nyou"], "you"),
    ("Hello \n", [" ", "\n", "you"], "you"),
    ("Hello \n", [" you"], "you"),
    ("Hello \n", [" ", "you"], "you"),
    ("Hello \n", ["you \n"], "you \n"),
    ("Hello \n", ["\nyou"], "\nyou"),
    ("Hello\n\n", ["\nyou"], "you"),
    ("Hello\n\n", ["\n\n\nyou"], "\nyou"),
    ("Hello\n\n", ["\n", "\n", "\nyou"], "\nyou"),
    ("Hello ", ["", " ", "", "you"], "you"),
    ("Hello ", ["you", " ", "too"], "you too"),
    ("Hello \n", ["\n", " ", "you"], "\n you"),
    ("Hello ", [" "], ""),
    ("Hello ", [], ""),
    (" Hello", [" Hello"], " Hello"),
]


@pytest.mark.parametrize(("told", "pieces", "new"), BLANKS, ids=repr)
def test_white_space_at_the_cut_is_heard_once(told: str, pieces: list[str], new: str) -> None:
    assert heard(continuing(told, prefilled=True), OPENAI.events(pieces)) == new


def test_white_space_alone_is_progress_where_it_was_said() -> None:
    reader = continuing("Hello ", prefilled=True)

    assert reader.read(said(delta(content=" "))) == Reading(REASONING, [])
    assert reader.read(said(delta(content=" "))).piece == CONTENT


@pytest.mark.parametrize("prefilled", [False, True])
def test_who_goes_on_may_call_a_tool_once_all_is_said_and_nobody_goes_on_after_that(
    prefilled: bool,
) -> None:
    told = told_of("Hello")
    reader = Continuation(ChatReader("s2"), told, prefilled=prefilled)
    reader.read(said(delta(content=" you" if prefilled else "Hello")))
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f"}}

    read = reader.read(said(delta(tool_calls=[call])))
    told.note(read)

    assert read.piece == CONTENT
    assert read.chunks[0]["choices"][0]["delta"]["tool_calls"] == [call]
    assert not told.resumable
