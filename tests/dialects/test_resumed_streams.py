"""However an answer is cut, and whoever goes on with it, it is heard whole and once, or not at all.

The streams are judged and written as they are on their way, and read by the vendors' clients.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.anthropic.wire import cut
from tests.dialects.resumed import (
    ANTHROPIC,
    APPLICATIONS,
    COMPLETING,
    LEGACY,
    OPENAI,
    Application,
    Format,
    Shell,
    diverges,
)

EACH = pytest.mark.parametrize("application", APPLICATIONS.values(), ids=APPLICATIONS)
LETTERS = st.sampled_from("ab \n\t\u00a0é😀")  # few, so that what differs is often alike at first
TEXTS = st.text(LETTERS, min_size=1, max_size=12) | st.text(min_size=1)
PLACES = st.lists(st.integers(0, 12), max_size=4)
FORMATS = st.sampled_from((OPENAI, ANTHROPIC))


class Part(NamedTuple):
    """What one provider does: how it speaks, where its text is cut into pieces, where it breaks.

    It goes on from a beginning if it `is_given` one, and `skips_blanks` at the end of that.
    """

    form: Format
    cuts: list[int]
    breaks_at: int
    is_given: bool
    skips_blanks: bool


PARTS = st.builds(Part, FORMATS, PLACES, st.integers(0, 12), st.booleans(), st.booleans())


def say_part(shell: Shell, text: str, part: Part, name: str) -> None:
    """One provider says its part of `text`, up to where it breaks."""
    told = shell.told.text
    is_given = part.is_given and bool(told.strip())
    begins = len(told.rstrip()) if is_given else 0
    if is_given and part.skips_blanks and not text[len(told) :][:1].isspace():
        begins = len(told)
    pieces = cut(text[begins : max(begins, part.breaks_at)], part.cuts)
    shell.go_on(part.form, part.form.events(pieces, name, whole=False), prefilled=is_given)


def begun(application: Application, text: str, form: Format, cuts: list[int]) -> Shell:
    """An answer that broke off after `text`."""
    shell = Shell(application.writer())
    shell.say(form.reader(), form.events(cut(text, cuts), "c1", whole=False))
    return shell


@EACH
@given(TEXTS, FORMATS, st.lists(PARTS, min_size=1, max_size=3), st.booleans())
def test_the_same_answer_is_heard_whole_and_once(
    application: Application, text: str, form: Format, parts: list[Part], ends_given: bool
) -> None:
    first, *others = parts
    shell = begun(application, text[: first.breaks_at + 1], first.form, first.cuts)
    for number, part in enumerate(others):
        say_part(shell, text, part, f"part-{number}")
    told = shell.told.text
    is_given = ends_given and bool(told.strip())
    rest = text[len(told.rstrip()) :] if is_given else text

    shell.go_on(form, form.events(cut(rest, first.cuts), "last"), prefilled=is_given)

    assert application.heard(shell.stream()) == text
    assert shell.told.text == text
    assert not shell.told.resumable


@EACH
@given(TEXTS, TEXTS, PLACES, FORMATS)
def test_another_answer_is_not_heard(
    application: Application, text: str, other: str, cuts: list[int], form: Format
) -> None:
    shell = begun(application, text, OPENAI, cuts)

    diverged = diverges(shell, form, form.events(cut(other, cuts)))

    assert diverged is not other.startswith(text)
    if diverged:
        assert application.heard_broken(shell.broken()) == text
    else:
        assert application.heard(shell.stream()) == other


@given(TEXTS, TEXTS, PLACES, PLACES)
def test_completions_that_are_no_chat_go_on_as_well(
    text: str, other: str, cuts: list[int], others: list[int]
) -> None:
    shell = begun(COMPLETING, text, LEGACY, cuts)

    diverged = diverges(shell, LEGACY, LEGACY.events(cut(other, others)))

    assert diverged is not other.startswith(text)
    if diverged:
        assert COMPLETING.heard_broken(shell.broken()) == text
    else:
        assert COMPLETING.heard(shell.stream()) == other
