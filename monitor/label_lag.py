"""Label lag: how late labels come, learned from rows of which many still wait for theirs."""

from dataclasses import dataclass

import numpy as np

from monitor.columns import FloatArray


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

    def maturity(self, age_seconds: float) -> float:
        """Return the share, of the labels that ever come, that have come by an age.

        Examples
        --------
        >>> LabelLag(np.array([60.0, 120.0]), np.array([0.4, 0.8])).maturity(90.0)
        0.5
        """
        at = int(np.searchsorted(self.ages, age_seconds, side="right"))
        return float(self.came_ratio[at - 1] / self.ever_ratio) if at and self.ever_ratio else 0.0

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


def label_lag(age_seconds: FloatArray, came: np.ndarray) -> LabelLag:
    """Learn the lag from labelled rows and from those that still wait.

    Rows that wait say that their label takes longer than their age, and no more. To leave them
    out would make labels look prompt, because the young ones among the labelled are the quick.

    Parameters
    ----------
    age_seconds : ndarray, shape (n_rows,)
        For a labelled row the age at which its label came, for one that waits its age now.
    came : ndarray of bool, shape (n_rows,)
        Whether the label has come.

    References
    ----------
    Kaplan and Meier (1958), "Nonparametric estimation from incomplete observations", Journal of
    the American Statistical Association 53, 457-481.

    Examples
    --------
    >>> found = label_lag(np.array([1.0, 2.0, 2.0, 3.0]), np.array([True, True, False, False]))
    >>> found.ages.tolist(), found.came_ratio.tolist()
    ([1.0, 2.0], [0.25, 0.5])
    """
    ages, at = np.unique(age_seconds[came], return_inverse=True)
    n_came = np.bincount(at, minlength=ages.size)
    n_waited = age_seconds.size - np.searchsorted(np.sort(age_seconds), ages, side="left")
    waiting = np.cumprod(1.0 - n_came / np.maximum(n_waited, 1))
    return LabelLag(ages, np.asarray(1.0 - waiting, dtype=np.float64))
