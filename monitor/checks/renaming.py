"""Renaming: the levels of a category under other names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy.optimize import linear_sum_assignment

from monitor.checks.likeness import Likeness, null_distance
from monitor.checks.onset import MIN_ROWS, level_onset
from monitor.columns import FloatArray, IntArray

MIN_SPELT = 0.05
"""Least share of rows in another spelling that is a break and no slip of a hand."""

MIN_LEVELS = 3
MIN_FRESH = 2
"""One new level of any share is news; so many that have those of levels which are gone are not."""

MIN_SHARE = 0.02
"""Rarer levels are not paired: any of them looks like any other."""


@dataclass(frozen=True)
class Renamed:
    """How levels come under other names.

    Parameters
    ----------
    sign : str
        spelling or renamed.
    name : str
        In words.
    first : int
        The row, in the order of time, from which on.
    ratio : float or None
        Distance of the mended shares, in that of clean stretches.
    """

    sign: str
    name: str
    first: int
    ratio: float | None = None


def spelling(known: Sequence[str], current: IntArray, levels: Sequence[str]) -> Renamed | None:
    """Say whether levels come in other letters: case, spaces, hyphens, leading noughts.

    Parameters
    ----------
    known : sequence of str
        The reference's levels.
    current : ndarray, shape (n_rows,)
        Number of each row's level, in the order of time.
    levels : sequence of str
        All levels.

    Examples
    --------
    >>> codes = np.array([0] * 4 + [1, 2] * 20)
    >>> spelling(["Rain", "Snow"], codes, ["Rain", "rain ", "SNOW"]).name
    "'SNOW' for 'Snow', 'rain ' for 'Rain'"
    """
    plain: dict[str, str] = {}
    for level in known:
        plain.setdefault(_plain(level), level)
    known_ones = set(known)
    other = {
        at: plain[_plain(level)]
        for at, level in enumerate(levels)
        if level not in known_ones and _plain(level) in plain
    }
    rows = np.flatnonzero(np.isin(current, list(other)))
    if rows.size < max(1, MIN_SPELT * current.size):
        return None
    present = set(current[rows].tolist())
    told = sorted((levels[at], was) for at, was in other.items() if at in present)
    return Renamed("spelling", named(told), int(rows[0]))


def _plain(level: str) -> str:
    text = re.sub(r"[\s_\-./]+", "", level).casefold()
    return re.sub(r"^0+(?=\d)", "", text)


def named(pairs: Sequence[tuple[str, str]]) -> str:
    """Tell which levels came for which."""
    shown = ", ".join(f"{now!r} for {was!r}" for now, was in pairs[:3])
    return f"{shown} and {len(pairs) - 3} more" if len(pairs) > 3 else shown  # noqa: PLR2004


def renaming(before: IntArray, current: IntArray, levels: Sequence[str]) -> Renamed | None:
    """Say whether levels have exactly the shares that others had, from a row on.

    Levels are paired so that shares differ least (the Hungarian method). Drift moves shares; that
    several new levels at once have those of levels which are gone, within what clean stretches
    differ by, is a table of codes that was changed. Known levels that change places are not told:
    to shares they are drift.

    Parameters
    ----------
    before, current : ndarray
        Number of each row's level, in the order of time: of the last clean window, and of this one.
    levels : sequence of str
        All levels of both.

    References
    ----------
    Kuhn (1955), "The Hungarian method for the assignment problem".
    """
    n_levels = len(levels)
    if n_levels < MIN_LEVELS or min(before.size, current.size) < MIN_ROWS:
        return None

    def apart(one: IntArray, other: IntArray) -> float:
        return _total_variation(_shares(one, n_levels), _shares(other, n_levels))

    first = level_onset(_shares(before, n_levels), current)
    clean, after = np.concatenate([before, current[:first]]), current[first:]
    null = null_distance(clean, after.size, apart)
    if null is None:
        return None
    was, now = _shares(clean, n_levels), _shares(after, n_levels)
    pairs = _paired(was, now)
    likeness = Likeness(null, _total_variation(now, was))
    mended = _total_variation(now, was[pairs])
    moved = [at for at in range(n_levels) if pairs[at] != at and now[at] >= MIN_SHARE]
    fresh = [at for at in moved if was[at] < MIN_SHARE]
    # Any shares pair well with some order of themselves: only names that are new say more.
    if not likeness.restores(mended) or len(fresh) < MIN_FRESH or len(fresh) < len(moved):
        return None
    told = sorted(((levels[at], levels[pairs[at]]) for at in moved), key=lambda pair: pair[0])
    return Renamed("renamed", named(told), first, mended / max(null, 1e-12))


def recoding(known: Sequence[str], current: IntArray, levels: Sequence[str]) -> Renamed | None:
    """Say whether from a row on no level is a known one any more.

    Their shares need not be those of others: a window may hold two days of the week. But where all
    levels leave at one row, and others come, these are names. One level may take another's place
    by itself, as summer does spring's; it does not take a name of another form.

    Parameters
    ----------
    known : sequence of str
        The levels of the reference and of the clean rows.
    current : ndarray, shape (n_rows,)
        Number of each row's level, in the order of time.
    levels : sequence of str
        All levels.

    Examples
    --------
    >>> codes = np.array([0] * 20 + [1] * 10 + [2] * 20 + [3] * 20)
    >>> recoding(["1", "2"], codes, ["1", "2", "A", "B"]).name
    "only names that are new: 'A', 'B'"
    """
    names, forms = set(known), set(map(_form, known))
    is_new = np.array([level not in names for level in levels], dtype=np.bool_)[current]
    is_alien = np.array([_form(level) not in forms for level in levels], dtype=np.bool_)[current]
    for is_it, least in ((is_new, MIN_FRESH), (is_alien, 1)):
        others = np.flatnonzero(~is_it)
        first = int(others[-1]) + 1 if others.size else 0
        fresh = sorted({levels[at] for at in np.unique(current[first:])})
        # What comes and goes is no new table of codes.
        has_begun = not is_it[:first].any() and current.size - first >= MIN_ROWS
        if has_begun and len(fresh) >= least:
            return Renamed("renamed", f"only names that are new: {_listed(fresh)}", first)
    return None


def _form(level: str) -> str:
    """Return what kinds of signs a name is made of: letters, digits, and all others as they are."""
    kinds = ("9" if one.isdigit() else "a" if one.isalpha() else one for one in level)
    return "".join(kind for kind, _ in groupby(kinds))


def _listed(levels: Sequence[str]) -> str:
    shown = ", ".join(map(repr, levels[:3]))
    return f"{shown} and {len(levels) - 3} more" if len(levels) > 3 else shown  # noqa: PLR2004


def _paired(was: FloatArray, now: FloatArray) -> IntArray:
    """Return, for each level, the one whose place it has taken."""
    costs = np.abs(now[:, None] - was[None, :])
    # A level that can stay where it is does.
    costs[np.diag_indices_from(costs)] -= 1e-9
    return np.asarray(linear_sum_assignment(costs)[1])


def _shares(codes: IntArray, n_levels: int) -> FloatArray:
    return np.bincount(codes, minlength=n_levels) / max(codes.size, 1)


def _total_variation(one: FloatArray, other: FloatArray) -> float:
    return float(np.abs(one - other).sum() / 2)
