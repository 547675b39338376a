"""Finding and reading the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sidecar.config import ConfigError, find_config, load
from sidecar.config.loading import FILE_BYTES
from tests.config.texts import BASE


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual path, where no file is yet."""
    path = tmp_path / "usual.yaml"
    monkeypatch.setattr("sidecar.config.loading.DEFAULT_PATH", path)
    return path


def test_the_command_line_wins() -> None:
    assert find_config("a.yaml", {"SIDECAR_CONFIG": "b.yaml"}) == Path("a.yaml")


def test_the_variable_comes_next(usual: Path) -> None:
    usual.write_text(BASE)

    assert find_config(None, {"SIDECAR_CONFIG": "b.yaml"}) == Path("b.yaml")


def test_the_usual_file_is_taken_where_it_is(usual: Path) -> None:
    usual.write_text(BASE)

    assert find_config(None, {}) == usual


def test_without_any_file_the_environment_is_left(usual: Path) -> None:
    assert find_config(None, {"SIDECAR_CONFIG": ""}) is None


def test_what_was_loaded_says_where_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BASE)

    loaded = load(path, {})

    assert (loaded.source, loaded.sha256) == (str(path), hashlib.sha256(BASE.encode()).hexdigest())


def test_the_environments_sum_changes_with_what_it_sets() -> None:
    keys = {"GEMINI_API_KEY": "g"}

    assert load(None, keys).sha256 != load(None, keys | {"AI_MODEL": "m"}).sha256


def test_a_provider_that_no_chain_asks_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BASE.replace("routes", "  two: {kind: openai}\nroutes"))

    assert load(path, {}).warnings == (f"{path}: providers.two: no chain asks it",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"a: \xff", "not UTF-8 at byte 3"),
        (b"#" * (FILE_BYTES + 1), "larger than 1048576 bytes"),
    ],
    ids=["missing", "not text", "too long"],
)
def test_a_file_that_cannot_be_read_is_a_problem(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as refused:
        load(path, {})

    assert str(refused.value) == f"{path}: cannot be read: {reason}"
