"""Stuck: one value, or a few, where there were many: frozen, filled in, or collapsed."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from monitor.checks.likeness import BLOCKS, NEAR, distance, null_distance
from monitor.checks.onset import MIN_ROWS, BoolArray, sign_onset
from monitor.columns import FloatArray

LONGER = 5
"""A column is frozen when a run is so many times longer than any of the clean rows' ..."""

MAX_HABIT = 0.5
"""... and its value is none that most clean rows have: it may go on not raining for a month."""

MIN_FILLED = 0.05
"""Least share of rows that a new value must take to be one that fills gaps."""

LONELY, BEYOND = 0.9, 0.1
"""It is so large a share of all values outside the clean range, and so many ranges away from it."""

MIN_INSIDE = 0.2
"""Least share of rows for a value that is among the others: weather comes back to one, too."""

ANYWHERE = 0.75
"""What it follows is so far from it, in what the other values are: weather gets there in steps."""

MIN_VALUES = 12
"""Fewer are levels rather than numbers: shares of levels drift."""

N_VALUES = 3
"""So many of the most frequent values are looked at."""

SHORT, UNEVEN = 10, 0.001
"""In stretches of so many rows it comes as unevenly as this with so small a chance."""

BY_CHANCE = 1e-6
"""Chance that a value follows others so often by itself."""

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
    if not habit.size:
        return None  # the reference has no value of it
    if before.size < MIN_ROWS:
        # How long values stay, and how many there are, only rows in their order say.
        return _filled(before, current, habit)
    if np.ptp(before):
        found = _frozen(before, current, habit) or _collapsed(before, current)
    else:  # it stood still before, and may be what has been seldom; what never moved has no range
        found = None
        if not np.ptp(habit):
            return None
    return found or _filled(before, current, habit) or _filled_inside(before, current, habit)


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


def _filled_inside(before: FloatArray, current: FloatArray, habit: FloatArray) -> Stuck | None:
    """Find a value among the others that comes where others were to be expected.

    It may go on not raining for a month, and then most values are nothing; but that begins seldom.
    A value that fills gaps comes out of all others again and again: what counts is how often it
    follows another one, beside how often it did, and that it comes evenly: weather stays.
    """
    if np.unique(habit).size < MIN_VALUES:
        return None
    values, counts = np.unique(current, return_counts=True)
    found = [_often(before, current, habit, one) for one in values[np.argsort(-counts)[:N_VALUES]]]
    told = [one for one in found if one is not None]
    # Where several values come anew, all have changed: one fills gaps.
    return told[0] if len(told) == 1 else None


def _often(
    before: FloatArray, current: FloatArray, habit: FloatArray, value: float
) -> Stuck | None:
    first = sign_onset(current == value, max(_share(before, value), _share(habit, value)))
    after, clean = current[first:], np.concatenate([before, current[:first]])
    rest, length = after[after != value], min(after.size, clean.size // BLOCKS)
    if length < MIN_ROWS or rest.size < MIN_ROWS // 2:
        return None
    # Counted from the newest rows: what has drifted a while ago is clean by now.
    blocks = [clean[end - length : end] for end in range(clean.size, length - 1, -length)]
    chance = max([_share(habit, value), *(_entering(one, value) for one in blocks)])
    rate, n_others = _entering(after, value), int(np.sum(after[:-1] != value))
    is_often = rate > LONGER * chance and (
        stats.binom.sf(rate * n_others - 1, n_others, chance) < BY_CHANCE
    )
    is_many = np.mean(after == value) >= MIN_INSIDE and is_often
    is_random = (
        is_many and _comes_from_anywhere(after, value) and not _comes_and_goes(after == value)
    )
    if not is_random or not _is_like(rest, clean):
        return None
    return Stuck("fill", f"{np.mean(after == value):.0%} of values are {value:g}", first)


def _is_like(rest: FloatArray, clean: FloatArray) -> bool:
    """Say whether the other values are as they were."""
    null = null_distance(clean, max(rest.size, MIN_ROWS), distance)
    return null is not None and distance(rest, clean) <= NEAR * null


def _comes_from_anywhere(values: FloatArray, value: float) -> bool:
    """Say whether a value follows others that are as far from it as any are."""
    is_it = values == value
    ahead = np.abs(values[:-1][~is_it[:-1] & is_it[1:]] - value)
    anywhere = np.abs(values[~is_it] - value)
    return bool(ahead.size and ahead.mean() >= ANYWHERE * anywhere.mean())


def _comes_and_goes(is_it: BoolArray) -> bool:
    """Say whether a value comes more in some rows than in others: what fills gaps knows no time.

    Its counts in short stretches vary by more than those of throws of a coin.
    """
    counts = is_it[: is_it.size // SHORT * SHORT].reshape(-1, SHORT).sum(axis=1)
    share = is_it.mean()
    varied = np.sum((counts - SHORT * share) ** 2) / max(SHORT * share * (1 - share), 1e-12)
    return bool(stats.chi2.sf(varied, counts.size - 1) < UNEVEN)


def _entering(values: FloatArray, value: float) -> float:
    """Return the share of other values that this one follows; one more, as none is never."""
    others, is_it = values[:-1] != value, values[1:] == value
    return float((np.sum(others & is_it) + 1) / (others.sum() + 2))


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
