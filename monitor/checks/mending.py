"""Mending: what must be taken back for a column to look as it did before, and from which row on."""

from dataclasses import dataclass

import numpy as np

from monitor.checks.likelihood import switch
from monitor.checks.likeness import FAR
from monitor.checks.side import STEP, Cut, Side
from monitor.checks.undoing import UNDOINGS, Undoing
from monitor.columns import FloatArray

GROSS = 8.0
"""What makes a number so many times as large as it was, or as small, is no drift of the world."""

SHARP = 3.0
"""A small factor needs a sharper step: there are many of them, and one fits any drift. ..."""

SURE = 8.0
"""... And it must lead so many times further away than clean stretches lie from each other, and
all but so small a part of the way back."""

MIN_EVIDENCE = 20.0
"""Natural logarithm of how many times likelier the rows are when mended."""

N_TRIED = 5
"""So many of the likeliest are held against clean stretches."""

_PRIOR = {"scale": 10.0, "sign": 10.0, "units": 0.0}
"""Powers of ten and the sign break more often than others."""


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
    raw = side.log(side.current)
    tried, may_be_new = [], {sign: side.may_be_new(sign) for sign in _PRIOR}
    low, high = float(side.before.min()), float(side.before.max())
    for undoing in UNDOINGS:
        if not (low >= undoing.least and high <= undoing.most):
            continue
        back, again = undoing.take_back(side.current), _recurring_gains(side, undoing)
        if not may_be_new[undoing.sign] and not again.any():
            continue
        first, evidence = switch(side.log(back) - np.log(undoing.slope) - raw + again)
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
    cut, mended = side.cut(first), side.measure(undoing.take_back(side.current))[first:]
    if cut is None:
        return None
    if is_proven:
        near = cut.distance_of(mended) / max(cut.null, 1e-12)
        return near if near <= FAR else None
    if not side.is_new(first, sign=undoing.sign) or not _is_sharp(cut, undoing):
        return None
    ratio = cut.ratio(mended)
    if ratio is None or (undoing.sign != "sign" and _is_shift(side, undoing, first)):
        return None
    is_sure = undoing.size >= GROSS or SURE * ratio * cut.null <= cut.apart
    return ratio if is_sure else None


def _is_shift(side: Side, undoing: Undoing, first: int) -> bool:
    """Say whether a step up or down explains the rows nearly as well as another unit.

    A step is what the world takes. A factor stretches, too: what is twice as much, and varies as
    much as before, is not in another unit.
    """
    back = undoing.take_back(side.current)
    shifted = side.current + np.median(back[first:] - side.current[first:])
    gains = side.log(back) - np.log(undoing.slope) - side.log(shifted)
    return float(gains[first:].sum()) < MIN_EVIDENCE


def _is_sharp(cut: Cut, undoing: Undoing) -> bool:
    if undoing.size >= GROSS:
        return cut.step >= STEP
    return cut.step >= SHARP and cut.apart >= SURE * cut.null
