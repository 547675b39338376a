"""Gathers what an image needs to run the sidecar, and nothing else: no shell, no pip.

    python assemble.py SITE ROOT

puts this interpreter, its standard library without what no server uses, the packages in SITE, and
the shared libraries that all of these need into the empty directory ROOT, and compiles all modules.
The image is that directory. It needs glibc, `ldd` and, to be small, `strip`.
"""

from __future__ import annotations

import compileall
import py_compile
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

USER = 65532
PREFIX = Path("usr", "local")  # where python's own images have it
TRUST = Path("etc", "ssl", "certs", "ca-certificates.crt")

UNUSED = {
    *("test", "unittest", "idlelib", "lib2to3", "pydoc_data", "tkinter", "turtledemo", "turtle.py"),
    *("ensurepip", "venv", "distutils", "sqlite3", "curses", "dbm", "site-packages", "__pycache__"),
}
UNUSED_EXTENSIONS = re.compile(
    r"_?(test|xx|curses|tkinter|sqlite3|dbm|gdbm|readline|nis|ossaudiodev|ctypes_test)"
)
UNUSED_FILES = ("__pycache__", "bin", "*.pyi", "*.pyx", "*.pxd", "*.c", "*.h")
ETC = {
    "passwd": f"sidecar:x:{USER}:{USER}:sidecar:/:/sbin/nologin\n",
    "group": f"sidecar:x:{USER}:\n",
    "nsswitch.conf": "hosts: files dns\n",
}


def assemble(site: Path, root: Path) -> None:
    """Fill `root` with everything. Raises `OSError` where something cannot be read or written."""
    home = root / PREFIX
    library = home / "lib" / f"python{sysconfig.get_python_version()}"
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=unused)
    shutil.copytree(site, library / "site-packages", ignore=shutil.ignore_patterns(*UNUSED_FILES))
    (home / "bin").mkdir()
    shutil.copy(Path(sys.executable).resolve(), home / "bin" / "python3")
    for source, name in libraries([home / "bin" / "python3", *library.rglob("*.so*")]):
        if not name.is_relative_to(root):
            target = root / name.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    strip(root)
    compile_all(library, f"/{PREFIX / 'lib' / library.name}")
    write_etc(root)


def unused(folder: str, names: list[str]) -> set[str]:
    """What of the standard library stays behind."""
    if Path(folder).name == "lib-dynload":
        return {name for name in names if UNUSED_EXTENSIONS.match(name)}
    return {name for name in names if name in UNUSED or name.startswith("config-")}


def libraries(binaries: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """The shared libraries that binaries need: where each is, and by which path it is asked for."""
    words = ["ldd", *map(str, binaries)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout  # noqa: S603  our own
    if missing := re.findall(r"^\s+(\S+) => not found", told, re.MULTILINE):
        raise FileNotFoundError(f"shared libraries are missing: {', '.join(sorted(set(missing)))}")
    for name in sorted(set(re.findall(r"(/\S+) \(0x", told))):
        yield Path(name).resolve(), Path(name)


def strip(root: Path) -> None:
    """Take out what only debuggers read: half of everything. Without `strip` it stays."""
    if found := shutil.which("strip"):
        binaries = [*root.rglob("*.so*"), root / PREFIX / "bin" / "python3"]
        words = [found, "--strip-unneeded", *map(str, binaries)]
        subprocess.run(words, check=True)  # noqa: S603  our own


def compile_all(library: Path, shown_as: str) -> None:
    """Compile every module once and for all: what is read-only is never compiled anew."""
    compileall.compile_dir(
        library,
        quiet=2,
        stripdir=str(library),
        prependdir=shown_as,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        workers=0,
    )


def write_etc(root: Path) -> None:
    """The user, how names are resolved, and the authorities that TLS trusts."""
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    for name, text in ETC.items():
        (etc / name).write_text(text)
    trusted = root / TRUST
    trusted.parent.mkdir(parents=True)
    shutil.copy(Path("/") / TRUST, trusted)
    (root / "tmp").mkdir(mode=0o1777)
    cafile = root / ssl.get_default_verify_paths().openssl_cafile.lstrip("/")
    cafile.parent.mkdir(parents=True, exist_ok=True)
    cafile.symlink_to(Path("/") / TRUST)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), Path(sys.argv[2]))
