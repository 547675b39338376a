"""The image: what its parts weigh, that they are enough, and what the Dockerfile promises."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from deploy.image.assemble import PREFIX, assemble
from sidecar import __version__
from sidecar.kubernetes.injection import USER
from tests.kubernetes.shipped import ROOT

DOCKERFILE = ROOT / "Dockerfile"
LOCK = ROOT / "requirements-image.lock"
LIMIT_MB = 100 if shutil.which("strip") else 250  # debuggers' tables are half of it
PIN = re.compile(r"^([a-z0-9-]+)==(\S+?)(?: ;.*)? \\$", re.MULTILINE)
EVERYTHING = """
import importlib, pkgutil, re, sys
import redis.asyncio, ruamel.yaml, sidecar, ssl, uvloop
import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http.trace_exporter
for module in pkgutil.walk_packages(sidecar.__path__, "sidecar."):
    if module.name != "sidecar.__main__":
        importlib.import_module(module.name)
mapped = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
print(sidecar.__file__, *sorted(mapped), sep="\\n")
"""


def site_packages(folder: Path) -> Path:
    """What pip installs from the image's lock file, taken from this environment."""
    for name, _ in PIN.findall(LOCK.read_text()):
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            assert name == "async-timeout"  # which only older Pythons need
            continue
        for file in files:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target)
    shutil.copytree(ROOT / "sidecar", folder / "sidecar")
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("image")
    assemble(site_packages(tmp_path_factory.mktemp("site")), root)
    return root


def test_its_parts_weigh_at_most_a_hundred_megabytes(image: Path) -> None:
    used = sum(path.lstat().st_blocks * 512 for path in image.rglob("*"))

    assert 30 < used / 1e6 <= LIMIT_MB


def test_every_module_runs_on_nothing_but_its_parts(image: Path) -> None:
    (loader,) = (*image.glob("lib*/ld-linux*"), *image.glob("lib/*/ld-linux*"))
    folders = {str(path.parent) for path in image.rglob("*.so*")}
    python = image / PREFIX / "bin" / "python3"
    words = [loader, "--library-path", ":".join(folders), python, "-IBu", "-c", EVERYTHING]

    told = subprocess.run(  # noqa: S603  our own words
        [*map(str, words)], check=True, capture_output=True, text=True, cwd="/", env={}
    ).stdout.splitlines()

    assert len(told) > 30
    assert [line for line in told if not line.startswith(str(image))] == []


def test_every_module_is_compiled(image: Path) -> None:
    tag = sys.implementation.cache_tag
    modules = list((image / PREFIX / "lib").rglob("*.py"))
    compiled = [path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc" for path in modules]

    assert len(modules) > 1000
    # some templates in packages only look like modules
    assert len([path for path in compiled if not path.exists()]) < 5


def test_there_is_no_shell_and_nothing_that_makes_root(image: Path) -> None:
    every = [path for path in image.rglob("*") if path.is_file() and not path.is_symlink()]
    programs = [path.name for path in every if "bin" in path.relative_to(image).parts]

    assert programs == ["python3"]
    assert [path for path in every if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)] == []
    assert [path for path in image.rglob("*") if path.name in {"pip", "ensurepip"}] == []


def test_its_user_has_a_name_and_no_rights(image: Path) -> None:
    (line,) = (image / "etc" / "passwd").read_text().splitlines()

    assert line.split(":")[2:4] == [str(USER), str(USER)]


# The Dockerfile


def hadolint(file: Path) -> str:
    program = Path(sys.executable).with_name("hadolint")
    return subprocess.run(  # noqa: S603  our own words
        [str(program), "--no-fail", str(file)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_hadolint_finds_nothing() -> None:
    assert hadolint(DOCKERFILE) == ""


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python\nRUN pip install aiohttp\n")

    assert {"DL3006", "DL3013"} <= set(re.findall(r"DL\d+", hadolint(file)))


def instructions(word: str) -> list[str]:
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return re.findall(rf"^{word} (.*)$", text, re.MULTILINE)


def test_the_image_is_what_the_pods_expect() -> None:
    assert instructions("USER") == [f"{USER}:{USER}"]
    assert instructions("FROM")[-1] == "scratch"
    assert f"VERSION={__version__}" in instructions("ARG")
    assert instructions("ENTRYPOINT") == [
        '["/usr/local/bin/python3", "-IBu", "-X", "utf8", "-m", "sidecar"]'
    ]


def test_its_base_is_pinned_and_without_a_host() -> None:
    (base,) = (one for one in instructions("ARG") if one.startswith("PYTHON="))

    assert re.fullmatch(r"PYTHON=python:3\.\d+-[a-z]+", base)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    let_in = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [
        name
        for one in instructions("COPY")
        if not one.startswith("--from")
        for name in one.split()[:-1]
    ]

    assert sorted(copied) == sorted(let_in)
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested = dict(PIN.findall((ROOT / "requirements-test.lock").read_text()))
    shipped = dict(PIN.findall(LOCK.read_text()))

    assert len(shipped) > 20
    assert {name: tested.get(name) for name in shipped} == shipped


def test_every_package_of_the_image_has_a_hash() -> None:
    parts = re.split(r"^(?=[a-z])", LOCK.read_text(), flags=re.MULTILINE)[1:]

    assert len(parts) == len(PIN.findall(LOCK.read_text()))
    assert [part for part in parts if "--hash=sha256:" not in part] == []
