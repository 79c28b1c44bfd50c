"""Chances: how likely a model found each of several classes, as a column of lists."""

import numpy as np
import pyarrow as pa

from monitor.columns import ArrowColumn, FloatArray


def listed(chances: FloatArray) -> pa.ListArray:
    """Return chances as a column: a list for each row, in the order of the classes.

    Parameters
    ----------
    chances : ndarray, shape (n_rows, n_classes)
        0-1; the row of one that has none is NaN, and becomes null.
    """
    missing = np.isnan(chances).any(axis=1)
    ends = np.arange(len(chances) + 1, dtype=np.int32) * chances.shape[1]
    mask = pa.array(missing) if missing.any() else None
    return pa.ListArray.from_arrays(ends, chances.ravel(), mask=mask)


def chances_of(column: ArrowColumn, n_classes: int) -> FloatArray | None:
    """Read chances from a column.

    Returns
    -------
    ndarray, shape (n_rows, n_classes), or None
        The row of one that has none is NaN. None where the column has no lists of so many.

    Examples
    --------
    >>> chances_of(listed(np.array([[0.25, 0.75], [np.nan, np.nan]])), 2).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    if not pa.types.is_list(column.type):
        return None
    known = np.asarray(column.is_valid())
    lists = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    if flat.size != known.sum() * n_classes:
        return None
    found = np.full((len(column), n_classes), np.nan)
    found[known] = flat.reshape(-1, n_classes)
    return found


def of_all(chances: FloatArray | None) -> FloatArray | None:
    """Return chances that every row has; None where one of them has none."""
    return None if chances is None or np.isnan(chances).any() else chances
