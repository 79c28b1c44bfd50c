"""Outage: since when the rows of a window lack what was always there."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.checks.onset import BoolArray, sign_onset
from monitor.columns import numbers, texts
from monitor.reference import ColumnReference, NumericReference

SIGNS = ("missing", "unseen", "out_of_range", "infinite")
"""Methods of the quality scores whose rows can be pointed at."""


def outage(column: pa.ChunkedArray, known: ColumnReference, sign: str) -> int:
    """Return the row from which on values are missing, unseen, infinite or far out of range.

    Parameters
    ----------
    column : pyarrow.ChunkedArray, n_rows values
        In the order of time.
    known : NumericReference or CategoricalValues
        The reference's side.
    sign : str
        One of `SIGNS`.

    Examples
    --------
    >>> from monitor.values import CategoricalValues
    >>> known = CategoricalValues(("a",), np.array([9]), 9, 0)
    >>> outage(pa.chunked_array([["a"] * 20 + [None, "a"] + [None] * 30]), known, "missing")
    20
    """
    usual = known.n_null / max(known.n_rows, 1) if sign == "missing" else 0.0
    return sign_onset(_where(column, known, sign), usual)


def _where(column: pa.ChunkedArray, known: ColumnReference, sign: str) -> BoolArray:
    if not isinstance(known, NumericReference):
        levels = texts(column)
        if sign == "missing":
            return np.asarray(pc.is_null(levels), dtype=np.bool_)
        seen = pc.is_in(levels, value_set=pa.array(known.levels))
        return ~np.asarray(pc.or_(seen, pc.is_null(levels)), dtype=np.bool_)
    values = numbers(column)
    if sign == "missing":
        return np.isnan(values)
    if sign == "infinite":
        return np.isinf(values)
    width = known.high - known.low
    inside = (values >= known.low - width) & (values <= known.high + width)
    return ~np.isnan(values) & ~inside
