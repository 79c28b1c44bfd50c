"""Swapping: two columns that have each other's values."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.checks.likelihood import switch
from monitor.checks.likeness import NEAR
from monitor.checks.mending import MIN_EVIDENCE, SWAP, Side

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
    """

    names: tuple[str, str]
    first: int
    ratio: float
    evidence: float


def swapped(one: Side, other: Side) -> Swapped | None:
    """Say whether two columns of as many values look as before when they are exchanged."""
    if one.current.size != other.current.size or not (one.is_told and other.is_told):
        return None
    if not any(SWAP in side.may_be_new for side in (one, other)):
        return None
    crossed = one.density.log(other.current) + other.density.log(one.current)
    straight = one.density.log(one.current) + other.density.log(other.current)
    first, evidence = switch(crossed - straight)
    is_new = any(side.is_new(first, sign=SWAP) for side in (one, other))
    if evidence < MIN_EVIDENCE or not is_new:
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
