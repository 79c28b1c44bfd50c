"""Mending: what must be taken back for a column to look as it did before, and from which row on."""

from dataclasses import dataclass
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
    """

    name: str
    before: FloatArray
    current: FloatArray
    known: tuple[float, float]
    stretch: int = STEP_ROWS

    @cached_property
    def density(self) -> Density:
        """How likely a value is before."""
        return density(self.before)

    @property
    def is_told(self) -> bool:
        """Whether there are rows enough, and the clean ones moved at all."""
        enough = min(self.before.size, self.current.size) >= MIN_ROWS
        return enough and bool(np.ptp(self.before))

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
        """The step at the cut, in the largest between neighbouring clean stretches.

        Of less than a stretch nobody knows yet: the next window has more.
        """
        if len(self.after) < min(self.stretch, len(self.clean) // 4):
            return 0.0
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
    """

    name: str
    undoing: Undoing
    first: int
    ratio: float
    evidence: float


def mend(side: Side) -> Mended | None:
    """Find what brings a column back: the likeliest of what restores it."""
    if not side.is_told or not side.may_be_new:
        return None
    raw = side.density.log(side.current)
    tried = []
    low, high = float(side.before.min()), float(side.before.max())
    for undoing in UNDOINGS:
        fits = low >= undoing.least and high <= undoing.most
        if not fits or undoing.sign not in side.may_be_new:
            continue
        mended = side.density.log(undoing.take_back(side.current)) - np.log(undoing.slope)
        first, evidence = switch(mended - raw)
        if evidence >= MIN_EVIDENCE:
            tried.append((evidence + _PRIOR[undoing.sign], first, undoing))
    for evidence, first, undoing in sorted(tried, key=lambda one: -one[0])[:N_TRIED]:
        cut = side.cut(first) if side.is_new(first, sign=undoing.sign) else None
        if cut is None or not _is_sharp(cut, undoing):
            continue
        ratio = cut.ratio(undoing.take_back(cut.after))
        is_sure = undoing.size >= GROSS or SURE * (ratio or 0.0) * cut.null <= cut.apart
        if ratio is not None and is_sure:
            return Mended(side.name, undoing, first, ratio, evidence)
    return None


def _is_sharp(cut: Cut, undoing: Undoing) -> bool:
    if undoing.size >= GROSS:
        return cut.step >= STEP
    return cut.step >= SHARP and cut.apart >= SURE * cut.null
