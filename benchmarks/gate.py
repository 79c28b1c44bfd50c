"""The gate's errors: how often a challenger is promoted that gains nothing, or two points.

Simulated: two classifiers that disagree on 12 % of rows; five windows, looked at as in
`retrain.gate`: small ones one by one, large ones may tell all at once. Prints a Markdown table.
Seeds are fixed.
"""

import platform
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from monitor.schema import Schema, Task
from retrain.dataset import Dataset
from retrain.gate import N_LOOKS, Contest, Step, look_at

SCHEMA = Schema(Task.BINARY, {}, "y", classes=("0", "1"))
WINDOWS = (1_200, 6_000)
N_DAYS = 7
DISAGREE = 0.12
GAINS = (-0.01, 0.0, 0.01, 0.02)
N_CHALLENGERS = 1_000


def decided(gain: float, window: int, rng: np.random.Generator) -> Step:
    """Take a challenger of a true gain through the gate, and return what becomes of it."""
    n_rows = N_LOOKS * window
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
    for number in range(1, N_LOOKS + 1):
        seen = slice(0, number * window)
        rows = Dataset(pd.DataFrame(index=range(number * window)), labels[seen], at[seen])
        contest = Contest(rows, champion[seen], challenger[seen], SCHEMA)
        look = look_at(contest, number, metric="accuracy", minimum_gain=0.0)
        if look.step is not Step.WAIT:
            return look.step
    return Step.REFUSE


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


def promoted(gain: float, window: int) -> float:
    """Return the share of challengers of a true gain that are promoted."""
    rng = np.random.default_rng(0)
    passed = sum(decided(gain, window, rng) is Step.PASS for _ in range(N_CHALLENGERS))
    return passed / N_CHALLENGERS


if __name__ == "__main__":
    main()
