"""The gate's errors: how often a challenger is promoted that gains nothing, or two points.

Simulated: two classifiers that disagree on 12 % of rows; five windows, looked at as in
`retrain.gate`: small ones one by one, large ones may tell all at once. A year of weekly trials, as
in `retrain.evidence`: how many runs they open where fitting again gains nothing, or something. And
years of the whole, as in `retrain.run`, in which nothing gains anything: trials, the runs that they
open, the gate, and what is promoted. Prints Markdown tables. Seeds are fixed.
"""

import platform
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from monitor.checks.performance import AnyArray
from monitor.schema import Schema, Task
from retrain.comparison import blocks
from retrain.dataset import Dataset, take
from retrain.evidence import Window, group, unskilled, verdict
from retrain.gate import N_LOOKS, Contest, Step, look_at
from retrain.gathered import Gathered
from retrain.lineage import aware

SCHEMA = Schema(Task.BINARY, {}, "y", classes=("0", "1"))
WINDOWS = (1_200, 6_000)
N_DAYS = 7
DISAGREE = 0.12
GAINS = (-0.01, 0.0, 0.01, 0.02)
N_CHALLENGERS = 1_000
N_WEEKS = 52
N_YEARS = 40
N_WHOLE_YEARS = 100
YEARS: tuple[tuple[int, float | None], ...] = (
    (1_200, 0.0),
    (1_200, None),
    (6_000, 0.0),
    (6_000, None),
)


def drawn_rows(
    gain: float, window: int, n_windows: int, rng: np.random.Generator
) -> tuple[Dataset, AnyArray, AnyArray]:
    """Draw windows of labels, and what a champion and a challenger of a true gain predict."""
    n_rows = n_windows * window
    labels = np.array(["0", "1"], dtype=object)[rng.integers(0, 2, n_rows)]
    right = (labels == "1") * 1.0
    drawn = rng.uniform(size=n_rows)
    only_champion = drawn < (DISAGREE - gain) / 2
    only_challenger = (drawn >= (DISAGREE - gain) / 2) & (drawn < DISAGREE)
    at = np.datetime64("2026-01-05", "us") + (
        np.arange(n_rows) * (N_DAYS * 86_400_000_000 // window)
    ).astype("timedelta64[us]")
    champion = np.where(only_challenger, 1 - right, right)
    challenger = np.where(only_champion, 1 - right, right)
    return Dataset(pd.DataFrame(index=range(n_rows)), labels, at), champion, challenger


def decided(gain: float, window: int, rng: np.random.Generator) -> Step:
    """Take a challenger of a true gain through the gate, and return what becomes of it."""
    rows, champion, challenger = drawn_rows(gain, window, N_LOOKS, rng)
    for number in range(1, N_LOOKS + 1):
        seen = slice(0, number * window)
        contest = Contest(take(rows, seen), champion[seen], challenger[seen], SCHEMA)
        look = look_at(contest, number, metric="accuracy", minimum_gain=0.0)
        if look.step is not Step.WAIT:
            return look.step
    return Step.REFUSE


def runs_of_a_year(gain: float, window: int, cost: float | None, rng: np.random.Generator) -> int:
    """Count the runs that weekly trials open in a year; each begins the evidence anew."""
    seen: list[Window] = []
    n_runs = 0
    for _ in range(N_WEEKS):
        rows, champion, challenger = drawn_rows(gain, window, 1, rng)
        compared = blocks(rows.target, champion, challenger, rows.event_at, SCHEMA, "accuracy")
        skill = unskilled(rows.target, SCHEMA, "accuracy")
        seen.append(Window(datetime.now(UTC), compared, skill))
        if verdict(seen, minimum_gain=0.0, cost=cost)[0]:
            n_runs, seen = n_runs + 1, []
    return n_runs


@dataclass
class Year:
    """A year of weekly windows in which neither a fit nor a search gains anything.

    As in `retrain.run`: a run that a trial has opened is decided on the trial's window and those
    before, and where what the search has found does not pass, the trial's recipe is looked at. The
    first window after a promotion is not tried: there is nothing new to learn before it.
    """

    n_sequences: int = 0
    n_runs: int = 0
    n_promoted: int = 0
    _tried: list[Window] = field(default_factory=list)
    _is_new: bool = False

    def live(self, week: int, window: int, cost: float | None, rng: np.random.Generator) -> None:
        """Live through a week of so many rows, at whose end its labels are there."""
        rows, champion, refit = drawn_rows(0.0, window, 1, rng)
        rows = replace(rows, event_at=rows.event_at + np.timedelta64(N_DAYS * week, "D"))
        if self._is_new:
            self._is_new = False
            return
        seen = blocks(rows.target, champion, refit, rows.event_at, SCHEMA, "accuracy")
        skill = unskilled(rows.target, SCHEMA, "accuracy")
        self._tried.append(Window(aware(rows.event_at[-1]), seen, skill))
        self.n_sequences += len(group(self._tried)) == 1
        if not verdict(self._tried, minimum_gain=0.0, cost=cost)[0]:
            return
        self.n_runs += 1
        right = (rows.target == "1") * 1.0
        found = np.where(rng.uniform(size=window) < DISAGREE / 2, 1 - right, right)
        contests = [Contest(rows, champion, one, SCHEMA) for one in (found, refit)]
        if any(self._step(one) is Step.PASS for one in contests):
            self.n_promoted, self._tried, self._is_new = self.n_promoted + 1, [], True

    def _step(self, contest: Contest) -> Step:
        earlier = Gathered(self._tried, None).together(contest.rows)
        number = 1 + len(earlier)
        return look_at(contest, number, metric="accuracy", minimum_gain=0.0, earlier=earlier).step


def lived(window: int, cost: float | None) -> list[Year]:
    """Live through years in which nothing gains anything."""
    rng = np.random.default_rng(0)
    years = [Year() for _ in range(N_WHOLE_YEARS)]
    for year in years:
        for week in range(N_WEEKS):
            year.live(week, window, cost, rng)
    return years


def main() -> None:
    """Print how often challengers of several true gains are promoted."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}; "
        f"{N_CHALLENGERS} challengers each\n"
    )
    titles = " | ".join(f"promoted, {window} rows a window" for window in WINDOWS)
    print(f"| true gain | {titles} |\n|---|{'---|' * len(WINDOWS)}")
    for gain in GAINS:
        shares = " | ".join(f"{promoted(gain, window):.4f}" for window in WINDOWS)
        print(f"| {100 * gain:+.0f} points of accuracy | {shares} |", flush=True)
    print(
        f"\nRuns that weekly trials open in a year; mean of {N_YEARS} years.\n\n"
        f"| true gain of fitting again |{' | '.join(_title(*one) for one in YEARS)} |\n"
        f"|---|{'---:|' * len(YEARS)}"
    )
    for gain in GAINS:
        rng = np.random.default_rng(0)
        means = [
            np.mean([runs_of_a_year(gain, *one, rng) for _ in range(N_YEARS)]) for one in YEARS
        ]
        shown = " | ".join(f"{mean:.2f}" for mean in means)
        print(f"| {100 * gain:+.0f} points of accuracy | {shown} |", flush=True)
    _print_years()


def _print_years() -> None:
    print(
        f"\nTrial, run and gate where nothing gains anything; {N_WHOLE_YEARS} years each.\n\n"
        "| | look-sequences a year | of these promote | runs a year | promotions a year | "
        "years with a promotion |\n|---|---:|---:|---:|---:|---:|"
    )
    for window, cost in YEARS:
        years = lived(window, cost)
        n_promoted = sum(year.n_promoted for year in years)
        n_sequences = sum(year.n_sequences for year in years)
        n_runs = sum(year.n_runs for year in years)
        print(
            f"| {_title(window, cost)} | {n_sequences / len(years):.1f} | "
            f"{n_promoted / n_sequences:.4f} | {n_runs / len(years):.2f} | "
            f"{n_promoted / len(years):.2f} | {np.mean([y.n_promoted > 0 for y in years]):.2f} |",
            flush=True,
        )


def _title(window: int, cost: float | None) -> str:
    return f"{window} rows a week, " + ("`cost: 0`" if cost == 0 else "usual cost")


def promoted(gain: float, window: int) -> float:
    """Return the share of challengers of a true gain that are promoted."""
    rng = np.random.default_rng(0)
    passed = sum(decided(gain, window, rng) is Step.PASS for _ in range(N_CHALLENGERS))
    return passed / N_CHALLENGERS


if __name__ == "__main__":
    main()
