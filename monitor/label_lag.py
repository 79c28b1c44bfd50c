"""Label lag: how late labels come, learned from rows of which many still wait for theirs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.columns import FloatArray

FIRST_STEP_SECONDS = 60.0
"""Labels that come sooner come with their rows; nobody waits for them."""

STEPS_AN_OCTAVE = 16
"""Ages are told apart by a twentieth: a lag of a week is known to eight hours, and the labels of a
window are described by some tens of numbers."""

Steps = tuple[tuple[float, int], ...]
"""How many labels came, by the age in seconds from which on they did; ascending."""


@dataclass(frozen=True)
class LabelLag:
    """The share of labels that have come by an age.

    Parameters
    ----------
    ages : ndarray, shape (n_steps,), ascending
        Ages of a row, in seconds, at which labels came.
    came_ratio : ndarray, shape (n_steps,)
        Share of all rows whose label has come by then, in 0-1.
    """

    ages: FloatArray
    came_ratio: FloatArray

    @property
    def ever_ratio(self) -> float:
        """Share of rows whose label ever comes, as far as anyone has waited."""
        return float(self.came_ratio[-1]) if self.came_ratio.size else 0.0

    def mature_after(self, share: float) -> float:
        """Return the age in seconds from which so many of the labels have come; inf before any.

        Examples
        --------
        >>> LabelLag(np.array([60.0, 120.0]), np.array([0.4, 0.8])).mature_after(0.95)
        120.0
        """
        if not self.ever_ratio:
            return np.inf
        # A hair of rounding must not wait for a label that will never come.
        reached = self.came_ratio >= share * self.ever_ratio * (1 - 1e-12)
        return float(self.ages[int(np.argmax(reached))])


def steps_of(age_seconds: FloatArray) -> Steps:
    """Count labels by their age when they came, over steps that grow with it.

    Parameters
    ----------
    age_seconds : ndarray, shape (n_labels,)
        Ages, each rounded down to the start of its step: a lag that is the same for all labels, as
        that of a nightly load, must not be missed by a hair. One below a minute counts as 0.

    Examples
    --------
    >>> steps_of(np.array([-5.0, 0.0, 30.0, 86400.0]))
    ((0.0, 3), (83206.0, 1))
    """
    found, n = np.unique(_step_starts(age_seconds), return_counts=True)
    return tuple(zip(found.tolist(), n.tolist(), strict=True))


def _step_starts(age_seconds: FloatArray) -> FloatArray:
    scaled = np.log2(np.maximum(age_seconds, FIRST_STEP_SECONDS) / FIRST_STEP_SECONDS)
    step = np.floor(scaled * STEPS_AN_OCTAVE + 1e-9)
    starts = FIRST_STEP_SECONDS * 2.0 ** (step / STEPS_AN_OCTAVE)
    # The first whole second of the step: what was rounded stays in it.
    return np.asarray(np.where(age_seconds < FIRST_STEP_SECONDS, 0.0, np.ceil(starts - 1e-6)))


@dataclass(frozen=True)
class Cohort:
    """Rows that were made together, and their labels so far.

    Parameters
    ----------
    n_rows : int
        The rows.
    age_seconds : float
        Their age now: so long those without a label have waited.
    came : Steps
        When the labels of the others came.
    """

    n_rows: int
    age_seconds: float
    came: Steps


def label_lag(cohorts: Sequence[Cohort]) -> LabelLag:
    """Learn the lag from rows with a label and from those that still wait.

    Rows that wait say that their label takes longer than their age, and no more. To leave them
    out would make labels look prompt, because the young ones among the labelled are the quick.

    Parameters
    ----------
    cohorts : sequence of Cohort
        The rows.

    References
    ----------
    Kaplan and Meier (1958), "Nonparametric estimation from incomplete observations", Journal of
    the American Statistical Association 53, 457-481.

    Examples
    --------
    >>> found = label_lag([Cohort(3, 120.0, ((60.0, 1), (120.0, 1))), Cohort(1, 240.0, ())])
    >>> found.ages.tolist(), found.came_ratio.tolist()
    ([60.0, 120.0], [0.25, 0.5])
    """
    came = np.array([pair for one in cohorts for pair in one.came], np.float64).reshape(-1, 2)
    waits = np.array([(one.age_seconds, _n_waiting(one)) for one in cohorts]).reshape(-1, 2)
    # To the start of their step, as labels are: rows that wait were there when these came.
    came[:, 0], waits[:, 0] = _step_starts(came[:, 0]), _step_starts(waits[:, 0])
    ages = np.unique(came[:, 0])
    n_came = _at_least(came, ages) - np.append(_at_least(came, ages)[1:], 0.0)
    n_there = _at_least(came, ages) + _at_least(waits, ages)
    waiting = np.cumprod(1.0 - n_came / np.maximum(n_there, 1.0))
    return LabelLag(ages, np.asarray(1.0 - waiting, dtype=np.float64))


def _n_waiting(cohort: Cohort) -> int:
    return max(0, cohort.n_rows - sum(n for _, n in cohort.came))


def _at_least(counted: FloatArray, ages: FloatArray) -> FloatArray:
    """Count what has reached each age, of pairs of an age and a number."""
    ordered = counted[np.argsort(counted[:, 0])]
    # What comes from a place on, to the end.
    rest = np.append(np.cumsum(ordered[::-1, 1])[::-1], 0.0)
    return np.asarray(rest[np.searchsorted(ordered[:, 0], ages, side="left")], np.float64)
