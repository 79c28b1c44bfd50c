"""Drift checks: what a comparison costs here, in Evidently and in others, on the same data.

Prints Markdown tables; every figure comes from one run. Progress goes to stderr. Everything takes
some hours; ``--sizes 10k,100k --columns 10,50`` takes minutes. The largest size needs 10 GB of
disk and of memory.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from peers import tables
from peers.contender import CONTENDERS, GROUPS, PEERS_UP_TO_ROWS, Contender
from peers.environment import PeerMissingError, python_of
from peers.figure import Figure, Size, agreement
from peers.process import run

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".bench"
SIZES = "10k,100k,1M,10M"
COLUMNS = (10, 50, 100)
COLUMNS_BEYOND = (50,)
"""Columns where only Leeway is measured, unless others are asked for."""
SMALL = Size(2_000, 10)
"""What each contender compares first, unmeasured."""
COMMAND_SIZE = Size(100_000, 50)
WRITING_SECONDS = 3600.0
"""For making the data of one size: no measurement, so ``--limit`` is not for it."""
UNITS = {"k": 1_000, "m": 1_000_000}


def rows(text: str) -> int:
    """Read a number of rows: 10k, 1M or plain digits."""
    unit = UNITS.get(text[-1].lower(), 1)
    return int(text[:-1] if unit > 1 else text) * unit


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=SIZES, help=f"rows, default {SIZES}")
    parser.add_argument("--columns", help="default 10,50,100; with 10M rows 50")
    parser.add_argument("--only", default=",".join(GROUPS), help=f"of {','.join(GROUPS)}")
    parser.add_argument("--json", type=Path, help="a file for the raw figures")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for a measurement")
    found = parser.parse_args(arguments)
    # `ours` is what people ask for
    found.only = ["leeway" if name == "ours" else name for name in found.only.split(",")]
    if unknown := set(found.only) - set(GROUPS):
        parser.error(f"--only knows {', '.join(GROUPS)}, not {', '.join(sorted(unknown))}")
    found.cases = sizes(found.sizes, found.columns)
    return found


def sizes(asked_rows: str, asked_columns: str | None) -> list[Size]:
    """Return the sizes that were asked for, the smallest first."""
    found = []
    for n_rows in sorted(map(rows, asked_rows.split(","))):
        columns = COLUMNS_BEYOND if n_rows > PEERS_UP_TO_ROWS else COLUMNS
        if asked_columns:
            columns = tuple(sorted(map(int, asked_columns.split(","))))
        found += [Size(n_rows, n_columns) for n_columns in columns]
    return found


def say(text: str, end: str = "\n") -> None:
    """Report progress where it does not get into the tables."""
    print(text, end=end, file=sys.stderr, flush=True)


class Bench:
    """One run: the data, the environments and the figures so far."""

    def __init__(self, folder: Path, limit_seconds: float) -> None:
        self.folder = folder
        self.limit_seconds = limit_seconds
        self.figures: dict[tuple[Size, Contender], Figure] = {}
        self._pythons: dict[str, Path | PeerMissingError] = {}

    def files(self, size: Size) -> tuple[Path, Path]:
        """Return the two files of a size."""
        name = f"{size.rows}x{size.columns}.parquet"
        return self.folder / f"reference-{name}", self.folder / f"current-{name}"

    def write(self, size: Size) -> str:
        """Write the files of a size; return why it failed, if it did."""
        # In a process of its own: ours stays small, and children are born as large as we are.
        script, numbers = HERE / "peers" / "data.py", (str(size.rows), str(size.columns))
        command = [sys.executable, script, *self.files(size), *numbers]
        return run(command, folder=self.folder, limit_seconds=WRITING_SECONDS).failure

    def python(self, contender: Contender) -> Path:
        """Return the Python to run a contender with; a peer is tried once."""
        if not contender.own_environment:
            return Path(sys.executable)
        if contender.group not in self._pythons:
            try:
                self._pythons[contender.group] = python_of(contender.group, ENVIRONMENTS)
            except PeerMissingError as missing:
                self._pythons[contender.group] = missing
        python = self._pythons[contender.group]
        if isinstance(python, PeerMissingError):
            raise python
        return python

    def measure(self, size: Size, contender: Contender) -> Figure:
        """Measure one contender in a process of its own."""
        try:
            python = self.python(contender)
        except PeerMissingError as missing:
            return Figure(size, contender, failure=str(missing))
        script = HERE / "peers" / f"by_{contender.group}.py"
        command = [python, script, contender.way, *self.files(size), *self.files(SMALL)]
        ended = run(command, folder=self.folder, limit_seconds=self.limit_seconds)
        found = next((line for line in ended.output.splitlines() if line.startswith("{")), None)
        if ended.failure or found is None:
            return Figure(size, contender, failure=ended.failure or "it printed no figures")
        return Figure(
            size,
            contender,
            process_cpu_seconds=ended.cpu_seconds,
            process_peak_mebibytes=ended.peak_mebibytes,
            **json.loads(found),
        )

    def case(self, size: Size, contenders: Sequence[Contender]) -> None:
        """Measure all contenders that take this size."""
        say(f"{size}: writing the data")
        failure = self.write(size)
        taken = [each for each in contenders if each.any_size or size.rows <= PEERS_UP_TO_ROWS]
        for n, contender in enumerate(taken, start=1):
            say(f"{size} [{n}/{len(taken)}] {contender.name}: ", end="")
            figure = Figure(size, contender, failure=f"no data: {failure}")
            if not failure:
                figure = self.measure(size, contender)
            self.figures[size, contender] = figure
            say(
                f"failed: {figure.failure}" if figure.failure else f"{figure.cpu_seconds:.3g} CPU s"
            )
        for file in self.files(size):
            file.unlink(missing_ok=True)

    def command(self) -> str:
        """Return a sentence on ``leeway compare``, start of Python included."""
        compare = [sys.executable, "-m", "leeway", "compare"]
        limit = self.limit_seconds
        if run([*compare, "--help"], folder=self.folder, limit_seconds=limit).failure:
            return "`leeway compare` was left out: this version has no such command."
        say("leeway compare")
        if failure := self.write(COMMAND_SIZE):
            return f"`leeway compare` was left out: no data: {failure}."
        command = [*compare, *self.files(COMMAND_SIZE)]
        ended = [run(command, folder=self.folder, limit_seconds=limit) for _ in range(3)]
        best = min(ended, key=lambda each: each.wall_seconds)
        return (
            f"`leeway compare reference.parquet current.parquet`, {COMMAND_SIZE}, from the start "
            f"of Python to its end: {best.wall_seconds:.2f} s wall, {best.cpu_seconds:.2f} CPU s, "
            f"{best.peak_mebibytes:.0f} MiB (best of three, exit code {best.code})."
        )


def processor() -> str:
    """Return the processor's name as the system gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def header(figures: dict[tuple[Size, Contender], Figure]) -> str:
    """Return when, where and with what it was measured."""
    used = {each.group: figure.versions for (_, each), figure in figures.items() if figure.versions}
    # these share the project's environment
    own = [used.pop(group, {}) for group in ("leeway", "pyarrow", "scipy", "evidently")]
    packages = "; ".join(
        f"{group}: {', '.join(f'{name} {number}' for name, number in versions.items())}"
        for group, versions in {"leeway": next(filter(None, own), {}), **used}.items()
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({processor()}), "
        f"Python {platform.python_version()}\n\nPackages by environment: {packages}."
    )


def main() -> int:
    """Measure what was asked for and print the tables; 1 when our scores are not Evidently's."""
    asked = options()
    contenders = [each for each in CONTENDERS if each.group in asked.only]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), asked.limit)
        if failure := bench.write(SMALL):
            say(f"cannot write to the temporary folder: {failure}")
            return 1
        for size in asked.cases:
            bench.case(size, contenders)
            if asked.json:  # after each size: a run takes hours, and may be ended before its end
                raw = [figure.document() for figure in bench.figures.values()]
                asked.json.write_text(json.dumps(raw, indent=1))
        command = bench.command() if "leeway" in asked.only else ""
    sentence, agreed = agreement(bench.figures, asked.cases)
    text = tables.document(bench.figures, asked.cases, sentence)
    print("\n\n".join(part for part in (header(bench.figures), text, command) if part))
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
