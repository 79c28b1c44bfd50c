"""Data: two Parquet files of mixed columns, the current rows shifted a little.

Written one row group at a time, so that ten million rows do not have to fit into memory.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20261122
GROUP_ROWS = 262_144
SHIFTS = (0.0, 0.02, 0.05, 0.1)
"""In standard deviations; one after another over the columns."""

Array = npt.NDArray[np.generic]


def with_missing(rng: np.random.Generator, values: Array, ratio: float) -> Array:
    """Return the values with NaN in a share of the rows."""
    return np.where(rng.random(values.size) < ratio, np.nan, values)


def levels(rng: np.random.Generator, n: int, shift: float, n_levels: int) -> pa.Array:
    """Return texts of which the first are the most frequent, 1 % of them missing."""
    weights = np.arange(1, n_levels + 1) ** -(1.0 + shift)
    codes = rng.choice(n_levels, size=n, p=weights / weights.sum()).astype(np.int32)
    names = pa.array([f"level {code:03d}" for code in range(n_levels)])
    return names.take(pa.array(codes, mask=rng.random(n) < 0.01))  # noqa: PLR2004 - as above


SHAPES: tuple[Callable[[np.random.Generator, int, float], Array | pa.Array], ...] = (
    lambda rng, n, shift: rng.normal(shift, 1.0, n),
    lambda rng, n, shift: rng.lognormal(shift, 0.5, n),
    lambda rng, n, shift: with_missing(rng, rng.gamma(2.0, 1.0 + shift, n), 0.02),
    lambda rng, n, shift: with_missing(rng, rng.standard_t(5, n) + shift, 0.05),
    lambda rng, n, shift: rng.uniform(0.0, 100.0 + 30.0 * shift, n),
    lambda rng, n, shift: np.round(rng.exponential(20.0 * (1.0 + shift), n), 2),  # prices: ties
    lambda rng, n, shift: rng.poisson(200.0 * (1.0 + 0.1 * shift), n),
    lambda rng, n, shift: rng.binomial(4, 0.3 + 0.2 * shift, n),  # five values: few
    lambda rng, n, shift: levels(rng, n, shift, 5),
    lambda rng, n, shift: levels(rng, n, shift, 200),
)
"""Every tenth column has the same shape: 60 % floats, 20 % whole numbers, 20 % texts."""


def column(index: int, group: int, n: int, *, shifted: bool) -> pa.Array:
    """Return one column of one row group."""
    rng = np.random.default_rng([SEED, index, group, int(shifted)])
    # Over whole rounds of shapes too, so that each shape meets each shift.
    shift = SHIFTS[(index + index // len(SHAPES)) % len(SHIFTS)] if shifted else 0.0
    # NaN becomes null, which is how pandas stores it.
    return pa.array(SHAPES[index % len(SHAPES)](rng, n, shift), from_pandas=True)


def write(path: Path, n_rows: int, n_columns: int, *, shifted: bool) -> None:
    """Write one side, and wait until it is on the disk: a later write would cost others time."""
    writer = None
    with path.open("wb") as file:
        for group, start in enumerate(range(0, n_rows, GROUP_ROWS)):
            n = min(GROUP_ROWS, n_rows - start)
            table = pa.table(
                {f"x{i:03d}": column(i, group, n, shifted=shifted) for i in range(n_columns)}
            )
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("current", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("columns", type=int)
    asked = parser.parse_args()
    write(asked.reference, asked.rows, asked.columns, shifted=False)
    write(asked.current, asked.rows, asked.columns, shifted=True)
