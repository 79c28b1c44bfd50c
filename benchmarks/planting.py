"""Planting: the ways in which a feed breaks, done to the rows of a window, and told or not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.columns import texts
from monitor.diagnosis import Diagnosis
from monitor.reference import NumericReference, Reference
from monitor.schema import Kind

FACTORS = (1.609344, 2.204623, 2.54, 3.28084, 3.6, 25.4)
FILLS = (-999.0, -1.0, 0.0, 9999.0)
HOURS = (-4, 2, 3, 5, 8)
LEAST = 0.4
"""A break changes at least this share of the rows from its first on, or there is none."""

MANY = 20
"""A numeric column has at least so many values, or a broken one may look like another."""


@dataclass(frozen=True)
class Planted:
    """A broken window.

    Parameters
    ----------
    rows : pyarrow.Table
        Its rows.
    columns : tuple of str
        What broke; nothing where all columns did.
    """

    rows: pa.Table
    columns: tuple[str, ...]


Plant = Callable[[pa.Table, Reference, int, np.random.Generator], Planted | None]
"""Breaks the rows of a window from a row on; None where it has no column for that."""


def numeric(reference: Reference) -> list[str]:
    """Name the numeric features that move."""
    return [
        name
        for name, kind in reference.schema.features.items()
        if kind is Kind.NUMERIC and np.unique(reference.columns[name].values).size > MANY
    ]


def changed(rows: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    """Return the rows with other values in a column."""
    column = pa.array(values, from_pandas=True)
    return rows.set_column(rows.column_names.index(name), name, column)


def by_number(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Plant:
    """Make a plant of a change of the numbers of one column, from the row on."""

    def plant(
        rows: pa.Table, reference: Reference, first: int, rng: np.random.Generator
    ) -> Planted | None:
        for name in map(str, rng.permutation(numeric(reference))):
            values = rows.column(name).to_numpy().astype(float)
            after = change(values[first:].copy(), rng)
            is_other = (after != values[first:]) & ~np.isnan(values[first:])
            if is_other.mean() >= LEAST:  # a thousand times no rain is no rain
                values[first:] = after
                return Planted(changed(rows, name, values), (name,))
        return None

    return plant


def _scaled(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values * 10.0 ** rng.choice([-3, -2, -1, 1, 2, 3])


def _in_units(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values * rng.choice(FACTORS) ** rng.choice([-1, 1])


def _turned(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    del rng
    return -values


def _half(values: np.ndarray, value: float, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.integers(0, 2, values.size) == 0, value, values)


def _lost(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _half(values, np.nan, rng)


def _filled(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _half(values, float(rng.choice(FILLS)), rng)


def _frozen(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    del rng
    there = values[np.isfinite(values)]
    return np.full(values.size, there[0] if there.size else 0.0)


def renamed(
    rows: pa.Table, reference: Reference, first: int, rng: np.random.Generator
) -> Planted | None:
    """Give each level a new name."""
    return _recoded(rows, reference, first, rng, lambda n: [f"code {at}" for at in range(len(n))])


def permuted(
    rows: pa.Table, reference: Reference, first: int, rng: np.random.Generator
) -> Planted | None:
    """Give each level the next one's name."""
    return _recoded(rows, reference, first, rng, lambda names: np.roll(names, 1))


def _recoded(
    rows: pa.Table,
    reference: Reference,
    first: int,
    rng: np.random.Generator,
    other: Callable[[Sequence[str]], Iterable[str]],
) -> Planted | None:
    """Give each level of some column another name, from row `first` on."""
    names = [n for n, k in reference.schema.features.items() if k is Kind.CATEGORICAL]
    names = [name for name in names if len(reference.columns[name].levels) >= 3]  # noqa: PLR2004
    if not names:
        return None
    name = str(rng.choice(names))
    levels = reference.columns[name].levels
    given = dict(zip(levels, other(levels), strict=True))
    values = np.array(texts(rows.column(name)).to_pylist(), dtype=object)
    values[first:] = [given.get(level, level) for level in values[first:]]
    return Planted(changed(rows, name, values), (name,))


def exchanged(
    rows: pa.Table, reference: Reference, first: int, rng: np.random.Generator
) -> Planted | None:
    """Exchange two numeric columns."""
    names = numeric(reference)
    if len(names) < 2:  # noqa: PLR2004
        return None
    one, other = map(str, rng.choice(names, 2, replace=False))
    mine, theirs = (rows.column(name).to_numpy().astype(float) for name in (one, other))
    mine[first:], theirs[first:] = theirs[first:].copy(), mine[first:].copy()
    return Planted(changed(changed(rows, one, mine), other, theirs), (one, other))


def shifted(
    rows: pa.Table, reference: Reference, first: int, rng: np.random.Generator
) -> Planted | None:
    """Put the clock forward or back: of the column named hour, or period (half hours)."""
    names = [name for name in ("hour", "period") if name in reference.schema.features]
    if not names:
        return None
    known = reference.columns[names[0]]
    assert isinstance(known, NumericReference)
    found = np.unique(known.values)
    values = rows.column(names[0]).to_numpy().astype(float)
    steps = np.abs(values[first:, None] - found).argmin(axis=1)
    turned = (steps + round(rng.choice(HOURS) * found.size / 24)) % found.size
    values[first:] = found[turned]
    return Planted(changed(rows, names[0], values), (names[0],))


def doubled(
    rows: pa.Table, reference: Reference, first: int, rng: np.random.Generator
) -> Planted | None:
    """Load a third of the rows twice."""
    del reference, rng
    part = rows.slice(min(first, 2 * rows.num_rows // 3), rows.num_rows // 3)
    return Planted(pa.concat_tables([rows, part]), ())


PLANTS: Mapping[str, Plant] = {
    "scale": by_number(_scaled),
    "units": by_number(_in_units),
    "sign": by_number(_turned),
    "missing": by_number(_lost),
    "fill": by_number(_filled),
    "frozen": by_number(_frozen),
    "renamed": renamed,
    "permuted": permuted,
    "swap": exchanged,
    "shift": shifted,
    "repeated": doubled,
}
"""By the sign that a finding should have."""


def is_found(planted: Planted, kind: str, diagnosis: Diagnosis) -> bool:
    """Say whether each broken column is found by its kind; a start is always within the window."""
    kind = "renamed" if kind == "permuted" else kind
    signs = {(finding.column, finding.sign) for finding in diagnosis.findings}
    return all((name, kind) in signs for name in planted.columns or ("",))


def offsets(planted: Planted, diagnosis: Diagnosis, first: int) -> list[float]:
    """Return how far the starts that were told are from the first broken row, in windows."""
    n_rows = planted.rows.num_rows
    return [
        abs(n_rows - finding.n_rows - first) / n_rows
        for finding in diagnosis.findings
        if finding.n_rows is not None and finding.column in planted.columns
    ]
