"""What comes together: how often a calm window is called changed, and a changed one is found.

Worlds of 8 features, one a count and one a level; two pairs belong together, one in a curve. A
reference of K windows, then windows that are like it, and windows in which the first two features
belong together as in no window of the reference, and no feature moves by itself. In some worlds the
mean of each feature wobbles from window to window. *Plain* puts the same question to the values
as they are, and not to their places. Prints a table in Markdown.
"""

import argparse
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zlib import crc32

import numpy as np
from scipy.special import logit

from monitor.dependence import (
    EDGE,
    MOST_REFERENCE_ROWS,
    MOST_WINDOWS,
    Dependence,
    apart,
    dependence,
)
from monitor.domain_classifier import tell_apart
from monitor.sample import MOST_ROWS, Outcomes, Sample

N_FEATURES = 8
NAMES = tuple(f"x{at}" for at in range(N_FEATURES))
WORLDS = (
    ("iid", 13, 500, 0.0),
    ("iid", 13, 2000, 0.0),
    ("wobble .1 sd", 13, 2000, 0.1),
    ("wobble .3 sd", 13, 2000, 0.3),
    ("wobble .1 sd", 26, 2000, 0.1),
    ("wobble .1 sd", 8, 500, 0.1),
)
TOGETHER = (0.0, 0.3, 0.5)
"""Correlation of the first two features in the windows; none in the reference."""

Question = Callable[[np.ndarray, np.ndarray], float]
"""Takes the reference's rows and the current ones; says how well they are told apart."""


def draw(n_rows: int, wobble: float, together: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the rows of a window."""
    x = rng.normal(size=(n_rows, N_FEATURES))
    x[:, 1] = together * x[:, 0] + np.sqrt(1 - together**2) * x[:, 1]
    x[:, 3] = np.exp(0.5 * x[:, 2]) + 0.5 * x[:, 3]
    x[:, 5] = 0.7 * x[:, 4] + 0.7 * x[:, 5]
    x += wobble * rng.normal(size=N_FEATURES)
    x[:, 6] = np.floor(np.exp(1 + 0.5 * x[:, 6]))
    x[:, 7] = np.digitize(x[:, 7], [-0.5, 0.5, 1.5])
    return x


def by_places(reference: np.ndarray, current: np.ndarray) -> float:
    """Tell rows apart as Leeway does."""
    return apart(reference=reference, current=current).auc


def plain(reference: np.ndarray, current: np.ndarray) -> float:
    """Tell rows apart by their values."""
    seed = crc32(current.tobytes())  # as `apart` does
    few = reference[np.random.default_rng(seed).permutation(len(reference))[:MOST_REFERENCE_ROWS]]
    found = tell_apart(reference=few, current=current, seed=seed)
    return found.auc(found.logits(np.concatenate([few, current])))


def learned_plain(sample: Sample, n_rows: int) -> Dependence:
    """Learn the same from values as they are."""
    logits = []
    for window in range(min(sample.windows.max() + 1, MOST_WINDOWS)):
        mine = sample.windows == window
        auc = plain(sample.features[~mine], sample.features[mine][:n_rows])
        logits.append(float(logit(np.clip(auc, EDGE, 1 - EDGE))))
    return Dependence(n_rows, len(logits), tuple(logits))


def trial(world: tuple[str, int, int, float], seed: int, n_windows: int) -> np.ndarray:
    """Return which windows are beyond the limit, shape (2, n_kinds, n_windows)."""
    _, n_reference, n_rows, wobble = world
    rng = np.random.default_rng([seed, n_reference, n_rows, round(100 * wobble)])
    rows = np.concatenate([draw(n_rows, wobble, 0.0, rng) for _ in range(n_reference)])
    windows = np.repeat(np.arange(n_reference), n_rows)
    kept = np.sort(rng.permutation(len(rows))[:MOST_ROWS])
    nothing = Outcomes(np.zeros(kept.size), np.zeros(kept.size))
    sample = Sample(dict.fromkeys(NAMES), rows[kept], nothing, windows[kept])
    usual = dependence(sample, NAMES, 0)
    asked = (
        (by_places, usual.limit),
        (plain, learned_plain(sample, usual.n_rows).limit),
    )
    found = np.empty((len(asked), len(TOGETHER), n_windows), dtype=bool)
    for kind, together in enumerate(TOGETHER):
        for number in range(n_windows):
            current = draw(n_rows, wobble, together, rng)[: usual.n_rows]
            for at, (question, limit) in enumerate(asked):
                found[at, kind, number] = question(sample.features, current) > limit
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=20)
    parser.add_argument("--windows", type=int, default=10, help="windows of each kind a reference")
    arguments = parser.parse_args()
    began, lines = time.process_time(), []
    for world in WORLDS:
        found = np.stack(
            [trial(world, seed, arguments.windows) for seed in range(arguments.references)]
        )
        name, n_reference, n_rows, _ = world
        shares = found.mean(axis=(0, 3))
        cells = [f"{one:.1%}" for side in shares for one in side]
        lines.append(f"| {name} | {n_reference} | {n_rows} | {' | '.join(cells)} |")
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {time.process_time() - began:.0f} CPU s\n")
    kinds = ["false", *(f"found at {one}" for one in TOGETHER[1:])]
    heads = [*kinds, *(f"plain: {kind}" for kind in kinds)]
    print(f"| world | reference windows | rows | {' | '.join(heads)} |")
    print(f"| --- | ---: | ---: | {' | '.join(['---:'] * len(heads))} |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
