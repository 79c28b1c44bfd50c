"""Permuting: the known levels of a category under each other's names."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats
from scipy.optimize import linear_sum_assignment

from monitor.checks.company import Company
from monitor.checks.likelihood import switch
from monitor.checks.likeness import FAR, MAX_BLOCKS
from monitor.checks.mending import MIN_EVIDENCE
from monitor.checks.onset import MIN_ROWS
from monitor.checks.renaming import MIN_SHARE, Renamed, named
from monitor.columns import FloatArray, IntArray, texts

RARE = 0.005
"""No level is expected with a lesser chance: a line fitted to noughts and ones leaves them."""

N_STARTS = 12
"""So many rows, evenly over the window, are tried as the first before the likeliest is found."""

STAYS = 2.0
"""A level that could as well stay does: natural logarithm of how much likelier that is."""

TELLING, HINTING = 0.4, 0.2
"""What comes with a clean row makes its level so much likelier, in nats: half as likely again.
Where less is told, but a fifth, weather passes for a change of names; ..."""

N_BLOCKS, BY_CHANCE = 8, 0.005
"""... it does not go on: names that one half of the rows pairs must gain in the other one, in so
many blocks of time, more than chance gives them so often."""

UNKNOWN = -0.5
"""What is left of that for a level too rare to know what comes with it."""

MOSTLY = 0.5
"""So much of what tells a clean row's level must tell a mended one's."""


@dataclass(frozen=True)
class _Told:
    """How much likelier each row makes each level than it is, and the level it came with.

    Parameters
    ----------
    gains : ndarray, shape (n_rows, n_levels)
        In nats.
    codes : ndarray, shape (n_rows,)
        -1 where it is none of them.
    """

    gains: FloatArray
    codes: IntArray

    def since(self, first: int) -> "_Told":
        return _Told(self.gains[first:], self.codes[first:])

    def best(self) -> tuple[IntArray, float]:
        """Pair levels so that rows are likeliest; return each one's, and the gain in nats."""
        n_levels = self.gains.shape[1]
        sums = np.zeros((n_levels, n_levels))
        np.add.at(sums, self.codes[self.codes >= 0], self.gains[self.codes >= 0])
        stay = np.trace(sums)
        pairs = linear_sum_assignment(sums + STAYS * np.eye(n_levels), maximize=True)[1]
        return pairs, float(sums[np.arange(n_levels), pairs].sum() - stay)

    def of(self, pairs: IntArray) -> FloatArray:
        """Return each row's gain were its level another one's."""
        found = self.gains[np.arange(self.codes.size), pairs[self.codes]]
        return np.where(self.codes >= 0, found, 0.0)

    def mean(self, pairs: IntArray) -> float:
        """Return the mean of that over the rows that have one of the levels."""
        return float(self.of(pairs).sum() / max(np.count_nonzero(self.codes >= 0), 1))

    def goes_on(self) -> bool:
        """Say whether the names that one half of the rows pairs gain in the other, surely.

        A t-test of blocks of time: rows that follow each other are no two witnesses.
        """
        half, stays = self.codes.size // 2, np.arange(self.gains.shape[1])
        one = _Told(self.gains[:half], self.codes[:half])
        other = self.since(half)
        gains = [
            mine.of(theirs.best()[0]) - mine.of(stays)
            for mine, theirs in ((one, other), (other, one))
        ]
        blocks = np.array(
            [block.sum() for block in np.array_split(np.concatenate(gains), N_BLOCKS)]
        )
        least = stats.t.isf(BY_CHANCE, N_BLOCKS - 1) * blocks.std(ddof=1) / np.sqrt(N_BLOCKS)
        return bool(blocks.sum() >= MIN_EVIDENCE and blocks.mean() > least)


def permuting(company: Company, name: str, column: pa.ChunkedArray) -> Renamed | None:
    """Say whether levels have changed places, from a row on.

    To their shares that is drift. But what comes with a level stays with it under another's name:
    the likelihood of each level given all that comes with the row, by that of the level alone,
    pairs the names (the Hungarian method).

    Parameters
    ----------
    company : Company
        What comes together.
    name : str
        A category of it.
    column : pyarrow.ChunkedArray
        The window's levels, in the order of time.

    References
    ----------
    Kuhn (1955), "The Hungarian method for the assignment problem".
    """
    levels, shares = company.levels[name], company.shares[name]
    if len(levels) < 2:  # noqa: PLR2004 - one alone has no other place
        return None
    before, current = company.expected(name)
    clean = _Told(_gains(before, shares), company.codes[name])
    codes = np.asarray(pc.fill_null(pc.index_in(texts(column), pa.array(levels, pa.string())), -1))
    now = _Told(_gains(current, shares), codes)
    starts = np.linspace(0, codes.size - MIN_ROWS, N_STARTS).astype(int)
    stays = np.arange(len(levels))
    tells = clean.mean(stays)
    if tells < HINTING or min(now.since(int(at)).mean(stays) for at in starts) > 0:
        return None
    pairs, _ = max((now.since(int(at)).best() for at in starts), key=lambda one: one[1])
    first, _ = switch(now.of(pairs) - now.of(stays))
    after = now.since(first)
    pairs, gain = after.best()
    usual = _stretches(clean, after.codes.size)
    is_far = gain >= max(MIN_EVIDENCE, FAR * max(one.best()[1] for one in usual))
    is_restored = after.mean(pairs) >= MOSTLY * tells > 0 >= after.mean(stays)
    if not is_far or not is_restored or not (tells >= TELLING or after.goes_on()):
        return None
    moved = [at for at in np.unique(after.codes[after.codes >= 0]) if pairs[at] != at]
    told = sorted((levels[at], levels[pairs[at]]) for at in moved)
    return Renamed("renamed", named(told), first)


def _gains(expected: FloatArray, shares: FloatArray) -> FloatArray:
    chances = np.clip(shares + expected * np.sqrt(shares * (1 - shares)), RARE, 1.0)
    found = np.log(chances / chances.sum(axis=1, keepdims=True)) - np.log(np.maximum(shares, RARE))
    return np.where(shares < MIN_SHARE, UNKNOWN, found)


def _stretches(clean: _Told, n_after: int) -> list[_Told]:
    length = max(MIN_ROWS, min(n_after, clean.codes.size // 4))
    ends = range(clean.codes.size, length - 1, -length)
    return [
        _Told(clean.gains[end - length : end], clean.codes[end - length : end])
        for end in list(ends)[:MAX_BLOCKS]
    ]
