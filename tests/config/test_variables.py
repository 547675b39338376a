"""Variables in strings."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config.problem import Wrong
from sidecar.config.variables import FILE_BYTES, expand

ENVIRON = {"KEY": "k", "EMPTY": "", "NESTED": "${KEY}"}

EXPANSIONS = {
    "no variable": ("plain $ {text}", "plain $ {text}"),
    "a variable": ("${KEY}", "k"),
    "in the midst of text": ("a-${KEY}-${KEY}-z", "a-k-k-z"),
    "an empty one": ("<${EMPTY}>", "<>"),
    "a default that is needed": ("${NONE:-d}", "d"),
    "a default for an empty one": ("${EMPTY:-d}", "d"),
    "a default that is not needed": ("${KEY:-d}", "k"),
    "an empty default": ("<${NONE:-}>", "<>"),
    "an escape": ("$${KEY}", "${KEY}"),
    "a value is not expanded again": ("${NESTED}", "${KEY}"),
}


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS.values(), ids=EXPANSIONS)
def test_a_string_is_expanded(text: str, expected: str) -> None:
    assert expand(text, ENVIRON) == expected


@pytest.mark.parametrize(
    "text",
    ["${", "${KEY", "${}", "${1KEY}", "${KEY:default}", "${A:-${KEY}}", "${file:}", "${a b}"],
)
def test_a_malformed_variable_is_refused(text: str) -> None:
    with pytest.raises(Wrong, match="is malformed"):
        expand(text, ENVIRON)


def test_all_unset_variables_of_a_string_are_named_at_once() -> None:
    with pytest.raises(Wrong, match="not set in the environment: A, B"):
        expand("${A}-${KEY}-${B}-${C:-}", ENVIRON)


def test_a_file_is_read_without_the_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n secret \n")

    assert expand(f"<${{file:{tmp_path}/key}}>", {}) == "<secret>"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"\xff", "not UTF-8"), (b"x" * (FILE_BYTES + 1), "larger than")],
    ids=["missing", "not text", "too long"],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(Wrong, match=reason):
        expand(f"${{file:{path}}}", {})
