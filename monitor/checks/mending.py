"""Mending: what must be taken back for a column to look as it did before, and from which row on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.checks.likelihood import Density, density, switch
from monitor.checks.likeness import (
    FAR,
    NEAR,
    Likeness,
    distance,
    far_distance,
    gap,
    null_distance,
    spread,
)
from monitor.checks.onset import MIN_ROWS
from monitor.checks.undoing import UNDOINGS, Undoing
from monitor.columns import FloatArray

GROSS = 8.0
"""What makes a number so many times as large as it was, or as small, is no drift of the world."""

STEP = 1.5
"""A break begins at a row: what lies just behind it is so many times further from what lies just
before than neighbouring clean stretches ever are. What drifts gets there by and by."""

STEP_ROWS = 48

SHARP = 3.0
"""A small factor needs a sharper step: there are many of them, and some factor fits any drift."""

CROSSING = 2.0
"""So sharp is the step of at least one of two columns that were exchanged."""

MIN_EVIDENCE = 20.0
"""Natural logarithm of how many times likelier the rows are when mended."""

N_TRIED = 5
"""So many of the likeliest are held against clean stretches."""


@dataclass(frozen=True)
class Side:
    """A numeric feature: the clean rows before, and the window's.

    Parameters
    ----------
    name : str
        The column.
    before, current : ndarray
        Finite values in the order of time.
    """

    name: str
    before: FloatArray
    current: FloatArray

    @cached_property
    def density(self) -> Density:
        """How likely a value is before."""
        return density(self.before)

    @property
    def is_told(self) -> bool:
        """Whether there are rows enough, and the clean ones moved at all."""
        enough = min(self.before.size, self.current.size) >= MIN_ROWS
        return enough and bool(np.ptp(self.before))

    def cut(self, first: int) -> "Cut | None":
        """Cut the window at a row; None where there is too little to tell."""
        clean, after = np.concatenate([self.before, self.current[:first]]), self.current[first:]
        null = null_distance(clean, after.size, distance)
        return None if null is None else Cut(clean, after, null)

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
    """

    clean: FloatArray
    after: FloatArray
    null: float

    @cached_property
    def apart(self) -> float:
        """Distance of the rows as they came."""
        return far_distance(self.after, self.clean, self.clean)

    @cached_property
    def step(self) -> float:
        """The step at the cut, in the largest between neighbouring clean stretches."""
        n = min(STEP_ROWS, len(self.after), len(self.clean) // 2)
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
    if not side.is_told:
        return None
    raw = side.density.log(side.current)
    tried = []
    low, high = float(side.before.min()), float(side.before.max())
    for undoing in UNDOINGS:
        if low < undoing.least or high > undoing.most:
            continue
        mended = side.density.log(undoing.take_back(side.current)) - np.log(undoing.slope)
        first, evidence = switch(mended - raw)
        if evidence >= MIN_EVIDENCE:
            tried.append((evidence + _PRIOR[undoing.sign], first, undoing))
    for evidence, first, undoing in sorted(tried, key=lambda one: -one[0])[:N_TRIED]:
        cut = side.cut(first)
        if cut is None or cut.step < (STEP if undoing.size >= GROSS else SHARP):
            continue
        ratio = cut.ratio(undoing.take_back(cut.after))
        if ratio is not None:
            return Mended(side.name, undoing, first, ratio, evidence)
    return None


_PRIOR = {"scale": 10.0, "sign": 10.0, "units": 0.0}
"""Powers of ten and the sign break more often than units."""


@dataclass(frozen=True)
class Swapped:
    """Two columns that have each other's values.

    Parameters
    ----------
    names : pair of str
        The columns.
    first : int
        The first row that is broken.
    ratio : float
        The greater distance of both, in that of clean stretches.
    evidence : float
        Logarithm of how many times likelier they are when they are exchanged.
    """

    names: tuple[str, str]
    first: int
    ratio: float
    evidence: float


def swapped(one: Side, other: Side) -> Swapped | None:
    """Say whether two columns of as many values look as before when they are exchanged."""
    if one.current.size != other.current.size or not (one.is_told and other.is_told):
        return None
    crossed = one.density.log(other.current) + other.density.log(one.current)
    straight = one.density.log(one.current) + other.density.log(other.current)
    first, evidence = switch(crossed - straight)
    if evidence < MIN_EVIDENCE:
        return None
    mine, theirs = one.cut(first), other.cut(first)
    if mine is None or theirs is None:
        return None
    pairs = [(mine, theirs), (theirs, mine)]
    near = [cut.distance_of(other.after) for cut, other in pairs]
    # One of two may wobble as widely as both lie apart; the other must tell, and sharply.
    told = [cut.step >= CROSSING and cut.ratio(other.after) is not None for cut, other in pairs]
    alike = [
        is_told or (far <= NEAR * cut.null and far < cut.apart)
        for is_told, far, (cut, _) in zip(told, near, pairs, strict=True)
    ]
    if not any(told) or not all(alike):
        return None
    ratio = max(far / max(cut.null, 1e-12) for far, (cut, _) in zip(near, pairs, strict=True))
    return Swapped((one.name, other.name), first, ratio, evidence)


def swaps(sides: Sequence[Side]) -> list[Swapped]:
    """Pair columns that have each other's values, the likeliest first, each once."""
    fits = [
        fit
        for at, one in enumerate(sides)
        for other in sides[at + 1 :]
        if (fit := swapped(one, other)) is not None
    ]
    taken: set[str] = set()
    found = []
    for fit in sorted(fits, key=lambda one: -one.evidence):
        if not taken & set(fit.names):
            taken |= set(fit.names)
            found.append(fit)
    return found
