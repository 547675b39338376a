"""Says where the sidecar's CPU time goes under load, from samples of its stack (py-spy, as root).

bench/hotspots.py            short answers, 64 connections
bench/hotspots.py --streams  50 streams of 25 chunks a second
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import targets, toolchain
from bench.processes import PATIENCE_S, Mock, Target, load

SECONDS = 6
SAMPLES_PER_S = 500
LINES = 20
ENTRY = "sidecar/serving.py"  # under all of it; alone, the event loop or the server is at work
SHORT_ANSWERS: Mapping[str, object] = {"connections": 64}
STREAMS: Mapping[str, object] = {
    "connections": 50,
    "stream": True,
    "chunks": 50,
    "delay": "40ms",
}
FRAME = re.compile(
    r"(?P<function>.+) \((?:.*(?:site-packages|python3\.\d+|main)/)?(?P<file>.+):\d+\)"
)


def sample(target: Target, mock: Mock, flags: Mapping[str, object], output: Path) -> None:
    """Write the stacks of `target` under load to `output`, and print how much it did."""
    spy = [str(toolchain.tool("py-spy")), "record", "--pid", str(target.pid), "--format", "raw"]
    spy += ["--duration", str(SECONDS), "--rate", str(SAMPLES_PER_S), "--full-filenames"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*spy, "--output", str(output)], stdout=quiet, stderr=quiet) as process:
        seen = load(target, mock, duration=f"{SECONDS + 1}s", **flags)
        process.wait(PATIENCE_S)
    number = seen.chunks or seen.ok
    print(f"{number:,} in {seen.seconds:.1f} s, {seen.cpu_s * 1e6 / number:.0f} µs each")


def read_stacks(lines: Iterable[str]) -> Iterable[tuple[list[str], int]]:
    """Each stack as frames `file function`, outermost first, with the number of its samples.

    Other threads are left out: they mostly wait, which the sampler takes for work.
    """
    for line in lines:
        if "_bootstrap " in line:
            continue
        stack, _, count = line.rpartition(" ")
        yield [FRAME.sub(r"\g<file> \g<function>", frame) for frame in stack.split(";")], int(count)


def charge(frames: list[str]) -> str:
    """The sidecar's function that is at work, itself or by what it calls; else the file that is."""
    ours = (frame for frame in reversed(frames) if frame.startswith("sidecar/"))
    function = next(ours, ENTRY)
    return frames[-1].partition(" ")[0] if function.startswith(ENTRY) else function


def print_shares(title: str, counts: Counter[str]) -> None:
    """The largest parts of a whole."""
    print(f"\n{title}")
    for name, count in counts.most_common(LINES):
        print(f"  {count / counts.total():6.1%}  {name}")


def main() -> None:
    """Sample one load and print what took the time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", action="store_true", help="streamed answers")
    flags = STREAMS if parser.parse_args().streams else SHORT_ANSWERS
    toolchain.build()
    with TemporaryDirectory() as name:
        folder = Path(name)
        with Mock.start() as mock, targets.sidecar(folder) as target:
            load(target, mock, connections=16, duration="1s")
            sample(target, mock, flags, folder / "stacks")
        stacks = list(read_stacks((folder / "stacks").read_text().splitlines()))
    by_charge, by_file, by_function = Counter[str](), Counter[str](), Counter[str]()
    for frames, count in stacks:
        by_charge[charge(frames)] += count
        by_file[frames[-1].partition(" ")[0]] += count
        by_function[frames[-1]] += count
    print_shares("by function of the sidecar, with what it calls elsewhere", by_charge)
    print_shares("by file, own time", by_file)
    print_shares("by function, own time", by_function)


if __name__ == "__main__":
    main()
