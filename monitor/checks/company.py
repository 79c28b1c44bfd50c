"""Company: what a column is expected to be, given all that comes with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

from monitor.batch import EVENT_AT
from monitor.checks.onset import MIN_ROWS
from monitor.columns import FloatArray, IntArray, numbers, texts
from monitor.schema import Kind

RIDGE = 0.01
"""Weight of the prior that nothing depends on anything, in rows per row."""

FOLDS = 4
"""Clean rows are expected from those of the other stretches of time."""

MOST_LEVELS = 20
"""So many levels of a category are told apart, the most frequent ones."""

MOST_SQUARED = 32
"""Of so many numbers the squares are terms, too: more would cost too much."""


@dataclass(frozen=True)
class Scale:
    """How values of a column are put on one scale: by their rank among clean ones.

    Parameters
    ----------
    values : ndarray, ascending
        Distinct clean values.
    scores : ndarray
        The normal quantile at the middle of each one's share, with mean 0 and standard deviation 1
        over the clean rows.
    """

    values: FloatArray
    scores: FloatArray

    def score(self, values: FloatArray) -> FloatArray:
        """Return scores; what lies outside of the clean values is as far out as the outermost."""
        return np.asarray(np.interp(values, self.values, self.scores))


def scale(values: FloatArray) -> Scale:
    """Learn the scale from clean values.

    Examples
    --------
    >>> scale(np.array([3.0, 1.0, 2.0])).score(np.array([0.0, 9.0])).round(2).tolist()
    [-1.22, 1.22]
    """
    found, counts = np.unique(values, return_counts=True)
    shares = counts / counts.sum()
    scores = special.ndtri(np.cumsum(shares) - shares / 2)
    middle = scores @ shares
    return Scale(found, (scores - middle) / np.sqrt((scores - middle) ** 2 @ shares))


@dataclass(frozen=True)
class Company:
    """Rows as terms, and how these go together in clean rows.

    Parameters
    ----------
    before, current : ndarray, shape (n_rows, n_terms)
        Clean rows and those of the window, each in the order of time.
    blocks : mapping of str to slice
        The terms of each column: of a number its score first, of a category one for each level.
    scales : mapping of str to Scale
        Of each number.
    levels : mapping of str to tuple of str
        Of each category.
    shares : mapping of str to ndarray, shape (n_levels,)
        Of these in clean rows.
    codes : mapping of str to ndarray, shape (n_rows,)
        Which of these clean rows have; -1 for none.
    """

    before: FloatArray
    current: FloatArray
    blocks: Mapping[str, slice]
    scales: Mapping[str, Scale]
    levels: Mapping[str, tuple[str, ...]]
    shares: Mapping[str, FloatArray]
    codes: Mapping[str, IntArray]

    @cached_property
    def _stretches(self) -> Sequence[IntArray]:
        return np.array_split(np.arange(len(self.before)), FOLDS)

    @cached_property
    def _precisions(self) -> list[FloatArray]:
        """Inverse of how terms go together: without each stretch, and in all clean rows."""
        grams = [self.before[rows].T @ self.before[rows] for rows in self._stretches]
        whole = np.sum(grams, axis=0)
        ridge = RIDGE * len(self.before) * np.eye(len(whole))
        return [np.linalg.inv(one + ridge) for one in [*(whole - gram for gram in grams), whole]]

    def expected(self, *names: str) -> tuple[FloatArray, FloatArray]:
        """Expect the terms of columns from all that comes with these, but not from each other.

        The regression of some terms on the others, read off the inverse of their covariance.

        Returns
        -------
        before, current : ndarray, shape (n_rows, n_terms of the columns)
            Clean ones from the rows of other stretches.

        References
        ----------
        Lauritzen (1996), "Graphical Models", section 5.1.
        """
        every = np.arange(self.before.shape[1])
        own = np.concatenate([every[self.blocks[name]] for name in names])
        weights = [_weights(one, own) for one in self._precisions]
        parts = [
            self.before[rows] @ weight
            for rows, weight in zip(self._stretches, weights, strict=False)
        ]
        return np.concatenate(parts), self.current @ weights[-1]

    def without(self, names: Collection[str]) -> "Company":
        """Return the same rows, of which nobody knows these columns: they are what is usual."""
        current = self.current.copy()
        for name in names:
            current[:, self.blocks[name]] = 0.0
        return replace(self, current=current)

    @cached_property
    def surprises(self) -> Mapping[str, float]:
        """How far off each number comes to be, beside how far clean rows are, as mean squares.

        Of the half of the window in which it is further off: a break may begin late.
        """
        firsts = np.array([self.blocks[name].start for name in self.scales], dtype=np.int64)
        weights = [-one[:, firsts] / one[firsts, firsts] for one in self._precisions]
        for one in weights:
            one[firsts, np.arange(firsts.size)] = 0.0
        usual = np.concatenate(
            [self.before[rows] @ one for rows, one in zip(self._stretches, weights, strict=False)]
        )
        off = (self.before[:, firsts] - usual) ** 2
        far = (self.current[:, firsts] - self.current @ weights[-1]) ** 2
        half = len(far) // 2
        most = np.maximum(far[:half].mean(axis=0), far[half:].mean(axis=0))
        found = most / np.maximum(off.mean(axis=0), 1e-12)
        return dict(zip(self.scales, found.tolist(), strict=True))


def _weights(precision: FloatArray, own: IntArray) -> FloatArray:
    weights = -precision[:, own] @ np.linalg.inv(precision[np.ix_(own, own)])
    weights[own] = 0.0
    return np.asarray(weights)


def company(before: pa.Table, rows: pa.Table, features: Mapping[str, Kind]) -> Company | None:
    """Put rows as terms: the scores of numbers and their squares, levels, and the time.

    Parameters
    ----------
    before, rows : pyarrow.Table
        Clean rows and those of the window, each in the order of time.
    features : mapping of str to Kind
        The columns.

    Returns
    -------
    Company or None
        None where there are too few rows.
    """
    if before.num_rows < FOLDS * MIN_ROWS or rows.num_rows < MIN_ROWS:
        return None
    is_squared = sum(kind is Kind.NUMERIC for kind in features.values()) <= MOST_SQUARED
    parts: list[tuple[FloatArray, FloatArray]] = []
    blocks, scales, levels, shares, codes, at = {}, {}, {}, {}, {}, 0
    for name, kind in features.items():
        then, now = before.column(name), rows.column(name)
        if kind is Kind.NUMERIC:
            values = numbers(then)
            there = values[np.isfinite(values)]
            if there.size < MIN_ROWS or not np.ptp(there):
                continue
            scales[name] = known = scale(there)
            scored = (known.score(one) for one in (values, numbers(now)))
            pair = [np.stack([one, one**2][: 1 + is_squared], axis=1) for one in scored]
        else:
            levels[name] = _frequent(then)
            pair = [_indicators(one, levels[name]) for one in (then, now)]
            shares[name], codes[name] = pair[0].mean(axis=0), _codes(pair[0])
        parts.append(_standardized(pair[0], pair[1]))
        blocks[name] = slice(at, at + pair[0].shape[1])
        at = blocks[name].stop
    parts.append(_standardized(_clock(before), _clock(rows)))
    terms = [np.hstack(side) for side in zip(*parts, strict=True)]
    return Company(terms[0], terms[1], blocks, scales, levels, shares, codes)


def _standardized(before: FloatArray, current: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Center and scale by clean rows; what has no value is what is usual."""
    middle, spread = np.nanmean(before, axis=0), np.nanstd(before, axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    return np.nan_to_num((before - middle) / spread), np.nan_to_num((current - middle) / spread)


def _frequent(column: pa.ChunkedArray) -> tuple[str, ...]:
    counts = pc.value_counts(texts(column).drop_null())
    order = np.argsort(-np.asarray(counts.field("counts")), kind="stable")[:MOST_LEVELS]
    return tuple(counts.field("values").take(pa.array(order)).to_pylist())


def _indicators(column: pa.ChunkedArray, levels: Sequence[str]) -> FloatArray:
    codes = pc.index_in(texts(column), pa.array(levels, pa.string()))
    found = np.asarray(pc.fill_null(codes, -1))
    is_it: FloatArray = (found[:, None] == np.arange(len(levels))).astype(np.float64)
    return is_it


def _codes(indicators: FloatArray) -> IntArray:
    if not indicators.shape[1]:
        return np.full(len(indicators), -1)
    return np.where(indicators.any(axis=1), indicators.argmax(axis=1), -1)


def _clock(rows: pa.Table) -> FloatArray:
    """Return the hour of the day and the day of the week, a term for each."""
    event_at = rows.column(EVENT_AT).cast(pa.timestamp("us")).to_numpy()
    hours = event_at.astype("datetime64[h]").astype(np.int64)
    of_day = (hours[:, None] % 24 == np.arange(24)).astype(np.float64)
    of_week = (hours[:, None] // 24 % 7 == np.arange(7)).astype(np.float64)
    return np.hstack([of_day, of_week])
