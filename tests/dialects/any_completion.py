"""Any chat completion or completion, whole and as one of the streams that tell it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from sidecar.dialects.dialect import Json
from tests.dialects.assembled import interleaved, pieces_of, stream_of

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
COUNTS = st.integers(1, 999)
SOUNDS = st.binary(min_size=1, max_size=9).map(lambda sound: base64.b64encode(sound).decode())
ARGUMENTS = st.dictionaries(WORDS, WORDS, max_size=2).map(json.dumps)
SIGNED = st.builds(lambda text: {"google": {"thought_signature": text}}, WORDS)
CALLS = st.fixed_dictionaries(
    {"name": WORDS, "arguments": ARGUMENTS}, optional={"extra_content": SIGNED, "news": COUNTS}
)
DETAILS = st.fixed_dictionaries(
    {"type": st.sampled_from(("reasoning.text", "reasoning.summary")), "text": WORDS},
    optional={"signature": WORDS, "format": WORDS},
)
CITED = st.builds(lambda url: {"type": "url_citation", "url_citation": {"url": url}}, WORDS)
SOUND = st.fixed_dictionaries(
    {"id": WORDS, "data": SOUNDS, "transcript": WORDS, "expires_at": COUNTS}
)
TEXTS = dict.fromkeys(("reasoning_content", "reasoning", "news"), WORDS)
MESSAGES = st.fixed_dictionaries(
    {"content": st.none() | WORDS, "refusal": st.none() | WORDS},
    optional={
        **TEXTS,
        "calls": st.lists(CALLS, max_size=3),
        "reasoning_details": st.lists(DETAILS, min_size=1, max_size=3),
        "annotations": st.lists(CITED, min_size=1, max_size=2),
        "audio": SOUND,
        "function_call": st.fixed_dictionaries({"name": WORDS, "arguments": ARGUMENTS}),
        "extra_content": SIGNED,
    },
)
TOKENS = st.lists(
    st.fixed_dictionaries({"token": WORDS, "logprob": COUNTS, "top_logprobs": st.just([])}),
    max_size=4,
)
CHOICE_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "content_filter_results": st.dictionaries(WORDS, st.just({"filtered": False}), max_size=2),
        "native_finish_reason": WORDS,
        "token_ids": st.lists(COUNTS, max_size=3),
    },
)
HEADS = st.fixed_dictionaries(
    {"id": WORDS, "created": COUNTS, "model": WORDS},
    optional={
        "system_fingerprint": st.none() | WORDS,
        "service_tier": st.just("default"),
        "x_groq": st.builds(lambda name: {"id": name}, WORDS),
        "citations": st.lists(WORDS, max_size=2),
    },
)
USAGES = st.builds(
    lambda prompt, said: {
        "prompt_tokens": prompt,
        "completion_tokens": said,
        "total_tokens": prompt + said,
        "prompt_tokens_details": {"cached_tokens": 1},
    },
    COUNTS,
    COUNTS,
)


@dataclass(frozen=True)
class Told:
    """An answer, and the chunks of its stream."""

    whole: Json
    chunks: list[Json]

    @property
    def body(self) -> bytes:
        """The answer as bytes."""
        return json.dumps(self.whole).encode()

    @property
    def stream(self) -> bytes:
        """The chunks as bytes."""
        return stream_of(self.chunks)

    @property
    def choices(self) -> int:
        """How many answers were asked for."""
        return len(self.whole["choices"])


@st.composite
def grown(draw: st.DrawFn, member: str, text: str) -> list[Json]:
    """A text of an object, in deltas of that."""
    return [{member: piece} for piece in draw(pieces_of(text))]


@st.composite
def call_deltas(draw: st.DrawFn, place: int, call: Json) -> list[Json]:
    """A tool call in pieces. What else it has comes with any of them."""
    extra = {name: call[name] for name in call if name not in ("name", "arguments")}
    function = {"name": call["name"], "arguments": ""}
    pieces = draw(grown("arguments", call["arguments"]))
    deltas: list[Json] = [{"id": f"t{place}", "type": "function", "function": function}]
    deltas += [{"function": piece} for piece in pieces]
    deltas[draw(st.integers(0, len(deltas) - 1))] |= extra
    return [{"tool_calls": [{"index": place, **delta}]} for delta in deltas]


@st.composite
def details_deltas(draw: st.DrawFn, details: list[Json]) -> list[Json]:
    """Details of reasoning in pieces, each of which says its kind."""
    told = []
    for index, detail in enumerate(details):
        rest = {**detail, "index": index}
        pieces = draw(grown("text", rest.pop("text")))
        told += [{"index": index, "type": rest["type"], **piece} for piece in pieces[:-1]]
        told.append({**rest, **pieces[-1]})
    return [{"reasoning_details": [piece]} for piece in told]


@st.composite
def audio_deltas(draw: st.DrawFn, audio: Json) -> list[Json]:
    """Sound with its words, in pieces."""
    rows = [draw(grown(name, audio[name])) for name in ("data", "transcript")]
    told = [{"id": audio["id"]}, *draw(interleaved(rows)), {"expires_at": audio["expires_at"]}]
    return [{"audio": piece} for piece in told]


@st.composite
def deltas_of(draw: st.DrawFn, said: Json) -> list[Json]:
    """A message in deltas."""
    rows = [
        draw(grown(name, said[name]))
        for name in ("content", "refusal", *TEXTS)
        if isinstance(said.get(name), str)
    ]
    for name, cut in (("reasoning_details", details_deltas), ("audio", audio_deltas)):
        if name in said:
            rows.append(draw(cut(said[name])))
    if "function_call" in said:
        name, arguments = said["function_call"]["name"], said["function_call"]["arguments"]
        told = [{"name": name, "arguments": ""}, *draw(grown("arguments", arguments))]
        rows.append([{"function_call": piece} for piece in told])
    rows.append([{"annotations": [one]} for one in said.get("annotations", ())])
    rows.append([{"extra_content": said["extra_content"]}] if "extra_content" in said else [])
    calls = [draw(call_deltas(place, call)) for place, call in enumerate(said.get("calls", ()))]
    begun = [call.pop(0) for call in calls]  # which come in order; their arguments may not
    rows.append([*begun, *draw(interleaved(calls))])
    return draw(interleaved(rows))


def message_of(said: Json) -> Json:
    """A message as providers have it in whole answers."""
    message = {"role": "assistant", **said}
    calls = message.pop("calls", [])
    if calls:
        message["tool_calls"] = [
            {
                "id": f"t{place}",
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
                **{name: call[name] for name in call if name not in ("name", "arguments")},
            }
            for place, call in enumerate(calls)
        ]
    if "reasoning_details" in message:
        told = message["reasoning_details"]
        message["reasoning_details"] = [{**one, "index": at} for at, one in enumerate(told)]
    return message


@st.composite
def spread(draw: st.DrawFn, events: list[Json], fields: Json, tokens: list[Json] | None) -> None:
    """The rest of a choice, with any of its events; lists in order."""
    last = len(events) - 1
    for name, value in fields.items():
        if isinstance(value, list):
            events[draw(st.integers(0, last))][name] = value[:1]
            events[last][name] = events[last].get(name, []) + value[1:]
        else:
            events[draw(st.integers(0, last))][name] = value
    if tokens is not None:
        for event in events:
            event["logprobs"] = {"content": [], "refusal": None}
        places = sorted(
            draw(st.lists(st.integers(0, last), min_size=len(tokens), max_size=len(tokens)))
        )
        for place, token in zip(places, tokens, strict=True):
            events[place]["logprobs"]["content"].append(token)


@st.composite
def choices(draw: st.DrawFn, index: int) -> tuple[Json, list[Json]]:
    """A choice, whole and as those of chunks."""
    said, fields = draw(MESSAGES), draw(CHOICE_FIELDS)
    tokens = draw(st.none() | TOKENS)
    message = message_of(said)
    good = "tool_calls" if "tool_calls" in message else "stop"
    finish = draw(st.sampled_from((good, "length", "content_filter")))
    opening = {"role": "assistant", "content": None if said["content"] is None else ""}
    deltas = [opening, *draw(deltas_of(said))]
    events: list[Json] = [{"index": index, "delta": one, "finish_reason": None} for one in deltas]
    events.append({"index": index, "delta": {}, "finish_reason": finish})
    draw(spread(events, fields, tokens))
    logprobs = None if tokens is None else {"content": tokens, "refusal": None}
    choice = {"index": index, "message": message, "finish_reason": finish, "logprobs": logprobs}
    return {**choice, **fields}, events


@st.composite
def told_completions(draw: st.DrawFn, most: int = 3) -> Told:
    """Any chat completion. The chunks of its choices come in any order, and are padded."""
    head, usage = draw(HEADS), draw(USAGES)
    told = [draw(choices(index)) for index in range(draw(st.integers(1, most)))]
    events = draw(interleaved([events for _, events in told]))
    shared = {**head, "object": "chat.completion.chunk", "obfuscation": "xK3", "usage": None}
    chunks: list[Json] = [{**shared, "choices": [event]} for event in events]
    chunks.append({**shared, "choices": [], "usage": usage})
    whole = [choice for choice, _ in told]
    return Told({**head, "object": "chat.completion", "choices": whole, "usage": usage}, chunks)


@st.composite
def told_texts(draw: st.DrawFn) -> Told:
    """Any legacy completion, with the probabilities of its tokens."""
    head, usage, pieces = draw(HEADS), draw(USAGES), draw(st.lists(WORDS, min_size=1, max_size=4))

    def logprobs(some: list[str]) -> Json:
        return {"tokens": some, "token_logprobs": [-0.5 for _ in some], "top_logprobs": None}

    finish = draw(st.sampled_from(("stop", "length", "content_filter")))
    choice: Json = {"index": 0, "finish_reason": finish, "news": 1}
    events: list[Any] = [
        {"index": 0, "text": one, "finish_reason": None, "logprobs": logprobs([one])}
        for one in pieces
    ]
    events.append({**choice, "text": "", "logprobs": None})
    shared = {**head, "object": "text_completion"}
    chunks: list[Json] = [{**shared, "choices": [event]} for event in events]
    chunks.append({**shared, "choices": [], "usage": usage})
    text = {**choice, "text": "".join(pieces), "logprobs": logprobs(pieces)}
    return Told({**shared, "choices": [text], "usage": usage}, chunks)
