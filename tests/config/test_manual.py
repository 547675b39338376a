"""The files under `config/`: they are the manual, so they have to be true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.config import json_schema, load
from sidecar.config.errors import CLASSES
from sidecar.config.not_yet import KEYS
from sidecar.core.capability import Capability
from sidecar.core.policies import BreakerPolicy, RetryPolicy, Timeouts
from sidecar.core.settings import Settings
from sidecar.dialects.presets import PRESETS
from tests.config.texts import problems_of

CONFIG = Path(__file__).parents[2] / "config"
MANUAL = CONFIG / "sidecar.yaml"
KEYED = {"GEMINI_API_KEY": "g", "HF_TOKEN": "h"}

FILES = pytest.mark.parametrize("name", ["sidecar.yaml", "minimal.yaml"])


def document(name: str) -> Any:
    """The file as plain values."""
    return yaml.safe_load((CONFIG / name).read_text())


def keys_of(schema: Any) -> Iterator[str]:
    """Every key that a schema knows."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        yield from keys_of(part)


def keys_in(value: Any) -> Iterator[str]:
    """Every key that a file has."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from keys_in(part)


@FILES
def test_a_shipped_file_loads_without_a_warning(name: str) -> None:
    assert load(CONFIG / name, KEYED).warnings == ()


@FILES
def test_a_shipped_file_fits_the_schema(name: str) -> None:
    jsonschema.Draft7Validator.check_schema(json_schema())

    assert list(jsonschema.Draft7Validator(json_schema()).iter_errors(document(name))) == []


def test_the_shipped_schema_is_current() -> None:
    shipped = json.loads((CONFIG / "schema.json").read_text())

    assert shipped == json_schema(), "run `make schema`"


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "{providers: {}, routes: []}"),
        "{providers: {a: {kind: x}}, routes: [{models: [a], chain: [a]}]}",
        "{providers: {a: {kind: openai}}, routes: [{models: [a], chain: [a]}], drain_timeout: 60}",
        "{providers: {a: {kind: openai}}, routes: [{models: [a], chain: [a]}], tracing: {otlp: 1}}",
        "{providers: {a: {kind: openai}}, routes: [{models: [a], chain: [a]}], store: mysql://h}",
        "{providers: {a: {kind: openai}}, routes: [{models: [a], chain: [a]}], fleet: {sync: 2}}",
        "{providers: {a: {kind: openai, no: 1}}, routes: [{models: [a], chain: [a]}]}",
        "{providers: {a: {kind: openai, api_keys: []}}, routes: [{models: [a], chain: [a]}]}",
        "{providers: {a: {kind: openai, cannot: [x]}}, routes: [{models: [a], chain: [a]}]}",
        "{providers: {a: {kind: openai, errors: [{match: {}, class: auth}]}},"
        " routes: [{models: [a], chain: [a]}]}",
        "{providers: {a: {kind: openai}}, routes: [{models: [a], chain: [a]}], prices: {a: {}}}",
    ],
)
def test_the_schema_refuses_what_is_wrong(text: str) -> None:
    assert not jsonschema.Draft7Validator(json_schema()).is_valid(yaml.safe_load(text))


def test_the_manual_says_the_defaults() -> None:
    loaded = load(MANUAL, KEYED).settings

    assert loaded == Settings(
        routes=loaded.routes, providers=loaded.providers, prices=loaded.prices
    )


def test_the_manual_says_the_defaults_of_breakers_and_clocks() -> None:
    gemini = load(MANUAL, KEYED).settings.providers[0]

    assert (gemini.breaker, gemini.timeouts) == (BreakerPolicy(), Timeouts())
    assert gemini.retry == RetryPolicy()


def test_the_manual_has_every_key() -> None:
    assert set(keys_of(json_schema())) - set(keys_in(document("sidecar.yaml"))) == set()


@pytest.mark.parametrize("kind", PRESETS)
def test_the_manual_names_every_kind_with_its_variables(kind: str) -> None:
    table = MANUAL.read_text().partition("kind: gemini")[0]
    variables = {variable.env for variable in PRESETS[kind].variables.values()}

    needed = {f" {kind} ", PRESETS[kind].key_env, *(f"[{variable}]" for variable in variables)}
    assert [word for word in needed if word not in table] == []


@pytest.mark.parametrize("word", [*CLASSES, *Capability])
def test_the_manual_names_every_class_and_capability(word: str) -> None:
    assert re.search(rf"\b{word}\b", MANUAL.read_text())


def test_the_manual_lists_what_is_not_served_yet() -> None:
    listed = MANUAL.read_text().partition("Not in this version")[2]

    refused = {key.rpartition(".")[2] for key in KEYS}
    assert [word for word in refused if word not in listed] == []


def test_the_smallest_file_needs_no_more_than_what_has_no_default() -> None:
    loaded = load(CONFIG / "minimal.yaml", KEYED).settings

    assert loaded == Settings(routes=loaded.routes, providers=loaded.providers)


# What a slip of the hand, or of a templating tool, puts in the place of a few characters.
SLIPS = st.one_of(
    st.sampled_from(
        ["", " ", "\n", ":", "- ", "{", "[", "'", '"', "*", "&a ", "<<: ", "!x ", "${"]
    ),
    st.sampled_from(
        ["off", "1", "0s", ".nan", "null", "2026-01-01", "0b", "\\0", "\t", "\x07", "é"]
    ),
    st.text(max_size=5),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_manual_is_told_of_or_harmless_but_never_a_crash(data: st.DataObject) -> None:
    lines = [line.partition(" #")[0] for line in MANUAL.read_text().splitlines()]
    text = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    start = data.draw(st.integers(min_value=0, max_value=len(text)))
    length = data.draw(st.integers(min_value=0, max_value=8))

    damaged = text[:start] + data.draw(SLIPS) + text[start + length :]

    assert all(problem.startswith("c.yaml:") for problem in problems_of(damaged, KEYED))
