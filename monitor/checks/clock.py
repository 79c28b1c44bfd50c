"""Clock: columns that tell the time of day, and whether they still tell the right one."""

from dataclasses import dataclass

import numpy as np

from monitor.cells import TimeArray
from monitor.checks.binning import distinct
from monitor.checks.onset import MIN_ROWS
from monitor.columns import FloatArray
from monitor.reference import ColumnReference, NumericReference, Reference
from monitor.schema import Kind

MIN_STEPS, MAX_STEPS = 12, 1440
"""Distinct values of a column that may tell the time: from two hours to minutes."""

FOLLOWS = 0.95
"""Share of rows in which a column that follows the clock is as far from it as in the others."""

LEAST_SHIFT = 1.5 / 24
"""A shift of one hour is what summer time does."""

TOLERANCE = 0.75 / 24
"""How far apart the offsets of rows are that count as one: a time is rounded to the hour."""


@dataclass(frozen=True)
class Shift:
    """By how much a clock has been put forward or back, and since when.

    Parameters
    ----------
    hours : float
        -12 to 12.
    first : int
        The row, in the order of time, from which on.
    """

    hours: float
    first: int


def tells_time(ordered: FloatArray) -> bool:
    """Say whether values, sorted, may be a time of day: evenly spaced, as often as another."""
    found = distinct(ordered)
    if not MIN_STEPS <= found.size <= MAX_STEPS:
        return False
    steps = np.diff(found)
    return bool(steps.max() <= 1.5 * np.median(steps))


def shift(
    ordered: FloatArray, before: tuple[FloatArray, TimeArray], current: tuple[FloatArray, TimeArray]
) -> Shift | None:
    """Find the row from which a column lies otherwise to the time of its rows.

    A shift leaves the distribution of a column as it was; only its relation to the clock changes.

    Parameters
    ----------
    ordered : ndarray
        The reference's values, sorted.
    before, current : pair of ndarray
        Values and event times in the order of time, of the last clean window and of this one.
    """
    if min(before[0].size, current[0].size) < MIN_ROWS:
        return None
    was, is_now = (_offsets(ordered, *side) for side in (before, current))
    usual, now = _middle(was), _middle(is_now[-MIN_ROWS:])
    moved = _apart(now, usual)
    if abs(moved) < LEAST_SHIFT or np.mean(np.abs(_apart(was, usual)) < TOLERANCE) < FOLLOWS:
        return None
    at_new = np.abs(_apart(is_now, now)) < TOLERANCE
    first = int(np.argmax(np.cumsum(np.where(at_new, 1, -1)[::-1])[::-1]))
    if is_now.size - first < MIN_ROWS or at_new[first:].mean() < FOLLOWS:
        return None
    at_old = np.abs(_apart(is_now[:first], usual)) < TOLERANCE
    if first and at_old.mean() < FOLLOWS:
        return None
    return Shift(round(float(24 * moved), 1), first)


def _offsets(ordered: FloatArray, values: FloatArray, event_at: TimeArray) -> FloatArray:
    found = distinct(ordered)
    turn = (found[-1] - found[0]) * (1 + 1 / (found.size - 1))
    micros = event_at.astype("datetime64[us]").astype(np.int64)
    day = (micros % 86_400_000_000) / 86_400_000_000
    offsets: FloatArray = ((values - found[0]) / turn - day) % 1.0
    return offsets


def _middle(offsets: FloatArray) -> float:
    return float(np.angle(np.exp(2j * np.pi * offsets).mean()) / (2 * np.pi)) % 1.0


def _apart(one: FloatArray | float, other: float) -> FloatArray:
    found: FloatArray = (np.asarray(one) - other + 0.5) % 1.0 - 0.5
    return found


def clocks(reference: Reference) -> tuple[str, ...]:
    """Name the features that may tell the time of day."""
    return tuple(
        name
        for name, kind in reference.schema.features.items()
        if kind is Kind.NUMERIC and name in reference.columns and _tells(reference.columns[name])
    )


def _tells(known: ColumnReference) -> bool:
    return isinstance(known, NumericReference) and known.n_values > 0 and tells_time(known.values)
