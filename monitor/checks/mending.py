"""Mending: what must be taken back for a column to look as it did before, and from which row on."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from monitor.checks.likelihood import Density, density, switch
from monitor.checks.likeness import (
    FAR,
    Likeness,
    distance,
    far_distance,
    gap,
    null_distance,
    spread,
)
from monitor.checks.onset import MIN_ROWS, BoolArray
from monitor.checks.recurrence import Recurrence
from monitor.checks.undoing import UNDOINGS, Undoing
from monitor.columns import FloatArray
from monitor.grid import OUTER_QUANTILES

GROSS = 8.0
"""What makes a number so many times as large as it was, or as small, is no drift of the world."""

STEP = 1.5
"""A break begins at a row: what lies just behind it is so many times further from what lies just
before than neighbouring clean stretches ever are. What drifts gets there by and by."""

STEP_ROWS = 48

MOSTLY = 0.5
"""Share of the values behind a break that lie where the reference never was."""

SHARP = 3.0
"""A small factor needs a sharper step: there are many of them, and one fits any drift. ..."""

SURE = 8.0
"""... And it must lead so many times further away than clean stretches lie from each other, and
all but so small a part of the way back."""

FLOOR = 0.25
"""Values pile up at the least where a twentieth of them lies within this part of the way from it to
the middle one: evenly spread ones have a tenth of it there, normal ones half."""

MIN_EVIDENCE = 20.0
"""Natural logarithm of how many times likelier the rows are when mended."""

N_TRIED = 5
"""So many of the likeliest are held against clean stretches."""

SWAP = "swap"

_PRIOR = {"scale": 10.0, "sign": 10.0, "units": 0.0, SWAP: 0.0}
"""Powers of ten and the sign break more often than others."""


@dataclass(frozen=True)
class Side:
    """A numeric feature: the clean rows before, and the window's.

    Parameters
    ----------
    name : str
        The column.
    before, current : ndarray
        Finite values in the order of time.
    known : pair of float
        Between these lies nearly all of the reference.
    stretch : int
        Values on both sides of a cut that say whether there is a step: a day's, for each day has
        its course, or `STEP_ROWS` where those are more.
    recurring : ndarray, sorted
        Values that more than one row of the reference has.
    """

    name: str
    before: FloatArray
    current: FloatArray
    known: tuple[float, float]
    stretch: int = STEP_ROWS
    recurring: FloatArray = field(default_factory=lambda: np.empty(0))

    @cached_property
    def recurrence(self) -> Recurrence:
        """The values that come again and again."""
        return Recurrence(self.recurring, self.before)

    @cached_property
    def hits(self) -> BoolArray:
        """Which of the window's values are among them."""
        return self.recurrence.hits(self.current)

    @cached_property
    def has_floor(self) -> bool:
        """Whether no value is negative, and they pile up at the least: no season goes below.

        Mirrored whole degrees are whole degrees: of a temperature, which thins out towards its
        least, the values say nothing.
        """
        least, low, middle = np.quantile(self.before, (0, 0.05, 0.5))
        known = self.recurring[0] if self.recurring.size else least
        return bool(min(least, known) >= 0 and low - least <= FLOOR * (middle - least))

    @cached_property
    def density(self) -> Density:
        """How likely a value is before."""
        return density(self.before)

    @property
    def is_long(self) -> bool:
        """Whether there are rows enough."""
        return min(self.before.size, self.current.size) >= MIN_ROWS

    @property
    def is_told(self) -> bool:
        """Whether there are, and the clean ones moved at all."""
        return self.is_long and bool(np.ptp(self.before))

    @cached_property
    def _new_to_reference(self) -> BoolArray:
        low, high = self.known
        return np.asarray((self.current < low) | (self.current > high), dtype=np.bool_)

    @cached_property
    def _new_to_clean(self) -> BoolArray:
        low, high = np.quantile(self.before, OUTER_QUANTILES)
        return np.asarray((self.current < low) | (self.current > high), dtype=np.bool_)

    def _new(self, sign: str) -> BoolArray:
        """Say which values lie where hardly any did before.

        Where the reference has been, one of the many things that numbers may come as mends many a
        season, too. No season multiplies by ten: it is enough that clean rows were elsewhere.
        """
        return self._new_to_clean if sign == "scale" else self._new_to_reference

    def is_new(self, first: int, *, sign: str) -> bool:
        """Whether most values from a row on lie where hardly any did before."""
        return bool(np.mean(self._new(sign)[first:]) >= MOSTLY)

    @cached_property
    def may_be_new(self) -> frozenset[str]:
        """Signs for which most values lie there from some row on: all others need no search."""
        n_rows = np.arange(1, self.current.size + 1)
        return frozenset(
            sign
            for sign in _PRIOR
            if np.any((np.cumsum(self._new(sign)[::-1]) / n_rows)[MIN_ROWS - 1 :] >= MOSTLY)
        )

    def cut(self, first: int) -> "Cut | None":
        """Cut the window at a row; None where there is too little to tell."""
        clean, after = np.concatenate([self.before, self.current[:first]]), self.current[first:]
        null = null_distance(clean, after.size, distance)
        return None if null is None else Cut(clean, after, null, self.stretch)

    def has_moved(self, first: int) -> bool:
        """Whether it moves abruptly at a row, further than clean stretches lie from each other."""
        if not self.is_told or self.current.size - first < MIN_ROWS:
            return False
        one = self.cut(first)
        return one is not None and one.step >= STEP and one.apart >= FAR * one.null


@dataclass(frozen=True)
class Cut:
    """A column before and after a row.

    Parameters
    ----------
    clean, after : ndarray
        In the order of time.
    null : float
        Distance between clean stretches.
    stretch : int
        Values on both sides that say whether there is a step.
    """

    clean: FloatArray
    after: FloatArray
    null: float
    stretch: int

    @cached_property
    def apart(self) -> float:
        """Distance of the rows as they came."""
        return far_distance(self.after, self.clean, self.clean)

    @cached_property
    def step(self) -> float:
        """The step at the cut, in the largest between neighbouring clean stretches."""
        n = min(self.stretch, len(self.after), len(self.clean) // 4)
        places = range(n, len(self.clean) - n + 1, max(1, n // 2, len(self.clean) // 100))
        usual = max(gap(self.clean[at : at + n], self.clean[at - n : at]) for at in places)
        step = far_distance(self.after[:n], self.clean[-n:], self.clean)
        return step / max(usual / max(spread(self.clean), 1e-300), 1e-12)

    def distance_of(self, mended: FloatArray) -> float:
        """Return the distance of mended rows from clean ones."""
        return distance(mended, self.clean)

    def ratio(self, mended: FloatArray) -> float | None:
        """Return the distance of mended rows in that of clean stretches; None if it is too far."""
        far = self.distance_of(mended)
        return (
            far / max(self.null, 1e-12) if Likeness(self.null, self.apart).restores(far) else None
        )


@dataclass(frozen=True)
class Mended:
    """What mends a column.

    Parameters
    ----------
    name : str
        The column.
    undoing : Undoing
        How.
    first : int
        The first of the window's values that is broken.
    ratio : float
        Distance of the mended rows, in that of clean stretches.
    evidence : float
        Logarithm of how many times likelier the rows are when mended.
    is_proven : bool
        Whether values that recur say so, and not only how they are spread.
    """

    name: str
    undoing: Undoing
    first: int
    ratio: float
    evidence: float
    is_proven: bool


def mend(side: Side) -> Mended | None:
    """Find what brings a column back: the likeliest of what restores it."""
    if not side.is_told:
        return None
    raw = side.density.log(side.current)
    tried = []
    low, high = float(side.before.min()), float(side.before.max())
    for undoing in UNDOINGS:
        if not (low >= undoing.least and high <= undoing.most):
            continue
        back, again = undoing.take_back(side.current), _recurring_gains(side, undoing)
        if undoing.sign not in side.may_be_new and not again.any():
            continue
        first, evidence = switch(side.density.log(back) - np.log(undoing.slope) - raw + again)
        if evidence >= MIN_EVIDENCE:
            by_values = float(again[first:].sum())
            tried.append((evidence + _PRIOR[undoing.sign], first, undoing, by_values))
    for evidence, first, undoing, by_values in sorted(tried, key=lambda one: -one[0])[:N_TRIED]:
        is_proven = by_values >= MIN_EVIDENCE and (undoing.sign != "sign" or side.has_floor)
        ratio = _ratio(side, undoing, first, is_proven=is_proven)
        if ratio is not None:
            return Mended(side.name, undoing, first, ratio, evidence, is_proven)
    return None


def _recurring_gains(side: Side, undoing: Undoing) -> FloatArray:
    """Return how much likelier each value is to have been mended because it recurs, or does not."""
    clean = side.recurrence.sample
    otherwise = undoing.take_back(clean)
    weight = side.recurrence.weight(otherwise[otherwise != clean])
    if not weight:
        return np.zeros(side.current.size)
    back = undoing.take_back(side.current)
    gains = side.recurrence.hits(back).astype(np.float64) - side.hits
    # A thousand times nothing is nothing: it says neither.
    return np.where(back == side.current, 0.0, weight * gains)


def _ratio(side: Side, undoing: Undoing, first: int, *, is_proven: bool) -> float | None:
    """Return how far mended rows are from clean ones; None where they are not believed."""
    cut = side.cut(first)
    if cut is None:
        return None
    if is_proven:
        near = cut.distance_of(undoing.take_back(cut.after)) / max(cut.null, 1e-12)
        return near if near <= FAR else None
    if not side.is_new(first, sign=undoing.sign) or not _is_sharp(cut, undoing):
        return None
    ratio = cut.ratio(undoing.take_back(cut.after))
    is_sure = undoing.size >= GROSS or SURE * (ratio or 0.0) * cut.null <= cut.apart
    return ratio if is_sure else None


def _is_sharp(cut: Cut, undoing: Undoing) -> bool:
    if undoing.size >= GROSS:
        return cut.step >= STEP
    return cut.step >= SHARP and cut.apart >= SURE * cut.null
