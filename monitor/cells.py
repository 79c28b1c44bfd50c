"""Cells: rows numbered by the stretch they fall into, so that each stretch is counted apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from monitor.columns import IntArray
from monitor.window import MONDAY, WindowPolicy

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

HOURLY = timedelta(days=14)
"""Rows of a longer time are counted by the day: of a year's hours there are 8 760."""

TYPICAL_SHARE = 0.5
"""A reference window with fewer rows than this share of the median one says too little."""

TimeArray = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Cells:
    """Rows by stretch.

    Parameters
    ----------
    of_row : ndarray, shape (n_rows,)
        Number of each row's stretch, from 0.
    starts : tuple of datetime
        Where each stretch that has rows begins, ascending.
    """

    of_row: IntArray
    starts: Sequence[datetime]


def hours(event_at: TimeArray) -> Cells:
    """Number rows by the hour of their event time.

    Examples
    --------
    >>> at = np.array(["2026-01-05T10:59", "2026-01-05T08:10"], "datetime64[us]")
    >>> hours(at).of_row.tolist(), [start.hour for start in hours(at).starts]
    ([1, 0], [8, 10])
    """
    return _by_time(event_at, HOUR, MONDAY)


def stretches(event_at: TimeArray) -> Cells:
    """Number rows by the hour, or by the day where they span more than two weeks.

    Examples
    --------
    >>> at = np.array(["2026-01-05T08", "2026-01-05T10", "2026-03-01T10"], "datetime64[us]")
    >>> stretches(at[:2]).of_row.tolist(), stretches(at).of_row.tolist()
    ([0, 1], [0, 0, 1])
    """
    is_long = event_at.size and event_at.max() - event_at.min() > np.timedelta64(HOURLY)
    return _by_time(event_at, DAY if is_long else HOUR, MONDAY)


def regrouped(starts: Sequence[datetime], policy: WindowPolicy) -> Cells | None:
    """Number stretches by the window that they lie in; None where windows do not hold whole ones.

    Parameters
    ----------
    starts : sequence of datetime
        Where each of `stretches` begins.
    policy : WindowPolicy
        How windows are cut.

    Examples
    --------
    >>> days = [datetime(2026, 1, day, tzinfo=UTC) for day in (5, 6, 12)]
    >>> regrouped(days, WindowPolicy(every=timedelta(days=7))).of_row.tolist()
    [0, 0, 1]
    >>> regrouped(days, WindowPolicy(every=timedelta(hours=6)))
    """
    if policy.every is None or not starts:
        return None
    length = HOUR if any((start - MONDAY) % DAY for start in starts) else DAY
    if policy.every % length or (policy.anchor - MONDAY) % length:
        return None
    at = np.array([start.replace(tzinfo=None) for start in starts], dtype="datetime64[us]")
    return _by_time(at, policy.every, policy.anchor)


def windows(event_at: TimeArray, policy: WindowPolicy) -> Cells:
    """Number rows, in the order of time, by the window they would have fallen into.

    Parameters
    ----------
    event_at : ndarray of datetime64, shape (n_rows,)
        Event time, UTC without a zone; ascending for windows by count.
    policy : WindowPolicy
        How rows are cut.

    Examples
    --------
    >>> at = np.array(["2026-01-04", "2026-01-05", "2026-01-11"], "datetime64[us]")
    >>> windows(at, WindowPolicy(every=timedelta(days=7))).of_row.tolist()
    [0, 1, 1]
    >>> windows(at, WindowPolicy(rows=2)).of_row.tolist()
    [0, 0, 1]
    """
    if policy.every is not None:
        return _by_time(event_at, policy.every, policy.anchor)
    assert policy.rows is not None
    of_row = np.arange(event_at.size) // policy.rows
    return Cells(of_row, tuple(_aware(at) for at in event_at[:: policy.rows]))


def typical(cells: Cells) -> list[int]:
    """Return the stretches with at least half the rows of the median one: thinner ones say little.

    Examples
    --------
    >>> typical(Cells(np.array([0, 1, 1, 1, 2, 2, 2]), (MONDAY,) * 3))
    [1, 2]
    """
    n_rows = np.bincount(cells.of_row, minlength=len(cells.starts))
    least = TYPICAL_SHARE * np.median(n_rows) if n_rows.size else 0.0
    return [at for at, n in enumerate(n_rows.tolist()) if n >= least]


def _by_time(event_at: TimeArray, length: timedelta, anchor: datetime) -> Cells:
    micros = event_at.astype("datetime64[us]").astype(np.int64)
    one, origin = length // timedelta(microseconds=1), _micros(anchor)
    numbers, of_row = np.unique((micros - origin) // one, return_inverse=True)
    starts = (origin + numbers * one).astype("datetime64[us]")
    return Cells(of_row.astype(np.int64), tuple(map(_aware, starts)))


def _micros(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _aware(instant: np.datetime64) -> datetime:
    moment: datetime = instant.astype("datetime64[us]").astype(datetime)
    return moment.replace(tzinfo=UTC)
