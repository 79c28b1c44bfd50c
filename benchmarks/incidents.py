"""Incidents: how many planted breaks are found by their kind, and how much drift is called one.

Windows are put through the checks, the search and the diagnosis as a cycle does, beside up to four
clean windows before. Two runs: of the tables of ../shared/data; and of the demo's flights, with
worlds of other seeds (where a folder is not there the flights stand in for its tables). Worlds are
generated here. Prints tables in Markdown.
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from oracle import gain, tells
from planting import PLANTS, is_found, numeric, offsets
from worlds_of_rows import DRIFTS, FEATURES, N_ROWS, draw

from leeway.demo.flights import CATEGORICAL, NUMERIC, TIME, load_flights
from monitor.batch import EVENT_AT
from monitor.checks.beyond import beyond_wobble
from monitor.checks.broken import Break
from monitor.checks.calibrated import AlertBudget
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy
from monitor.checks.feed import search
from monitor.checks.quality import REPEATED_JUMP, QualityPolicy, gaps, repeated_score
from monitor.checks.stale import stale_scores
from monitor.checks.steadiness import spare_newcomers
from monitor.columns import TableColumns
from monitor.diagnosis import Diagnosis, DiagnosisKind, diagnose
from monitor.duplicates import repeated_ratio
from monitor.incident import CLEAN_WINDOWS, Scored, break_scores, suspects
from monitor.reference import Cut, Reference, calibrated, prepare
from monitor.schema import Kind, Schema, Task
from monitor.verdict import Basis, VerdictPolicy, judge
from monitor.window import LabelPolicy, Window, WindowPolicy

N_PLANTED, N_WORLDS, LATEST = 8, 12, 0.75
"""Breaks of each kind a table; worlds; a break begins in the first three quarters of a window."""

RUNS = ((Path("../shared/data"), 0), (Path("nowhere"), 9000))
"""What is run by default: the tables; and the flights, with worlds of other seeds."""

BUDGET = AlertBudget(per=50)


@dataclass(frozen=True)
class History:
    """A table: its reference, and the windows that follow."""

    name: str
    reference: Reference
    policy: WindowPolicy
    windows: Sequence[pa.Table]
    n_before: int

    def clean(self, at: int) -> Sequence[pa.Table]:
        """Return the windows before one."""
        return self.windows[max(0, at - CLEAN_WINDOWS) : at]


def history(name: str, rows: pa.Table, schema: Schema, n_reference: int, n_rows: int) -> History:
    """Cut a table by the count of its rows; the last windows of the reference come first."""
    before, policy = rows.slice(0, n_reference), WindowPolicy(rows=n_rows)
    times = before.column(EVENT_AT).cast(pa.timestamp("us")).to_numpy()
    prepared = prepare(TableColumns(before), schema, performance={})
    known = calibrated(prepared, TableColumns(before), Cut(times, policy))
    starts = range(n_reference - CLEAN_WINDOWS * n_rows, rows.num_rows - n_rows + 1, n_rows)
    windows = [rows.slice(start, n_rows) for start in starts]
    return History(name, known, policy, windows, CLEAN_WINDOWS)


def tables(folder: Path) -> Iterator[History]:
    """Yield the tables there are."""
    if not (folder / "tasks.json").exists():
        print(f"{folder} is not there: the demo's flights stand in for it.\n")
        yield _flights()
        return
    for name, task in json.loads((folder / "tasks.json").read_text()).items():
        frame = pd.read_parquet(folder / f"{name}.parquet")
        kinds = {
            column: Kind.CATEGORICAL if column in task["categorical"] else Kind.NUMERIC
            for column in task["features"]
        }
        rows = _rows(frame, kinds, frame[task["time"]])
        schema = Schema(Task.REGRESSION, kinds, "y")
        yield history(name, rows, schema, task["reference_rows"], task["window_rows"])


def _flights() -> History:
    frame = load_flights().sort_values(TIME).iloc[::10]
    kinds = {**dict.fromkeys(NUMERIC, Kind.NUMERIC), **dict.fromkeys(CATEGORICAL, Kind.CATEGORICAL)}
    rows = _rows(frame, kinds, frame[TIME])
    return history("flights", rows, Schema(Task.BINARY, kinds, "y"), 6000, 600)


def _rows(frame: pd.DataFrame, kinds: dict[str, Kind], times: pd.Series) -> pa.Table:
    if not pd.api.types.is_datetime64_any_dtype(times):
        times = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(times)), "h"))
    columns = {
        name: pa.array(
            frame[name].astype(str if kind is Kind.CATEGORICAL else float), from_pandas=True
        )
        for name, kind in kinds.items()
    }
    at = pa.array(pd.to_datetime(times, utc=True).to_numpy("datetime64[us]"))
    return pa.table({**columns, EVENT_AT: at.cast(pa.timestamp("us", "UTC"))})


def look(one: History, rows: pa.Table, before: Sequence[pa.Table]) -> tuple[Diagnosis, list[Break]]:
    """Diagnose a window as the cycle does."""
    times, reference, current = rows.column(EVENT_AT), one.reference, TableColumns(rows)
    window = Window(times[0].as_py(), times[-1].as_py() + timedelta(microseconds=1))
    scores = column_scores(reference, current, DriftPolicy(), QualityPolicy())
    ratio = repeated_ratio(current, reference.schema.features, gaps=gaps(scores))
    scores.append(
        repeated_score(reference.repeated_ratio, ratio, rows.num_rows, jump=REPEATED_JUMP)
    )
    scores += stale_scores(rows, before[-1], reference, gaps=gaps(scores))
    beyond = beyond_wobble(rows, window, reference, one.policy, BUDGET)
    scores = spare_newcomers(
        [*scores, *beyond.scores], reference, beyond.profile, window, one.policy
    )
    found = search(rows, before, reference, suspects(Scored(reference, 1, scores)))
    policy = VerdictPolicy(
        one.policy, LabelPolicy(), DriftPolicy(budget=BUDGET), PerformancePolicy("mae")
    )
    verdict = judge(
        [*scores, *break_scores(found, rows.num_rows)],
        Basis(rows.num_rows, 1, provisional=False),
        policy,
        target="y",
    )
    return diagnose(verdict, found), found


def found_of(one: History, kind: str, starts: list[float]) -> tuple[int, int]:
    """Plant a kind of break; return how many were found, of how many, and add their `offsets`."""
    n_found = n_planted = 0
    for trial in range(N_PLANTED):
        rng = np.random.default_rng([trial, *kind.encode()])
        at = int(rng.integers(one.n_before, len(one.windows)))
        rows = one.windows[at]
        first = int(rng.integers(0, int(LATEST * rows.num_rows)))
        planted = PLANTS[kind](rows, one.reference, first, rng)
        if planted is None:
            continue
        diagnosis, _ = look(one, planted.rows, one.clean(at))
        n_planted += 1
        if is_found(planted, kind, diagnosis):
            n_found += 1
            starts += offsets(planted, diagnosis, first)
    return n_found, n_planted


def known_of(one: History) -> tuple[int, int]:
    """Count the levels that changed places which an oracle can tell, of how many."""
    n_known = n_planted = 0
    for trial in range(N_PLANTED):
        rng = np.random.default_rng([trial, *b"permuted"])
        at = int(rng.integers(one.n_before, len(one.windows)))
        first = int(rng.integers(0, int(LATEST * one.windows[at].num_rows)))
        planted = PLANTS["permuted"](one.windows[at], one.reference, first, rng)
        if planted is None:
            continue
        name = planted.columns[0]
        clean = [
            gain(one.windows[n], one.clean(n), one.reference, name, first)
            for n in range(one.n_before, len(one.windows))
        ]
        n_planted += 1
        n_known += tells(gain(planted.rows, one.clean(at), one.reference, name, first), clean)
    return n_known, n_planted


def called_incident(one: History) -> tuple[int, int, int]:
    """Count the windows as they are that are called incidents, those among them with gaps, all."""
    n_called = n_gaps = 0
    clean = list(one.windows[: one.n_before])
    for rows in one.windows[one.n_before :]:
        diagnosis, _ = look(one, rows, clean[-CLEAN_WINDOWS:])
        if diagnosis.kind is DiagnosisKind.INCIDENT:
            n_called += 1
            n_gaps += all(finding.sign == "missing" for finding in diagnosis.findings)
        else:
            clean.append(rows)
    return n_called, n_gaps, len(one.windows) - one.n_before


def _world(seed: int, drift: str | None) -> History:
    rows = draw(seed, drift)
    schema = Schema(Task.REGRESSION, dict(FEATURES), "y")
    n_reference = rows.num_rows - 2 * N_ROWS
    return history(f"world {seed}", rows, schema, n_reference, N_ROWS)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="one run alone: the folder of its tables")
    parser.add_argument("--seed", type=int, default=0, help="of that run: the first of the worlds'")
    asked = parser.parse_args()
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}; {N_PLANTED} breaks of a kind and table\n")
    runs = RUNS if asked.data is None else [(asked.data, asked.seed)]
    counted = [_run(*one) for one in runs]
    n_called, n_unplanted = np.sum(counted, axis=0)
    print(f"Unplanted, in all: {n_called} of {n_unplanted} are called an incident, but for gaps.")


def _run(folder: Path, seed: int) -> tuple[int, int]:
    """Print the tables of one run; return how many unplanted are called incidents, of how many."""
    began, kept = time.process_time(), list(tables(folder))
    _print_found(kept, seed)
    counted = _print_drift(kept, seed)
    print(f"\n{time.process_time() - began:.0f} CPU s\n")
    return counted


def _print_found(kept: Sequence[History], first_seed: int) -> None:
    generated = [_world(first_seed + at, None) for at in range(N_WORLDS)]
    print("| planted | " + " | ".join(["worlds", *(one.name for one in kept)]) + " | all tables |")
    print("|---|" + "---:|" * (len(kept) + 2))
    every, starts = np.zeros((len(kept) + 2, 2), dtype=int), list[float]()
    for kind in PLANTS:
        of_worlds = [_one_of(one, kind) for one in generated]
        cells = [(sum(of_worlds), len(of_worlds)), *(found_of(one, kind, starts) for one in kept)]
        cells.append(tuple(np.sum(cells[1:], axis=0)))
        every += np.array(cells)
        print(f"| {kind} | " + " | ".join(map(_share, cells)) + " |", flush=True)
    print("| all kinds | " + " | ".join(map(_share, every)) + " |")
    known = [known_of(one) for one in kept]
    n_known, n_planted = np.sum(known, axis=0)
    cells = [(0, 0), *known, (int(n_known), int(n_planted))]
    print("| *permuted, an oracle* | " + " | ".join(map(_share, cells)) + " |", flush=True)
    half, most = np.quantile(starts, [0.5, 0.9])
    print(
        f"\nThe start that is told for {len(starts)} columns lies within {half:.3f} windows of the "
        f"first broken row for half of them, and within {most:.3f} for nine in ten."
    )


def _one_of(one: History, kind: str) -> bool:
    """Plant one break in the last window but one of a world."""
    rng = np.random.default_rng([*one.name.encode(), *kind.encode()])
    at = len(one.windows) - 1
    first = int(rng.integers(0, int(LATEST * N_ROWS)))
    planted = PLANTS[kind](one.windows[at], one.reference, first, rng)
    assert planted is not None
    assert numeric(one.reference)
    return is_found(planted, kind, look(one, planted.rows, one.clean(at))[0])


def _share(cell: Sequence[int]) -> str:
    return f"{cell[0] / cell[1]:.2f}" if cell[1] else ""


def _print_drift(kept: Sequence[History], first_seed: int) -> tuple[int, int]:
    print("\n| unplanted | windows | called an incident | of them gaps in the table | share |")
    print("|---|---:|---:|---:|---:|")
    total = np.zeros(2, dtype=int)
    for one in kept:
        n_called, n_gaps, n_windows = called_incident(one)
        total += (n_called - n_gaps, n_windows - n_gaps)
        print(_drift_row(one.name, n_windows, n_called, n_gaps), flush=True)
    for drift in (None, *DRIFTS):
        n_called = 0
        for seed in range(N_WORLDS):
            one = _world(1000 + first_seed + seed, drift)
            n_called += called_incident(one)[0] > 0
        total += (n_called, N_WORLDS)
        print(_drift_row(f"worlds: {drift or 'no drift'}", N_WORLDS, n_called, 0), flush=True)
    n_called, n_unplanted = (int(one) for one in total)
    print(f"| all | {n_unplanted} | {n_called} | | {n_called / n_unplanted:.3f} |")
    return n_called, n_unplanted


def _drift_row(name: str, n_windows: int, n_called: int, n_gaps: int) -> str:
    share = (n_called - n_gaps) / max(n_windows - n_gaps, 1)
    return f"| {name} | {n_windows} | {n_called} | {n_gaps} | {share:.3f} |"


if __name__ == "__main__":
    main()
