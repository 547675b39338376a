"""The limits of the house: sizes, complexity, documentation, and tests that can fail."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FUNCTION_LINES = 40  # without the docstring
COMPLEXITY = 8
PARAMETERS = 5  # without self and cls
NESTING = 3
MODULE_LINES = 350

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Documented = Definition | ast.Module
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
BLOCKS = (ast.If, *LOOPS, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
BRANCHES = (ast.If, ast.IfExp, *LOOPS, ast.ExceptHandler)

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
CODES = r"(?::\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*|\[[\w\s,-]+\])"
EXCUSE = re.compile(rf"#\s*(?:noqa|type:\s*ignore)\b{CODES}?(?P<rest>.*)")
REASON = re.compile(r"\w{2}")
SKIPS = ("pytest.skip", "pytest.importorskip", "pytest.mark.skip", "pytest.mark.skipif")


@dataclass(frozen=True)
class File:
    """One file of Python."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """What it says."""
        return ast.parse(self.text)

    @property
    def functions(self) -> Iterator[Function]:
        """Every function in it, also those in classes and functions."""
        return (node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS))


Rule = Callable[[File], Iterator[str]]


def read(folder: str) -> list[File]:
    return [
        File(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


# Sizes


def lines_of(function: Function) -> int:
    documented = docstring(function)
    return span(function) - (span(documented) if documented else 0)


def complexity_of(function: Function) -> int:
    """Cyclomatic; boolean operators, conditional expressions and comprehensions count, too."""
    return 1 + sum(map(branches, own_nodes(function)))


def nesting_of(node: ast.AST) -> int:
    """Of blocks. An `elif` is no deeper than its `if`."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deepest = max(deepest, (isinstance(child, BLOCKS) and not is_elif) + nesting_of(child))
    return deepest


def parameters_of(function: Function) -> int:
    return len(parameters(function))


LIMITS: dict[str, tuple[Callable[[Function], int], int]] = {
    "lines": (lines_of, FUNCTION_LINES),
    "complexity": (complexity_of, COMPLEXITY),
    "nesting": (nesting_of, NESTING),
    "parameters": (parameters_of, PARAMETERS),
}


def oversized(file: File) -> Iterator[str]:
    lines = len(file.text.splitlines())
    if lines > MODULE_LINES:
        yield f"{file.name}:1 module lines {lines}"
    for function in file.functions:
        for what, (measure, limit) in LIMITS.items():
            if (value := measure(function)) > limit:
                yield f"{file.name}:{function.lineno} {function.name} {what} {value}"


def span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of `function`, without those of definitions in it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, DEFINITIONS):
            yield from own_nodes(child)


def branches(node: ast.AST) -> int:
    match node:
        case ast.BoolOp():
            return len(node.values) - 1
        case ast.comprehension():
            return 1 + len(node.ifs)
        case ast.match_case(pattern=ast.MatchAs(pattern=None)):
            return 0
        case ast.match_case():
            return 1
    return int(isinstance(node, BRANCHES))


def parameters(function: Function) -> list[ast.arg]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [one for one in every if one.arg not in {"self", "cls"}]


# Documents


def undocumented(file: File) -> Iterator[str]:
    if file.text.strip() and not docstring(file.tree):
        yield f"{file.name}:1 module has no docstring"
    for node in public_classes(file.tree):
        if not docstring(node):
            yield f"{file.name}:{node.lineno} {node.name} has no docstring"


def unannotated(file: File) -> Iterator[str]:
    for function in file.functions:
        rest = filter(None, (function.args.vararg, function.args.kwarg))
        annotations = [one.annotation for one in (*parameters(function), *rest)]
        if not (function.returns and all(annotations)):
            yield f"{file.name}:{function.lineno} {function.name} is not annotated"


def unfinished(file: File) -> Iterator[str]:
    for number, line in enumerate(file.text.splitlines(), start=1):
        if found := UNFINISHED.search(line):
            yield f"{file.name}:{number} {found[0]}"


def unreasoned(file: File) -> Iterator[str]:
    for token in tokenize.generate_tokens(StringIO(file.text).readline):
        excuse = EXCUSE.search(token.string) if token.type == tokenize.COMMENT else None
        if excuse and not REASON.search(excuse["rest"]):
            yield f"{file.name}:{token.start[0]} {token.string} gives no reason"


def docstring(node: Documented) -> ast.Expr | None:
    match node.body[:1]:
        case [ast.Expr(value=ast.Constant(value=str())) as first]:
            return first
    return None


def public_classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """A function may say everything by name and types; a class has to say what it stands for."""
    for child in own_nodes(tree):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield child


# Tests


def skipping(file: File) -> Iterator[str]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in SKIPS:
            yield f"{file.name}:{node.lineno} {ast.unparse(node)}"


def asserting_nothing(file: File) -> Iterator[str]:
    for function in file.functions:
        if function.name.startswith("test") and not any(map(asserts, ast.walk(function))):
            yield f"{file.name}:{function.lineno} {function.name} asserts nothing"


def asserts(node: ast.AST) -> bool:
    """Whether `node` is an assertion, `pytest.raises`, or the call of a helper that asserts."""
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Assert)
    name = ast.unparse(node.func)
    return name == "pytest.raises" or name.rpartition(".")[2].startswith(("assert", "check"))


CODE = read("sidecar")
TESTS = read("tests")


@pytest.mark.parametrize("rule", [oversized, undocumented, unannotated, unfinished, unreasoned])
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    found = [one for file in CODE for one in rule(file)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", [unreasoned, skipping, asserting_nothing])
def test_the_tests_keep_the_rule(rule: Rule) -> None:
    found = [one for file in TESTS for one in rule(file)]

    assert not found, "\n".join(found)


def body(*lines: str) -> str:
    return "\n".join(("def f() -> None:", *(f"    {line}" for line in lines)))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (oversized, "\n" * 351),
        (oversized, body(*["pass"] * 40)),
        (oversized, body('"""Two', 'lines."""', *["pass"] * 40)),
        (oversized, body("return a or b or c or d or e or f or g or h or i")),
        (oversized, body("return [a for a in b if c if d if e for f in g if h if i if j]")),
        (oversized, body("if a:", " for b in c:", "  with d:", "   while e: pass")),
        (oversized, "def f(a: A, b: B, /, c: C, *, d: D, e: E, f: F) -> None: ..."),
        (oversized, "def f() -> None:\n" + "    def g(a, b, c, d, e, f): ..."),
        (undocumented, "import re"),
        (undocumented, '"""M."""\nif a:\n    class C: ...'),
        (unannotated, "def f(): ..."),
        (unannotated, "def f(*a) -> None: ..."),
        (unannotated, "class C:\n    def f(self, a) -> None: ..."),
        (unfinished, "# " + "TO" + "DO"),
        (unfinished, "raise Not" + "ImplementedError"),
        (unreasoned, "a = b  # noqa"),
        (unreasoned, "a = b  # noqa: S101, PLR0913"),
        (unreasoned, "a = b  # type: ignore[arg-type]"),
        (skipping, "@pytest.mark.skipif(a)\ndef f(): ..."),
        (skipping, "def f():\n    pytest.skip()"),
        (asserting_nothing, "def test_f():\n    f()"),
        (asserting_nothing, "async def test_f():\n    with suppress(E):\n        f()"),
    ],
)
def test_the_rule_finds_what_breaks_it(rule: Rule, text: str) -> None:
    assert len(list(rule(File("a.py", text)))) == 1


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (oversized, "\n" * 350),
        (oversized, body('"""Two', 'lines."""', *["pass"] * 39)),
        (oversized, body("return a or b or c or d or e or f or g or h")),
        (oversized, body("match a:", " case 1: pass", " case _: pass", *["assert a or b"] * 6)),
        (oversized, body("if a: pass", *["elif b: pass"] * 6)),
        (oversized, "def f(self, cls, a, b, c, d, *, e, **more): ..."),
        (undocumented, ""),
        (undocumented, '"""M."""\ndef f(): ...'),
        (undocumented, '"""M."""\nclass _C:\n    def f(self): ...'),
        (undocumented, '"""M."""\nclass C:\n    """C."""\n    def f(self): ...'),
        (unannotated, "class C:\n    def f(self, a: A, *b: B) -> None: ..."),
        (unreasoned, "a = b  # noqa: S101, PLR0913  because of c"),
        (unreasoned, "a = b  # type: ignore[arg-type]  # because of c"),
        (unreasoned, 'a = "# noqa"'),
        (skipping, "parser.skip(1)"),
        (asserting_nothing, "def test_f():\n    assert f()"),
        (asserting_nothing, "def test_f():\n    with pytest.raises(E):\n        f()"),
        (asserting_nothing, "def test_f():\n    check_that(f)\n\ndef check_that(f): ..."),
        (asserting_nothing, "def test_f():\n    mock.assert_called_once()"),
    ],
)
def test_the_rule_leaves_the_rest_alone(rule: Rule, text: str) -> None:
    assert list(rule(File("a.py", text))) == []
