"""Stuck: one value, or a few, where there were many: frozen, filled in, or collapsed."""

from dataclasses import dataclass

import numpy as np

from monitor.checks.onset import MIN_ROWS, sign_onset
from monitor.columns import FloatArray

LONGER = 5
"""A column is frozen when a run is so many times longer than any of the clean rows' ..."""

MAX_HABIT = 0.5
"""... and its value is none that most clean rows have: it may go on not raining for a month."""

MIN_FILLED = 0.05
"""Least share of rows that a new value must take to be one that fills gaps."""

LONELY, BEYOND = 0.9, 0.1
"""It is so large a share of all values outside the clean range, and so many ranges away from it."""

FEWER = 4
"""Distinct values have collapsed when clean stretches have at least so many times more of them."""


@dataclass(frozen=True)
class Stuck:
    """What one value, or few, have done to a column.

    Parameters
    ----------
    sign : str
        frozen, fill or collapse.
    name : str
        In words.
    first : int
        The row, in the order of time, from which on.
    """

    sign: str
    name: str
    first: int


def stuck(before: FloatArray, current: FloatArray, habit: FloatArray) -> Stuck | None:
    """Say whether a column is frozen, filled, or has collapsed.

    Parameters
    ----------
    before, current : ndarray
        Finite values in the order of time: of the last clean window, and of this one.
    habit : ndarray, sorted
        The reference's values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before, current = rng.normal(size=500), rng.normal(size=500)
    >>> current[300:] = current[300]
    >>> stuck(before, current, np.sort(before)).name
    'every value is -0.736132'
    >>> current[300:] = np.where(np.arange(200) % 2, -999.0, rng.normal(size=200))
    >>> stuck(before, current, np.sort(before)).name
    '50% of values are -999'
    """
    if before.size < MIN_ROWS:
        # How long values stay, and how many there are, only rows in their order say.
        return _filled(before, current, habit)
    if not np.ptp(before):
        return None  # it stood still before
    return (
        _frozen(before, current, habit)
        or _collapsed(before, current)
        or _filled(before, current, habit)
    )


def _frozen(before: FloatArray, current: FloatArray, habit: FloatArray) -> Stuck | None:
    moves = np.flatnonzero(np.diff(current))
    first = int(moves[-1]) + 1 if moves.size else 0
    length, clean = current.size - first, np.concatenate([before, current[:first]])
    if length < MIN_ROWS or clean.size < MIN_ROWS:
        return None
    value = current[-1]
    if length < LONGER * _longest_run(clean) or max(_share(clean, value), _share(habit, value)) > (
        MAX_HABIT
    ):
        return None
    return _one_value(clean, value, first)


def _one_value(clean: FloatArray, value: float, first: int) -> Stuck:
    """Name a column that has one value left: what it never was has been filled in."""
    sign = "frozen" if _is_inside(clean, value) else "fill"
    return Stuck(sign, f"every value is {value:g}", first)


def _is_inside(values: FloatArray, value: float) -> bool:
    return bool(values.size and values.min() <= value <= values.max())


def _filled(before: FloatArray, current: FloatArray, habit: FloatArray) -> Stuck | None:
    clean = np.concatenate([before, habit])
    low, high = float(clean.min()), float(clean.max())
    beyond = BEYOND * (high - low)
    outside = current[(current < low) | (current > high)]
    if not outside.size:
        return None
    values, counts = np.unique(outside, return_counts=True)
    value, n_found = float(values[counts.argmax()]), int(counts.max())
    # A summer that nobody has seen brings many values outside, just beyond the others.
    is_lonely = n_found >= LONELY * outside.size and not low - beyond <= value <= high + beyond
    if not is_lonely or n_found < max(MIN_ROWS // 2, MIN_FILLED * current.size):
        return None
    first = sign_onset(current == value, 0.0)
    share = float(np.mean(current[first:] == value))
    return Stuck("fill", f"{share:.0%} of values are {value:g}", first)


def _collapsed(before: FloatArray, current: FloatArray) -> Stuck | None:
    few = np.unique(current[-max(MIN_ROWS, current.size // 4) :])
    usual = float(np.isin(before, few).mean())
    if usual > MAX_HABIT:
        return None
    first = sign_onset(np.isin(current, few), usual)
    length = min(current.size - first, before.size // 2)
    if length < MIN_ROWS:
        return None
    stretches = [before[at : at + length] for at in range(0, before.size - length + 1, length)]
    least = min(np.unique(stretch).size for stretch in stretches)
    now = np.unique(current[first : first + length]).size
    if now * FEWER > least:
        return None
    if now == 1:
        return _one_value(before, float(current[-1]), first)
    return Stuck("collapse", f"only {now} values where there were {least}", first)


def _share(values: FloatArray, value: float) -> float:
    return float(np.mean(values == value)) if values.size else 0.0


def _longest_run(values: FloatArray) -> int:
    ends = np.concatenate([[-1], np.flatnonzero(np.diff(values)), [values.size - 1]])
    return int(np.diff(ends).max())
