"""Holdout: the newest rows, kept from every choice, that decide a promotion."""

from datetime import UTC, datetime, timedelta

import numpy as np

from monitor.errors import NotPossibleError
from retrain.dataset import Dataset, newest, take


def split_off(
    rows: Dataset, used_until: datetime | None, window: timedelta | int, *, most: int
) -> tuple[Dataset, Dataset, int]:
    """Split labelled rows into those to learn from and those that decide.

    Parameters
    ----------
    rows : Dataset
        All labelled rows.
    used_until : datetime or None
        The champion, or a version that was rolled back, was fitted on rows up to here: none of
        them may decide.
    window : timedelta or int
        Length of a window.
    most : int
        Windows that decide at most; never more than half of the new ones, and one at least.

    Returns
    -------
    training, holdout : Dataset
        All rows before the hold-out, and the hold-out.
    n_windows : int
        Windows that decide.

    Raises
    ------
    NotPossibleError
        If no row is newer than the champion's.
    """
    new = after(rows, used_until)
    n_windows = most
    while n_windows > 1 and len(newest(new, 2 * n_windows - 1, window)) == len(new):
        n_windows -= 1
    fresh = newest(new, n_windows, window)
    return take(rows, rows.event_at < fresh.event_at[0]), fresh, n_windows


def after(rows: Dataset, instant: datetime | None) -> Dataset:
    """Return the rows that are newer than what a model was fitted on.

    Parameters
    ----------
    rows : Dataset
        All labelled rows.
    instant : datetime or None
        Event time of the newest row it was fitted on.

    Raises
    ------
    NotPossibleError
        If there are none.
    """
    rows = newer(rows, instant)
    if not len(rows):
        raise NotPossibleError("no labelled row is newer than what the champion was trained on")
    return rows


def newer(rows: Dataset, instant: datetime | None) -> Dataset:
    """Return the rows that are newer than an instant; None returns all."""
    return rows if instant is None else take(rows, rows.event_at > _edge(instant))


def until(rows: Dataset, instant: datetime | None) -> Dataset:
    """Return the rows that are not newer than an instant; None returns all."""
    return rows if instant is None else take(rows, rows.event_at <= _edge(instant))


def windows_since(instant: datetime, rows: Dataset, window: timedelta | int) -> int:
    """Return how many of the newest windows hold the rows from an instant on, at least 1.

    Examples
    --------
    >>> import pandas as pd
    >>> minutes = np.arange(10).astype("datetime64[m]").astype("datetime64[us]")
    >>> rows = Dataset(pd.DataFrame(index=range(10)), np.zeros(10), minutes)
    >>> third = datetime(1970, 1, 1, 0, 3, tzinfo=UTC)
    >>> windows_since(third, rows, 2), windows_since(third, rows, timedelta(minutes=2))
    (4, 4)
    """
    if isinstance(window, int):
        n_rows = int((rows.event_at >= _edge(instant)).sum())
        return max(1, -(-n_rows // window))
    return max(1, int((rows.event_at[-1] - _edge(instant)) // np.timedelta64(window)) + 1)


def _edge(instant: datetime) -> np.datetime64:
    return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us")
