"""False alerts and power of drift alerts, in worlds that are drawn here.

A model has 30 features and 26 weeks of reference windows. Then a year follows in which nothing
drifts: every alert is false. Prints tables in Markdown for weekly, daily and hourly windows, and
how many shifts of .2 standard deviations in two of the features are found within four weeks.

A reading of a feature is a standard normal number in steps of 1/20. The number of readings at each
step is drawn at once, which is the same as drawing the rows one by one and counting them: profiles
are exact, and so is the Wasserstein distance. With hourly windows the steps are of 1/4.
"""

import argparse
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rules import EVIDENTLY_SHARE, Year, agreement, by_evidently, by_scatter
from worlds import N_FEATURES, WORLDS, Readings

from monitor.calibration import Calibration, calibrate
from monitor.checks.calibrated import (
    AlertBudget,
    limits,
)
from monitor.checks.score import Status
from monitor.checks.surprise import adjusted, column_p, material, surprise
from monitor.contrast import Contrasted, contrasted, contrasts
from monitor.grid import Grid, grid_of
from monitor.profile import ColumnProfile
from monitor.season import design
from monitor.values import NumericValues
from monitor.verdict import drift_status
from monitor.window import MONDAY, WindowPolicy

REFERENCE_WEEKS, YEAR_WEEKS = 26, 52
SIZES = (500, 5_000, 50_000)
WEEK = timedelta(days=7)
MONTHS = 12

SHIFT, N_SHIFTED, FOUND_WITHIN = 0.2, 2, 4

BUDGET = AlertBudget()

ENOUGH_ROWS = 200_000


def by_leeway(year: Year) -> np.ndarray:
    """Judge the windows after the reference as Leeway does: profiles, calibration, budget.

    Returns
    -------
    ndarray of bool, shape (n_features, n_windows)
        Where a column breaches.
    """
    policy, n = WindowPolicy(every=year.every), year.n_reference
    starts = [MONDAY + at * year.every for at in range(year.counts.shape[1])]
    made, ones = {}, {}
    for at, counts in enumerate(year.counts):
        grid, column = _profile(counts, year.levels, n)
        name = str(at)
        made[name] = contrasts(grid, column.counts[:n].sum(axis=0), n)
        ones[name] = contrasted(made[name], column)
    learned = calibrate(
        {k: (made[k], _first(one, n)) for k, one in ones.items()}, starts[:n], policy
    )
    told = np.array([adjusted(window) for window in _column_p(learned, ones, starts).T[n:]])
    allowed, moved = limits(BUDGET, policy), told <= limits(BUDGET, policy).watch
    breaches = np.zeros(moved.shape, dtype=bool)
    for at, column in zip(*np.nonzero(moved), strict=True):
        before = bool(moved[max(0, at - 2) : at, column].any())
        status = drift_status(told[at, column], allowed, before=before)
        breaches[at, column] = status is Status.BREACH
    return breaches.T


def _profile(
    counts: np.ndarray, values: np.ndarray, n_reference: int
) -> tuple[Grid, ColumnProfile]:
    """Count readings over the bins that Leeway freezes with the reference."""
    pooled = counts[:n_reference].sum(axis=0)
    # Quantiles of so many rows are those of all: the bins are the same to a hair.
    rows = np.repeat(values, pooled // max(1, pooled.sum() // ENOUGH_ROWS))
    grid = grid_of(NumericValues(rows, rows.size, 0, whole=False))
    bins = np.searchsorted(grid.edges, values, side="right")
    binned = np.zeros((len(counts), grid.n_bins), dtype=np.int64)
    np.add.at(binned.T, bins, counts.T)
    nothing = np.zeros(len(counts), dtype=np.int64)
    return grid, ColumnProfile(binned, nothing, nothing, nothing * 0.0, nothing * 0.0)


def _first(one: Contrasted, n_windows: int) -> Contrasted:
    return Contrasted(*(part[:n_windows] for part in vars(one).values()))


def _column_p(
    learned: Calibration, ones: Mapping[str, Contrasted], starts: list[datetime]
) -> np.ndarray:
    terms = design(starts, learned.periods)
    found = {name: surprise(learned.columns[name], one, terms) for name, one in ones.items()}
    return np.array(
        [column_p(material(found[name], one, BUDGET.materiality)) for name, one in ones.items()]
    )


def openings(breaches: np.ndarray) -> int:
    """Count alerts: a breach that the window before did not have, along the last axis."""
    before = np.zeros_like(breaches)
    before[..., 1:] = breaches[..., :-1]
    return int((breaches & ~before).sum())


@dataclass(frozen=True)
class Pace:
    """Windows of one length, and how much is drawn of them."""

    name: str
    every: timedelta
    n_years: int
    step: float
    most: float
    """False alerts a month that are allowed."""

    @property
    def n_reference(self) -> int:
        """Windows of the reference."""
        return REFERENCE_WEEKS * WEEK // self.every

    @property
    def n_windows(self) -> int:
        """Windows of the reference and the year."""
        return (REFERENCE_WEEKS + YEAR_WEEKS) * WEEK // self.every

    def year(self, world: str, n_rows: int, seed: int) -> Year:
        """Draw a reference and a year without drift."""
        rng = _random(self.name, world, n_rows, seed)
        means = WORLDS[world](self.n_windows, self.every / WEEK, rng)
        return self.read(means, n_rows, rng)

    def read(self, means: np.ndarray, n_rows: int, rng: np.random.Generator) -> Year:
        """Draw the readings."""
        readings = Readings(self.step)
        counts = readings.draw(means, n_rows, rng)
        return Year(counts, readings.values, self.n_reference, self.every)


PACES = (
    Pace("weekly", WEEK, 100, 1 / 20, 0.2),
    Pace("daily", timedelta(days=1), 10, 1 / 20, 0.7),
    Pace("hourly", timedelta(hours=1), 2, 1 / 4, 1.0),
)


def _random(*what: str | int) -> np.random.Generator:
    return np.random.default_rng([*"/".join(map(str, what)).encode()])


def false_alerts(pace: Pace, world: str, n_rows: int) -> list[float]:
    """Return alerts a month: Leeway's, Evidently's by share and by column, of mean + 3 sd."""
    found = np.zeros(4)
    for seed in range(pace.n_years):
        year = pace.year(world, n_rows, seed)
        evidently = by_evidently(year)
        found += [
            openings(by_leeway(year).any(axis=0)),
            openings(evidently.mean(axis=0) >= EVIDENTLY_SHARE),
            openings(evidently),
            openings(by_scatter(year)),
        ]
    return list(found / (pace.n_years * MONTHS))


def power(world: str, n_rows: int, n_trials: int) -> list[float]:
    """Return the share of shifts found: by Leeway, Evidently's share, and mean + 3 sd.

    A shift is found when one of its columns (for the share: the window) breaches in the weeks
    after it.
    """
    pace, found, quiet = PACES[0], np.zeros(3), 4
    for seed in range(n_trials):
        rng = _random("power", world, n_rows, seed)
        means = WORLDS[world](pace.n_reference + quiet + FOUND_WITHIN, 1.0, rng)
        shifted = rng.choice(N_FEATURES, N_SHIFTED, replace=False)
        signs = rng.choice([-1.0, 1.0], (N_SHIFTED, 1))
        means[shifted, pace.n_reference + quiet :] += SHIFT * signs
        year = pace.read(means, n_rows, rng)
        found += [
            by_leeway(year)[shifted, quiet:].any(),
            (by_evidently(year).mean(axis=0) >= EVIDENTLY_SHARE)[quiet:].any(),
            by_scatter(year)[shifted, quiet:].any(),
        ]
    return list(found / n_trials)


def some_windows() -> Year:
    """Draw windows of which some drift by either rule: six features, of which some have shifted."""
    pace, shifts = PACES[0], (0.0, 0.1, 0.2, 0.4)
    means = np.zeros((6, pace.n_reference + len(shifts)))
    for at, shift in enumerate(shifts, start=pace.n_reference):
        means[: at - pace.n_reference + 1, at] = shift
    return pace.read(means, SIZES[0], _random("rules"))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pace", choices=[pace.name for pace in PACES], action="append")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--environments", type=Path, default=Path(__file__).parents[1] / ".bench")
    arguments = parser.parse_args()
    began = time.process_time()
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}\n")
    print(agreement(some_windows(), arguments.environments) + "\n")
    for pace in PACES:
        if not arguments.pace or pace.name in arguments.pace:
            print_false_alerts(pace)
    print_power(arguments.trials)
    print(f"\n{time.process_time() - began:.0f} CPU s")


def print_false_alerts(pace: Pace) -> None:
    """Print the table of one length of windows."""
    print(f"### {pace.name.title()} windows: false alerts a month\n")
    print(f"{pace.n_years} years of {N_FEATURES} features; Leeway's target: {pace.most:g}.\n")
    head = ("Leeway", "Evidently, share of columns", "Evidently, columns", "mean + 3 sd, columns")
    print(f"| world | rows a window | {' | '.join(head)} |")
    print(f"| --- | ---: | {' | '.join(['---:'] * len(head))} |")
    for world in WORLDS:
        for n_rows in SIZES:
            found = false_alerts(pace, world, n_rows)
            shown = " | ".join(f"{one:.2f}" for one in found)
            print(f"| {world} | {n_rows} | {shown} |", flush=True)
    print()


def print_power(n_trials: int) -> None:
    """Print how many shifts are found."""
    print(f"### Shifts of {SHIFT:g} standard deviations in {N_SHIFTED} features\n")
    print(f"Share of {n_trials} that are found within {FOUND_WITHIN} weekly windows.\n")
    print("| world | rows a window | Leeway | Evidently, share of columns | mean + 3 sd, columns |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for world in WORLDS:
        for n_rows in SIZES:
            shown = " | ".join(f"{one:.2f}" for one in power(world, n_rows, n_trials))
            print(f"| {world} | {n_rows} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
