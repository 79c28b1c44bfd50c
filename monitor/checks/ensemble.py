"""Ensemble: the numeric columns of a window together, and what mends them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, islice

import numpy as np

from monitor.checks.broken import Break
from monitor.checks.company import Company
from monitor.checks.mending import GROSS, Mended, mend
from monitor.checks.side import Accompanied, Side
from monitor.checks.swapping import Swapped, swapped
from monitor.columns import IntArray

MOST_SWAPPED = 12
"""Of so many columns each pair is tried: more would cost too much."""

MOST_UNITS = 2
"""So many units are changed at a time, ..."""

MOST_OPEN = 0.1
"""... and at most this share of the columns looked at moves for no reason that is found."""

SURPRISING = 4.0
"""A column is looked at though it does not alarm where it is so many times as far from what is
expected of it, given all that comes with it, as clean rows are: as mean squares."""


@dataclass(frozen=True)
class Thinning:
    """How many rows the window has, and that each so many-th of them is looked at."""

    n_rows: int
    step: int


@dataclass(frozen=True)
class Ensemble:
    """The numeric columns of a window that are looked at.

    Parameters
    ----------
    sides : mapping of str to Side
        Their values.
    at, at_before : mapping of str to ndarray
        The row of each value, among those that are looked at.
    thinning : Thinning
        How these were chosen.
    company : Company or None
        What comes together, in the same rows.
    """

    sides: Mapping[str, Side]
    at: Mapping[str, IntArray]
    at_before: Mapping[str, IntArray]
    thinning: Thinning
    company: Company | None

    def row(self, name: str, first: int) -> int:
        """Return the row of the window of a column's value."""
        return int(self.at[name][first]) * self.thinning.step

    def moves_alone(self, row: int, names: Collection[str]) -> bool:
        """Say whether hardly any other column moves at the row at which some do."""
        others = (side for name, side in self.sides.items() if name not in names)
        moving = (
            side
            for side in others
            if side.has_moved(int(np.searchsorted(self.at[side.name] * self.thinning.step, row)))
        )
        most = int(MOST_OPEN * len(self.sides))
        return sum(1 for _ in islice(moving, most + 1)) <= most

    @cached_property
    def surprised(self) -> list[str]:
        """Name the columns that are far from what is expected of them, the furthest first."""
        if self.company is None:
            return []
        found = self.company.surprises
        far = [name for name in self.sides if found.get(name, 0.0) >= SURPRISING]
        return sorted(far, key=lambda name: -found[name])

    def accompanied(self, *names: str) -> list[Accompanied]:
        """Return columns beside what is expected of them, but not from each other."""
        assert self.company is not None
        before, current = self.company.expected(*names)
        starts = np.cumsum([0, *(self._n_terms(name) for name in names[:-1])])
        return [
            Accompanied(
                side.name,
                side.before,
                side.current,
                side.known,
                side.stretch,
                side.recurring,
                scale=self.company.scales[side.name],
                expected_before=before[self.at_before[side.name], at],
                expected_current=current[self.at[side.name], at],
            )
            for side, at in zip((self.sides[name] for name in names), starts, strict=True)
        ]

    def _n_terms(self, name: str) -> int:
        assert self.company is not None
        block = self.company.blocks[name]
        return int(block.stop - block.start)


def surprising(company: Company) -> list[str]:
    """Name the numbers that are far from what is expected of them, in all of a window."""
    return [name for name, far in company.surprises.items() if far >= SURPRISING]


def mended(whole: Ensemble, still: Collection[str]) -> dict[str, Break]:
    """Name what mends columns: what the world never does, then exchanges, then other units.

    Parameters
    ----------
    whole : Ensemble
        The columns.
    still : collection of str
        Those that stand still, or are filled in: nothing else is looked for but an exchange.
    """
    one_by_one = [side for name, side in whole.sides.items() if name not in still]
    found_by = {side.name: one for side in one_by_one if (one := mend(side)) is not None}
    others = [name for name in whole.surprised if name not in still and name not in found_by]
    in_company = [one for name in others if (one := mend(whole.accompanied(name)[0])) is not None]
    if len({one.undoing.name for one in in_company}) <= MOST_UNITS:
        found_by |= {one.name: one for one in in_company}
    else:
        in_company = []
    sure = [one for one in found_by.values() if one.is_proven or one.undoing.size >= GROSS]
    told = {one.name: one for one in [*sure, *in_company]}
    pairs = []
    for pair in _swaps(whole):
        apart = sum(found_by[name].evidence for name in pair.names if name in found_by)
        is_told = pair.is_proven or whole.moves_alone(pair.first, pair.names)
        if pair.evidence >= apart and is_told:
            pairs.append(pair)
    exchanged = {name for pair in pairs for name in pair.names}
    small = [one for name, one in found_by.items() if name not in {*told, *exchanged}]
    if small and not _is_chance(whole, small):
        told |= {one.name: one for one in small}
    alone = [one for name, one in told.items() if name not in exchanged]
    found = {one.name: _undone(whole, one) for one in alone}
    for pair in pairs:
        found |= _exchanged(whole, pair)
    against = _against(whole, alone, pairs) if whole.company is not None else set()
    return {name: one for name, one in found.items() if name not in against}


def _against(whole: Ensemble, alone: Sequence[Mended], pairs: Sequence[Swapped]) -> set[str]:
    """Name the columns that fit what comes with them better as they came than mended.

    A cold front that looks like Celsius for Fahrenheit is cold by all other columns, too. What
    else is broken is no witness.
    """
    assert whole.company is not None
    names = [*(one.name for one in alone), *(name for pair in pairs for name in pair.names)]
    known = [name for name in names if name in whole.company.scales]
    if not known:
        return set()
    beside = dict(zip(known, whole.accompanied(*known), strict=True))
    against = {
        one.name
        for one in alone
        if (side := beside.get(one.name)) is not None
        and side.gain(one.undoing.take_back(side.current), one.first) < 0
    }
    for pair in pairs:
        if all(name in beside for name in pair.names) and _pair_gain(whole, beside, pair) < 0:
            against |= {*pair.names}
    return against


def _pair_gain(whole: Ensemble, beside: Mapping[str, Accompanied], pair: Swapped) -> float:
    mine, theirs = (whole.at[name] for name in pair.names)
    both = np.intersect1d(mine, theirs, assume_unique=True)
    one, other = (beside[name].of(np.isin(whole.at[name], both)) for name in pair.names)
    first = int(np.searchsorted(both * whole.thinning.step, pair.first))
    return one.gain(other.current, first) + other.gain(one.current, first)


def _swaps(whole: Ensemble) -> list[Swapped]:
    """Pair columns that have each other's values, the likeliest first, each once; from which row.

    By themselves, and those that surprise beside what is expected of them.
    """
    plain = [*combinations(list(whole.sides)[:MOST_SWAPPED], 2)]
    company = [*combinations(whole.surprised[:MOST_SWAPPED], 2)]
    fits = [_swapped(whole, [whole.sides[name] for name in names]) for names in plain]
    fits += [_swapped(whole, whole.accompanied(*names)) for names in company]
    taken: set[str] = set()
    found = []
    for fit in sorted(filter(None, fits), key=lambda one: -one.evidence):
        if not taken & set(fit.names):
            taken |= set(fit.names)
            found.append(fit)
    return found


def _swapped(whole: Ensemble, pair: Sequence[Side]) -> Swapped | None:
    rows = [whole.at[side.name] for side in pair]
    both = np.intersect1d(rows[0], rows[1], assume_unique=True)
    one, other = (
        side if at.size == both.size else side.of(np.isin(at, both))
        for side, at in zip(pair, rows, strict=True)
    )
    fit = swapped(one, other)
    return None if fit is None else replace(fit, first=int(both[fit.first]) * whole.thinning.step)


def _exchanged(whole: Ensemble, pair: Swapped) -> dict[str, Break]:
    n_after = whole.thinning.n_rows - pair.first
    return {
        name: Break(name, "swap", f"the values of {other}", pair.first, n_after, pair.ratio)
        for name, other in (pair.names, pair.names[::-1])
    }


def _undone(whole: Ensemble, one: Mended) -> Break:
    row, undoing = whole.row(one.name, one.first), one.undoing
    n_after = whole.thinning.n_rows - row
    return Break(one.name, undoing.sign, undoing.name, row, n_after, one.ratio)


def _is_chance(whole: Ensemble, small: Sequence[Mended]) -> bool:
    """Say whether small factors fit by chance: there are many of them, and many columns.

    A table that changes its units changes miles and Fahrenheit. Where each column is mended by
    something else, or columns move at the same row that nothing mends, the world has changed.
    """
    if len({one.undoing.name for one in small}) > MOST_UNITS:
        return True
    row = min(whole.row(one.name, one.first) for one in small)
    return not whole.moves_alone(row, [one.name for one in small])
