"""Grid: the bins of a column, frozen with the reference, so that counts can be added up."""

from dataclasses import dataclass

import numpy as np

from monitor.columns import FloatArray, IntArray
from monitor.values import NumericValues, Values

N_BINS = 256
"""Bins of equal share that a numeric reference column is cut into, where its values allow it."""

MAX_LEVELS = 64
"""Levels that are counted by name; the rarer ones of the reference are counted together."""

OUTER_QUANTILES = (0.001, 0.999)
"""A numeric column's range. Never the minimum and maximum: one bad row would widen it for good."""


@dataclass(frozen=True)
class NumericGrid:
    """Bins of a numeric column: below the first edge, ``[edge, next)``, from the last edge on.

    Parameters
    ----------
    edges : ndarray, shape (n_edges,), ascending
        Quantiles of the reference. A value that many rows share has a bin of its own.
    low, high : float
        What lies beyond is far out of range: further outside the reference's range than it is
        wide. NaN without values.
    centre, scale : float
        Moments are of ``(value - centre) / scale``, so that their sums lose no digits.
    """

    edges: FloatArray
    low: float
    high: float
    centre: float
    scale: float

    @property
    def n_bins(self) -> int:
        """Bins there are."""
        return self.edges.size + 1


@dataclass(frozen=True)
class LevelGrid:
    """Bins of a categorical column: one a level, one for the rarer levels, one for unseen ones.

    Parameters
    ----------
    levels : tuple of str
        The reference's most frequent levels.
    rarer : frozenset of str
        Its other levels.
    """

    levels: tuple[str, ...]
    rarer: frozenset[str]

    @property
    def n_bins(self) -> int:
        """Bins there are."""
        return len(self.levels) + 2


Grid = NumericGrid | LevelGrid


def grid_of(values: Values) -> Grid:
    """Freeze the bins of one reference column.

    Parameters
    ----------
    values : NumericValues or CategoricalValues
        The reference's side.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from monitor.columns import TableColumns
    >>> from monitor.schema import Kind
    >>> from monitor.values import read_values
    >>> rows = TableColumns(pa.table({"x": [0, 0, 0, 1, 5], "g": ["b", "a", "b", "b", None]}))
    >>> grid_of(read_values(rows, "x", Kind.NUMERIC)).edges.tolist()
    [0.0, 1.0, 5.0]
    >>> grid_of(read_values(rows, "g", Kind.CATEGORICAL)).levels
    ('b', 'a')
    """
    if isinstance(values, NumericValues):
        return _numeric_grid(values.values)
    order = np.argsort(-values.counts, kind="stable")
    levels = [values.levels[at] for at in order]
    return LevelGrid(tuple(levels[:MAX_LEVELS]), frozenset(levels[MAX_LEVELS:]))


def _numeric_grid(ordered: FloatArray) -> NumericGrid:
    if not ordered.size:
        return NumericGrid(np.empty(0), np.nan, np.nan, 0.0, 1.0)
    places = np.linspace(0, ordered.size - 1, N_BINS + 1).astype(np.int64)
    found, times = np.unique(ordered[places], return_counts=True)
    # Behind a value that fills whole bins begins another one, or it would hide its neighbours.
    behind = np.searchsorted(ordered, found[times > 1], side="right")
    edges = np.union1d(found, ordered[behind[behind < ordered.size]])
    low, high = (float(ordered[int(share * (ordered.size - 1))]) for share in OUTER_QUANTILES)
    width = high - low
    return NumericGrid(
        edges, low - width, high + width, float(ordered[ordered.size // 2]), width or 1.0
    )


def counts_of(values: Values, grid: Grid) -> IntArray:
    """Count a column that is in memory already, shape (n_bins,): the reference over its own bins.

    Examples
    --------
    >>> counts_of(NumericValues(np.array([0.0, 1.0, 1.0]), 3, 0, True), _numeric_grid(np.arange(2)))
    array([0, 1, 2])
    """
    if isinstance(values, NumericValues):
        assert isinstance(grid, NumericGrid)
        ends = np.searchsorted(values.values, grid.edges, side="left")
        return np.diff(ends, prepend=0, append=values.values.size)
    assert isinstance(grid, LevelGrid)
    known = dict(zip(values.levels, values.counts.tolist(), strict=True))
    named = [known.get(level, 0) for level in grid.levels]
    rarer = sum(known.get(level, 0) for level in grid.rarer)
    return np.array([*named, rarer, sum(known.values()) - sum(named) - rarer], dtype=np.int64)
