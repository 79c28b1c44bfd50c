"""Ways to find the Wasserstein distance between a column in order and one as it came."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import polars as pl
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from monitor.checks.kernels import wasserstein

SIZES = ((100_000, 100_000), (100_000, 95_000), (1_000_000, 1_000_000), (1_000_000, 950_000))
RUNS = 7
WARM_UP = 1000

Array = np.ndarray[Any, np.dtype[np.float64]]


def sort_only(_: Array, current: Array) -> float:
    """Do what every way but SciPy's does first."""
    return float(np.sort(current)[0])


def by_stable_sort(reference: Array, current: Array) -> float:
    """Merge by NumPy's stable sort, which finds the two runs."""
    both = np.concatenate([reference, np.sort(current)])
    order = np.argsort(both, kind="stable")
    return between(both[order], order < reference.size, reference.size, current.size)


def by_polars(reference: Array, current: Array) -> float:
    """Merge by polars."""
    sides = [
        pl.DataFrame({"value": values, "before": np.full(values.size, side)})
        for values, side in ((reference, True), (np.sort(current), False))
    ]
    both = sides[0].merge_sorted(sides[1], key="value")
    return between(
        both["value"].to_numpy(), both["before"].to_numpy(), reference.size, current.size
    )


def between(both: Array, is_reference: Any, n_reference: int, n_current: int) -> float:
    """Add up the area between two distribution functions over their merged values."""
    below = np.arange(1, both.size)
    seen = np.cumsum(is_reference)[:-1]
    gaps = seen / n_reference - (below - seen) / n_current
    return float(np.sum(np.abs(gaps) * np.diff(both)))


def by_numba(reference: Array, current: Array) -> float:
    """Merge in one compiled loop."""
    return float(merged(reference, np.sort(current)))


@numba.njit(nogil=True)
def merged(reference: Array, current: Array) -> float:
    """Add up the area while walking both columns."""
    i = j = 0
    area, last = 0.0, min(reference[0], current[0])
    while i < reference.size or j < current.size:
        is_next = j == current.size or (i < reference.size and reference[i] <= current[j])
        value = reference[i] if is_next else current[j]
        area += abs(i / reference.size - j / current.size) * (value - last)
        last = value
        i += is_next
        j += not is_next
    return area


def by_quantiles(reference: Array, current: Array) -> float:
    """Walk the quantile functions, as Leeway does."""
    return wasserstein(reference=reference, current=np.sort(current), std=1.0)


WAYS: dict[str, Callable[[Array, Array], float]] = {
    "sorting the current values and nothing else": sort_only,
    "SciPy's wasserstein_distance": stats.wasserstein_distance,
    "NumPy: stable argsort of both": by_stable_sort,
    "polars: merge_sorted": by_polars,
    "numba: one loop over both": by_numba,
    "**Leeway**: between the quantile functions": by_quantiles,
}


def least_milliseconds(
    way: Callable[[Array, Array], float], reference: Array, current: Array
) -> float:
    """Return the CPU time of the best of some runs, after one that compiles what is compiled."""
    way(reference[:WARM_UP], current[:WARM_UP])
    took = []
    for _ in range(RUNS):
        began = time.process_time()
        way(reference, current)
        took.append(time.process_time() - began)
    return 1000 * min(took)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    columns = [(np.sort(rng.normal(size=n)), rng.normal(loc=0.1, size=m)) for n, m in SIZES]
    print("| way | " + " | ".join(f"{n:,} and {m:,} values" for n, m in SIZES) + " |")
    print("|---|" + "---:|" * len(SIZES))
    for name, way in WAYS.items():
        cells = [f"{least_milliseconds(way, *sides):.2f} ms" for sides in columns]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    known, *others = (way(*columns[1]) for way in list(WAYS.values())[1:])
    assert np.allclose(others, known, rtol=1e-9), "the ways differ"


if __name__ == "__main__":
    main()
