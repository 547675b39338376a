"""The house has one direction: who may import whom, read from every module's import statements."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
MIDDLE = ("config", "faults", "fleet", "kubernetes", "observe", "proxy")
BELOW_APP = (*MIDDLE, "dialects", "core")
TOP = ("cli", "commands")  # may know everybody
TIMELESS = ("core", "dialects")  # all others may ask for the time, and for the version

# A room is a folder of `sidecar`, or a module beside the folders. Each knows itself and these.
MAY_KNOW: dict[str, tuple[str, ...]] = {
    "__main__": ("cli",),
    **dict.fromkeys(("demo", "drill"), ("app", *BELOW_APP)),
    "doctor": ("app", "remote", *BELOW_APP),
    "serving": ("app", *BELOW_APP),
    "app": BELOW_APP,
    **dict.fromkeys(MIDDLE, ("dialects", "core")),
    "dialects": ("core",),
    **dict.fromkeys(("core", "clock", "__init__"), ()),
}
CLIENTS_MAY_KNOW = ("config", "core")  # any other module serves the command line

PURE = {"core": set[str](), "dialects": {"orjson"}}  # and what each may use beyond Python's own
IMPURE = frozenset(
    (
        *("asyncio", "concurrent", "logging", "multiprocessing", "os", "pathlib", "random"),
        *("secrets", "select", "selectors", "shutil", "signal", "socket", "ssl", "subprocess"),
        *("tempfile", "threading", "time"),
    )
)
OWNERS = {
    "opentelemetry": "sidecar.observe.tracing",
    "prometheus_client": "sidecar.observe.metrics",
    "ruamel": "sidecar.kubernetes",
    "time": "sidecar.clock",
    "yaml": "sidecar.config",
}
STORES_MAY_KNOW = (
    *("sidecar.clock", "sidecar.fleet.stores"),
    *("sidecar.core.record", "sidecar.core.record_json", "sidecar.core.policies"),
    *("sidecar.core.redis_url", "sidecar.core.etcd_address", "sidecar.core.tls_files"),
)


class Import(NamedTuple):
    """One dotted name that a module imports; `is_relative` if it was written with leading dots."""

    line: int
    target: str
    is_relative: bool = False

    @property
    def package(self) -> str:
        """The outermost package."""
        return self.target.partition(".")[0]

    @property
    def room(self) -> str:
        """The room of `sidecar` that it is in."""
        return room_of(self.target)

    def is_in(self, *modules: str) -> bool:
        """Whether it is one of `modules`, or in one."""
        return is_in(self.target, *modules)


@dataclass(frozen=True)
class Module:
    """One module of `sidecar` by its dotted name."""

    name: str
    tree: ast.Module

    @property
    def imports(self) -> Iterator[Import]:
        """Its imports, also those in functions and for type checkers only."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (Import(node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    target = f"{node.module or ''}.{alias.name}"
                    yield Import(node.lineno, target, is_relative=node.level > 0)


Rule = Callable[[Module], Iterator[str]]


def read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, ast.parse(path.read_text(encoding="utf-8")))


def room_of(target: str) -> str:
    return [*target.split("."), "__init__"][1]


def is_in(name: str, *modules: str) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


def against_the_arrows(module: Module) -> Iterator[str]:
    room = room_of(module.name)
    if room in TOP:
        return
    known = {room, *MAY_KNOW.get(room, CLIENTS_MAY_KNOW)}
    if room not in TIMELESS:
        known |= {"clock", "__version__"}
    for one in module.imports:
        if one.is_in("sidecar") and one.room not in known:
            yield f"{module.name}:{one.line} {room} may not know {one.target}"


def relative(module: Module) -> Iterator[str]:
    for one in module.imports:
        if one.is_relative:
            yield f"{module.name}:{one.line} relative import of {one.target}"


def impure(module: Module) -> Iterator[str]:
    room = room_of(module.name)
    if room not in PURE:
        return
    allowed = (sys.stdlib_module_names - IMPURE) | PURE[room] | {"sidecar"}
    for one in module.imports:
        if one.package not in allowed:
            yield f"{module.name}:{one.line} {room} may not use {one.target}"


def of_another_owner(module: Module) -> Iterator[str]:
    for one in module.imports:
        owner = OWNERS.get(one.package, module.name)
        if not is_in(module.name, owner):
            yield f"{module.name}:{one.line} only {owner} may use {one.package}"


def asking_for_the_date(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in {"now", "today", "utcnow"}
            and ast.unparse(node.value).endswith(("datetime", "date"))
            and module.name != "sidecar.clock"
        ):
            yield f"{module.name}:{node.lineno} only the clock may ask for the date"


def store_that_decides(module: Module) -> Iterator[str]:
    if not is_in(module.name, "sidecar.fleet.stores"):
        return
    for one in module.imports:
        if one.is_in("sidecar") and not one.is_in(*STORES_MAY_KNOW):
            yield f"{module.name}:{one.line} a store may not know {one.target}"


def cycle(modules: list[Module]) -> list[str]:
    """The modules of one cycle, empty if there is none."""
    names = {module.name for module in modules}
    graph = {
        module.name: {loaded(one.target, names) for one in module.imports} - {module.name, ""}
        for module in modules
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def loaded(target: str, names: set[str]) -> str:
    """The module that an import of `target` loads; empty for one that is not of this house."""
    while target and target not in names:
        target = target.rpartition(".")[0]
    return target


MODULES = [read(path) for path in sorted((ROOT / "sidecar").rglob("*.py"))]
RULES = [
    *(against_the_arrows, relative, impure, of_another_owner, asking_for_the_date),
    store_that_decides,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module_breaks_the_rule(rule: Rule) -> None:
    found = [one for module in MODULES for one in rule(module)]

    assert not found, "\n".join(found)


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle(MODULES) == []


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (against_the_arrows, "core.sse", "from sidecar.dialects.openai import read_event"),
        (against_the_arrows, "core.sse", "from sidecar import clock"),
        (against_the_arrows, "core.sse", "from sidecar import __version__"),
        (against_the_arrows, "dialects.gemini", "import sidecar.clock"),
        (against_the_arrows, "dialects.gemini", "def f():\n    import sidecar.proxy.relay"),
        (against_the_arrows, "proxy.relay", "from sidecar.fleet.view import FleetBreakers"),
        (against_the_arrows, "proxy.relay", "from sidecar import observe"),
        (against_the_arrows, "proxy.relay", "from sidecar.kubernetes import injection"),
        (against_the_arrows, "proxy.relay", "from sidecar.config import load"),
        (against_the_arrows, "fleet.view", "from sidecar.proxy.relay import relay"),
        (against_the_arrows, "observe.logs", "from sidecar.proxy.relay import relay"),
        (against_the_arrows, "faults.provider", "from sidecar.app import App"),
        (against_the_arrows, "app", "from sidecar import cli"),
        (against_the_arrows, "app", "from sidecar import commands"),
        (against_the_arrows, "demo", "from sidecar.cli import main"),
        (against_the_arrows, "remote", "from sidecar.app import serve"),
        (against_the_arrows, "remote", "from sidecar.proxy.admin import Admin"),
        (against_the_arrows, "clock", "from sidecar.core.settings import Settings"),
        (against_the_arrows, "__main__", "from sidecar.app import serve"),
        (relative, "core.sse", "from . import outcome"),
        (relative, "proxy.relay", "from ..core.sse import Parser"),
        *((impure, "core.sse", f"import {name}") for name in ("asyncio", "time", "os.path")),
        *((impure, "core.sse", f"import {name}") for name in ("orjson", "aiohttp", "socket")),
        *((impure, "dialects.gemini", f"import {name}") for name in ("random", "ssl", "yaml")),
        (impure, "dialects.gemini", "from pathlib import Path"),
        (of_another_owner, "app", "import yaml"),
        (of_another_owner, "app", "import yaml.reader"),
        (of_another_owner, "proxy.relay", "from time import monotonic"),
        (of_another_owner, "observe.metrics_text", "from prometheus_client import Counter"),
        (of_another_owner, "observe.logs", "from opentelemetry import trace"),
        (of_another_owner, "config.document", "from ruamel.yaml import YAML"),
        (asking_for_the_date, "app", "from datetime import datetime\ndatetime.now()"),
        (asking_for_the_date, "app", "import datetime as d\nd.date.today()"),
        (store_that_decides, "fleet.stores.redis", "from sidecar.core.breaker import step"),
        (store_that_decides, "fleet.stores.redis", "from sidecar.fleet.view import View"),
    ],
)
def test_the_rule_finds_who_breaks_it(rule: Rule, name: str, source: str) -> None:
    assert len(list(rule(Module(f"sidecar.{name}", ast.parse(source))))) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("core.sse", "import re\nfrom datetime import datetime\nimport sidecar.core.outcome"),
        ("dialects.gemini", "import orjson\nfrom sidecar.core.sse import Event"),
        ("proxy.relay", "import aiohttp\nfrom sidecar.clock import Clock\nimport sidecar.dialects"),
        ("fleet.stores.redis", "import redis\nfrom sidecar.core.record import Record"),
        ("clock", "import asyncio\nimport time"),
        ("config.document", "import yaml"),
        ("observe.metrics", "import prometheus_client"),
        ("observe.metrics.families", "import prometheus_client"),
        ("app", "from sidecar import __version__, clock\nfrom sidecar.fleet import view"),
        ("cli", "from sidecar import commands\nfrom sidecar.config import load"),
        ("commands", "from sidecar import app, demo, remote\nfrom sidecar.kubernetes import x"),
        ("remote", "import aiohttp\nfrom sidecar.config import load\nimport sidecar.core.events"),
    ],
)
def test_who_keeps_the_rules_is_left_alone(name: str, source: str) -> None:
    module = Module(f"sidecar.{name}", ast.parse(source))

    assert [found for rule in RULES for found in rule(module)] == []


def test_a_circle_is_found() -> None:
    sources = {
        "sidecar.core.a": "from sidecar.core import b",
        "sidecar.core.b": "def f():\n    from sidecar.core.c import thing",
        "sidecar.core.c": "import sidecar.core.a",
    }
    modules = [Module(name, ast.parse(source)) for name, source in sources.items()]

    assert set(cycle(modules)) == sources.keys()
