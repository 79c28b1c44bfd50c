"""Side: a column's clean values and those of the window, and what a cut between them says."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from monitor.checks.company import Scale
from monitor.checks.likelihood import Density, density
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
from monitor.columns import FloatArray
from monitor.grid import OUTER_QUANTILES

STEP = 1.5
"""A break begins at a row: what lies just behind it is so many times further from what lies just
before than neighbouring clean stretches ever are. What drifts gets there by and by."""

STEP_ROWS = 48

MOSTLY = 0.5
"""Share of the values behind a break that lie where hardly any did before."""

USUALLY = (0.01, 0.99)
"""Between these quantiles lies how far clean rows are off: now and then a reading is wrong."""

FLOOR = 0.25
"""Values pile up at the least where a twentieth of them lies within this part of the way from it to
the middle one: evenly spread ones have a tenth of it there, normal ones half."""


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

    def log(self, values: FloatArray) -> FloatArray:
        """Return the logarithm of the density at values in place of the window's."""
        return self.density.log(values)

    def of(self, which: BoolArray) -> "Side":
        """Return it with some of the window's values."""
        return replace(self, current=self.current[which])

    @property
    def clean(self) -> FloatArray:
        """What is compared, of clean rows."""
        return self.before

    def measure(self, values: FloatArray) -> FloatArray:
        """Return what is compared, of values in place of the window's."""
        return values

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

    def may_be_new(self, sign: str) -> bool:
        """Whether most values lie there from some row on: otherwise no search is needed."""
        n_rows = np.arange(1, self.current.size + 1)
        shares = np.cumsum(self._new(sign)[::-1]) / n_rows
        return bool(np.any(shares[MIN_ROWS - 1 :] >= MOSTLY))

    def cut(self, first: int) -> "Cut | None":
        """Cut the window at a row; None where there is too little to tell."""
        came = self.measure(self.current)
        clean, after = np.concatenate([self.clean, came[:first]]), came[first:]
        null = null_distance(clean, after.size, distance)
        return None if null is None else Cut(clean, after, null, self.stretch)

    def has_moved(self, first: int) -> bool:
        """Whether it moves abruptly at a row, further than clean stretches lie from each other."""
        if not self.is_told or self.current.size - first < MIN_ROWS:
            return False
        one = self.cut(first)
        return one is not None and one.step >= STEP and one.apart >= FAR * one.null


@dataclass(frozen=True)
class Accompanied(Side):
    """A numeric feature beside what is expected of it, given all that comes with it.

    What is compared is how far it is off, in `Scale`. Where columns go together, that says of the
    smallest change what their own distribution never would.

    Parameters
    ----------
    scale : Scale
        Of the column.
    expected_before, expected_current : ndarray
        For each value.
    """

    scale: Scale = field(kw_only=True)
    expected_before: FloatArray = field(kw_only=True)
    expected_current: FloatArray = field(kw_only=True)

    @cached_property
    def clean(self) -> FloatArray:
        """How far clean rows are off."""
        return self.scale.score(self.before) - self.expected_before

    def measure(self, values: FloatArray) -> FloatArray:
        """Return how far values in place of the window's are off."""
        return self.scale.score(values) - self.expected_current

    def of(self, which: BoolArray) -> "Accompanied":
        """Return it with some of the window's values."""
        expected = self.expected_current[which]
        return replace(self, current=self.current[which], expected_current=expected)

    @cached_property
    def _off(self) -> Density:
        return density(self.clean)

    def log(self, values: FloatArray) -> FloatArray:
        """Return the logarithm of the density at values, given all that comes with them.

        As a copula has it: the density of the column by itself, times that of how far the value is
        off, by that of its score.
        """
        by_itself = self.density.log(values) + self.scale.score(values) ** 2 / 2
        return by_itself + self._off.log(self.measure(values))

    def gain(self, values: FloatArray, first: int) -> float:
        """Return how much likelier values are than the window's, from a row on, by their company.

        As a logarithm; how a column is spread by itself does not count.
        """
        likelier = self._off.log(self.measure(values)) - self._off.log(self.measure(self.current))
        return float(likelier[first:].sum())

    def _new(self, sign: str) -> BoolArray:
        del sign  # nothing in the company of a column has its seasons
        low, high = np.quantile(self.clean, USUALLY)
        off = self.measure(self.current)
        return np.asarray((off < low) | (off > high), dtype=np.bool_)


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
