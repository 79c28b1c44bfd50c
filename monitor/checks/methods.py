"""Methods: how two columns are compared, as in Evidently 0.7.23, on prepared columns.

Names, default thresholds and the choice of a default are Evidently's
(``evidently.legacy.calculations.stattests``), so that a score means here what it means there;
what is added is the direction, which Evidently keeps inside each function.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import stats
from scipy.spatial import distance

from monitor.checks.score import BreachWhen
from monitor.columns import FloatArray, IntArray
from monitor.schema import Kind


@dataclass(frozen=True)
class Method:
    """One way to compare a column.

    Parameters
    ----------
    threshold : float
        Evidently's default threshold.
    breach_when : BreachWhen
        Below for p-values, above for distances.
    kinds : frozenset of Kind
        The columns a person may ask it for.
    """

    threshold: float
    breach_when: BreachWhen
    kinds: frozenset[Kind]


_NUMERIC = frozenset({Kind.NUMERIC})
_CATEGORICAL = frozenset({Kind.CATEGORICAL})

METHODS: Mapping[str, Method] = {
    "ks": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "t_test": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "mannw": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "es": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "anderson": Method(0.1, BreachWhen.BELOW, _NUMERIC),
    "cramer_von_mises": Method(0.1, BreachWhen.BELOW, _NUMERIC),
    "empirical_mmd": Method(0.1, BreachWhen.BELOW, _NUMERIC),
    "z": Method(0.05, BreachWhen.BELOW, _CATEGORICAL),
    "chisquare": Method(0.05, BreachWhen.BELOW, _CATEGORICAL),
    "fisher_exact": Method(0.1, BreachWhen.BELOW, _CATEGORICAL),
    "g_test": Method(0.1, BreachWhen.BELOW, _CATEGORICAL),
    # a distance by its name, but Evidently gives the p-value of its permutation test
    "TVD": Method(0.1, BreachWhen.BELOW, _CATEGORICAL),
    "wasserstein": Method(0.1, BreachWhen.ABOVE, _NUMERIC),
    "ed": Method(0.1, BreachWhen.ABOVE, _NUMERIC),
    "jensenshannon": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
    "psi": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
    "kl_div": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
    "hellinger": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
}
"""Evidently's methods for numbers and categories, and which side of the threshold is bad."""

SMALL_REFERENCE = 1000
"""Up to this many reference values Evidently tests a hypothesis, beyond it takes a distance."""

FEW_LEVELS = 5
"""A numeric column with at most this many distinct values is compared level by level."""

TWO_LEVELS = 2
MIN_STD = 0.001
SMALL_SHARE = 0.0001


def default_method(*, kind: Kind, n_reference: int, n_unique: int) -> str:
    """Choose the method that Evidently takes when none is asked for.

    Parameters
    ----------
    kind : Kind
        How the column is compared.
    n_reference : int
        Reference values, the missing ones left out.
    n_unique : int
        Distinct values over reference and current together.

    Examples
    --------
    >>> default_method(kind=Kind.NUMERIC, n_reference=1000, n_unique=6)
    'ks'
    >>> default_method(kind=Kind.NUMERIC, n_reference=1001, n_unique=6)
    'wasserstein'
    >>> default_method(kind=Kind.CATEGORICAL, n_reference=1000, n_unique=2)
    'z'
    """
    many_numbers = kind is Kind.NUMERIC and n_unique > FEW_LEVELS
    if n_reference > SMALL_REFERENCE:
        return "wasserstein" if many_numbers else "jensenshannon"
    if many_numbers:
        return "ks"
    return "chisquare" if n_unique > TWO_LEVELS else "z"


def wasserstein(*, reference: FloatArray, current: FloatArray, std: float) -> float:
    """Measure the first Wasserstein distance in units of the reference's standard deviation.

    Parameters
    ----------
    reference : ndarray, shape (n_reference,), sorted ascending
    current : ndarray, shape (n_current,), sorted ascending
    std : float
        Standard deviation of `reference`, ddof 0; values under .001 count as .001.

    Examples
    --------
    >>> wasserstein(reference=np.array([0.0, 2.0]), current=np.array([3.0, 5.0]), std=1.0)
    3.0
    """
    both = np.concatenate([reference, current])
    order = np.argsort(both, kind="stable")  # merges two sorted runs, it does not sort anew
    n_below = np.arange(1, both.size)
    from_reference = np.cumsum(order < reference.size)[:-1]
    gaps = from_reference / reference.size - (n_below - from_reference) / current.size
    return float(np.sum(np.abs(gaps) * np.diff(both[order])) / max(std, MIN_STD))


def ks(*, reference: FloatArray, current: FloatArray) -> float:
    """Give the p-value of the two-sample Kolmogorov-Smirnov test, exact up to 10 000 values.

    Parameters
    ----------
    reference : ndarray, shape (n_reference,)
    current : ndarray, shape (n_current,)

    Examples
    --------
    >>> round(ks(reference=np.arange(5.0), current=np.arange(5.0) + 9), 6)
    0.007937
    """
    with warnings.catch_warnings():
        # said where the exact count overflows; the asymptotic value it falls back to is Evidently's
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation", RuntimeWarning)
        return float(stats.ks_2samp(reference, current).pvalue)


def jensenshannon(*, reference: IntArray, current: IntArray) -> float:
    """Measure the Jensen-Shannon distance, natural logarithm, 0 to √(ln 2).

    Parameters
    ----------
    reference : ndarray, shape (n_levels,)
        Rows of each level or bin.
    current : ndarray, shape (n_levels,)
        The same levels on the other side.

    Examples
    --------
    >>> round(jensenshannon(reference=np.array([5, 5]), current=np.array([10, 0])), 6)
    0.464501
    """
    return float(distance.jensenshannon(reference / reference.sum(), current / current.sum()))


def psi(*, reference: IntArray, current: IntArray) -> float:
    """Measure the population stability index; a share of 0 counts as a very small one.

    Parameters
    ----------
    reference : ndarray, shape (n_levels,)
        Rows of each level or bin.
    current : ndarray, shape (n_levels,)
        The same levels on the other side.

    Examples
    --------
    >>> round(psi(reference=np.array([50, 50]), current=np.array([75, 25])), 6)
    0.274653
    """
    expected, observed = _shares_above_zero(reference), _shares_above_zero(current)
    return float(np.sum((expected - observed) * np.log(expected / observed)))


def _shares_above_zero(counts: IntArray) -> FloatArray:
    shares: FloatArray = counts / counts.sum()
    smallest = shares[shares > 0].min()
    # Evidently's rule: .0001, unless a real share is no larger than that
    shares[shares == 0] = smallest / 10**6 if smallest <= SMALL_SHARE else SMALL_SHARE
    return shares


def chisquare(*, reference: IntArray, current: IntArray) -> float:
    """Give the p-value of Pearson's test with the reference's shares as expectation.

    Parameters
    ----------
    reference : ndarray, shape (n_levels,)
        Rows of each level; a level only the current rows have makes the p-value 0.
    current : ndarray, shape (n_levels,)
        The same levels on the other side.

    Examples
    --------
    >>> round(chisquare(reference=np.array([10, 10, 20]), current=np.array([3, 4, 13])), 6)
    0.386741
    """
    expected = reference * (current.sum() / reference.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(stats.chisquare(current, expected).pvalue)


def z(*, reference: IntArray, current: IntArray) -> float:
    """Give the two-sided p-value for the share of the first level, pooled variance.

    Parameters
    ----------
    reference : ndarray, shape (n_levels,)
        Rows of each level, levels in ascending order; those after the first are taken together.
    current : ndarray, shape (n_levels,)
        The same levels on the other side.

    Examples
    --------
    >>> round(z(reference=np.array([50, 50]), current=np.array([60, 40])), 6)
    0.155218
    """
    if reference.size == 1:
        return 1.0
    n_reference, n_current = reference.sum(), current.sum()
    before, after = reference[1:].sum() / n_reference, current[1:].sum() / n_current
    pooled = (before * n_reference + after * n_current) / (n_reference + n_current)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n_reference + 1 / n_current))
    return float(2 * (1 - stats.norm.cdf(abs((before - after) / error))))


class CountKernel(Protocol):
    """A method that needs only how many rows each level or bin has."""

    def __call__(self, *, reference: IntArray, current: IntArray) -> float:
        """Compare rows of each level, the same levels in the same order on both sides."""
        ...


COUNT_KERNELS: Mapping[str, CountKernel] = {
    "jensenshannon": jensenshannon,
    "psi": psi,
    "chisquare": chisquare,
    "z": z,
}
