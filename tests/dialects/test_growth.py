"""Objects that come in deltas."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.dialect import Json
from sidecar.dialects.growth import Object


def grown(*deltas: Json) -> Json:
    whole = Object()
    for delta in deltas:
        whole.add(delta)
    return whole.whole()


GROWN: list[tuple[str, list[Any], Any]] = [
    ("texts grow", ["a", "", "b"], "ab"),
    ("null begins nothing", [None, "a"], "a"),
    ("null takes nothing back", ["a", None], "a"),
    ("an empty list takes nothing back", [["a"], [], "", {}], ["a"]),
    ("null stays where nothing else is said", [None, None], None),
    ("an empty text is a text", [""], ""),
    ("of numbers the last counts", [1, 2], 2),
    ("zero is a number", [1, 0], 0),
    ("no is an answer", [True, False], False),
    ("objects gain members", [{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
    ("texts in objects grow", [{"a": "x"}, {"a": "y"}], {"a": "xy"}),
    ("of ids the last counts", [{"id": "1"}, {"id": "2"}, {"id": ""}], {"id": "2"}),
    ("another kind of value takes over", ["a", {"b": 1}], {"b": 1}),
    ("entries grow by their index", [[{"index": 1, "t": "a"}], [{"index": 1, "t": "b"}]], ["ab"]),
    ("entries grow by their place", [[{"t": "a"}, {"t": "b"}], [{"t": "c"}]], ["ac", "b"]),
    ("texts in a list are entries", [["a"], ["b", None]], ["a", "b", None]),
]


@pytest.mark.parametrize(
    ("values", "whole"), [row[1:] for row in GROWN], ids=[row[0] for row in GROWN]
)
def test_a_value_grows(values: list[Any], whole: Any) -> None:
    said = grown(*[{"x": value} for value in values])["x"]

    if isinstance(whole, list):
        said = [entry["t"] if isinstance(entry, dict) else entry for entry in said]
    assert said == whole


@pytest.mark.parametrize(
    "name", ["id", "type", "role", "name", "format", "signature", "thought_signature"]
)
def test_a_word_that_is_said_again_is_said_once(name: str) -> None:
    assert grown({name: "a"}, {name: "a"}) == {name: "a"}


def test_indexes_are_of_the_stream_alone() -> None:
    assert grown({"tool_calls": [{"index": 0, "id": "t1"}]}) == {"tool_calls": [{"id": "t1"}]}


def test_details_of_reasoning_keep_their_indexes() -> None:
    details = [{"type": "reasoning.text", "text": "Hm", "index": 0}]

    assert grown({"reasoning_details": details}) == {"reasoning_details": details}


@pytest.mark.parametrize("name", ["type", "id"])
def test_an_entry_of_another_kind_is_another_entry(name: str) -> None:
    one, other = {"index": 0, name: "a", "t": "x"}, {"index": 0, name: "b", "t": "y"}

    whole = grown({"reasoning_details": [one]}, {"reasoning_details": [other]})

    assert whole["reasoning_details"] == [one, other]


@pytest.mark.parametrize("again", [{}, {"type": "a"}, {"type": None}, {"type": ""}], ids=str)
def test_an_entry_need_not_say_its_kind_again(again: Json) -> None:
    whole = grown({"x": [{"type": "a", "t": "x"}]}, {"x": [{**again, "t": "y"}]})

    assert whole["x"] == [{"type": "a", "t": "xy"}]


def test_an_entry_may_say_its_kind_late() -> None:
    whole = grown({"x": [{"t": "x"}]}, {"x": [{"type": "a", "id": "1", "t": "y"}]})

    assert whole["x"] == [{"type": "a", "id": "1", "t": "xy"}]


@pytest.mark.parametrize("name", ["annotations", "images", "citations"])
def test_an_annotation_comes_whole(name: str) -> None:
    cited = [{"type": "url_citation", "url": url} for url in ("a", "b")]

    assert grown(*[{name: [{**one, "index": 0}]} for one in cited])[name] == cited


def test_sound_may_be_padded_piece_by_piece() -> None:
    pieces = [base64.b64encode(sound).decode() for sound in (b"abcd", b"e", b"fgh")]

    whole = grown(*[{"audio": {"data": piece}} for piece in pieces])["audio"]["data"]

    assert base64.b64decode(whole, validate=True) == b"abcdefgh"


@given(st.binary(), st.data())
def test_sound_that_is_cut_anywhere_is_the_same(sound: bytes, data: st.DataObject) -> None:
    encoded = base64.b64encode(sound).decode()
    at = data.draw(st.integers(0, len(encoded)))

    assert grown({"data": encoded[:at]}, {"data": encoded[at:]})["data"] == encoded


def test_what_looks_padded_and_is_no_base64_stays() -> None:
    assert grown({"data": "a b="}, {"data": "ü"})["data"] == "a b=ü"


def test_what_is_nested_deep_is_said_whole_every_time() -> None:
    def deep(text: str) -> Json:
        said: Any = text
        for _ in range(10_000):
            said = {"x": said}
        return {"x": said}

    last = deep("b")
    whole = grown(deep("a"), last)

    for _ in range(8):
        whole, last = whole["x"], last["x"]
    assert whole is last


def test_deltas_stay_as_they_were() -> None:
    delta: Json = {"x": [{"t": "a", "o": {"b": "c"}}]}
    whole = Object()
    whole.add(delta)
    whole.add({"x": [{"t": "d", "o": {"b": "e"}}]})

    assert whole.whole() == {"x": [{"t": "ad", "o": {"b": "ce"}}]}
    assert delta == {"x": [{"t": "a", "o": {"b": "c"}}]}
