"""Swapping: two columns that have each other's values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.checks.likelihood import switch
from monitor.checks.likeness import FAR, NEAR
from monitor.checks.mending import MIN_EVIDENCE
from monitor.checks.side import Cut, Side
from monitor.columns import FloatArray

CROSSING = 2.0
"""So sharp is the step of at least one of two columns that were exchanged."""


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
    is_proven : bool
        Whether values that recur say so, and not only how they are spread.
    """

    names: tuple[str, str]
    first: int
    ratio: float
    evidence: float
    is_proven: bool


def swapped(one: Side, other: Side) -> Swapped | None:
    """Say whether two columns look as before when they are exchanged: values of the same rows."""
    if not (one.is_long and other.is_long and (one.is_told or other.is_told)):
        return None
    crossed = one.log(other.current) + other.log(one.current)
    straight = one.log(one.current) + other.log(other.current)
    again = _recurring_gains(one, other) + _recurring_gains(other, one)
    first, evidence = switch(crossed - straight + again)
    if evidence < MIN_EVIDENCE:
        return None
    mine, theirs = one.cut(first), other.cut(first)
    if mine is None or theirs is None:
        return None
    pairs = (
        (mine, one.measure(other.current)[first:]),
        (theirs, other.measure(one.current)[first:]),
    )
    near = [cut.distance_of(came) / max(cut.null, 1e-12) for cut, came in pairs]
    is_proven = float(again[first:].sum()) >= MIN_EVIDENCE
    if is_proven:
        fits = max(near) <= FAR
    else:
        is_new = any(side.is_new(first, sign="swap") for side in (one, other))
        fits = _are_restored(pairs, at_least=1 if is_new else 2)
        fits = fits and not _are_shifts(one, other, first)
    if not fits:
        return None
    return Swapped((one.name, other.name), first, max(near), evidence, is_proven)


def _recurring_gains(side: Side, other: Side) -> FloatArray:
    """Return how much likelier each of a column's values is to be the other's, as those recur."""
    weight = side.recurrence.weight(other.recurrence.sample)
    gains = side.recurrence.hits(other.current).astype(np.float64) - side.hits
    return np.where(side.current == other.current, 0.0, weight * gains)


def _are_shifts(one: Side, other: Side, first: int) -> bool:
    """Say whether a step of both explains the rows nearly as well: they may lie side by side."""
    apart = np.median(other.current[first:] - one.current[first:])
    crossed = one.log(other.current) + other.log(one.current)
    stepped = one.log(one.current + apart) + other.log(other.current - apart)
    return float((crossed - stepped)[first:].sum()) < MIN_EVIDENCE


def _are_restored(pairs: Sequence[tuple[Cut, FloatArray]], *, at_least: int) -> bool:
    """Say whether both columns are restored, and so many of them sharply.

    Where neither takes values that are new to it, both must tell.
    """
    near = [cut.distance_of(came) for cut, came in pairs]
    # One of two may wobble as widely as both lie apart; the other must tell, and sharply.
    told = [cut.step >= CROSSING and cut.ratio(came) is not None for cut, came in pairs]
    alike = [
        is_told or (far <= NEAR * cut.null and far < cut.apart)
        for is_told, far, (cut, _) in zip(told, near, pairs, strict=True)
    ]
    return sum(told) >= at_least and all(alike)
