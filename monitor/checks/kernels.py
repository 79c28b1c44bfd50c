"""Kernels: Evidently's scores, from values in order or counts of levels.

Each gives the number of Evidently 0.7.23's function of the same name
(``evidently.legacy.calculations.stattests``) without its copies, sorts and scans.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from scipy import stats
from scipy.spatial import distance

from monitor.columns import FloatArray, IntArray
from monitor.values import let_go

MIN_STD = 0.001
SMALL_SHARE = 0.0001
PERMUTATIONS = 1000

EXACT_KS = 10_000
"""Up to this many values on either side SciPy counts the paths; beyond it takes the limit."""

KEPT_MAPPED = 1 << 20
"""Values of a memory-mapped reference that stay in memory behind the step at hand."""

STEPS = 1 << 14
"""Values compared at a time: what is made of them stays in the processor's cache."""


def wasserstein(*, reference: FloatArray, current: FloatArray, std: float) -> float:
    """Measure the first Wasserstein distance in units of the reference's standard deviation.

    It is the area between the two quantile functions. These are steps whose ends depend on the
    numbers of values alone, so that no value has to find its place in the other column.

    Parameters
    ----------
    reference : ndarray, shape (n_reference,), sorted ascending
    current : ndarray, shape (n_current,), sorted ascending
    std : float
        Standard deviation of `reference`, ddof 0; values under .001 count as .001.

    References
    ----------
    Ramdas, Garcia and Cuturi, "On Wasserstein two-sample testing and related families of
    nonparametric tests", Entropy 19(2), 2017, https://arxiv.org/abs/1509.02237, equation 6.

    Examples
    --------
    >>> wasserstein(reference=np.array([0.0, 2.0]), current=np.array([3.0, 5.0]), std=1.0)
    3.0
    """
    fewer, more = sorted((reference, current), key=len)
    area = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for at in _starts(more):
            area += _area(more[at : at + STEPS], fewer, at, more.size)
            if at % KEPT_MAPPED == 0:
                let_go(reference)
        return area / max(std, MIN_STD)


def _starts(values: FloatArray) -> range:
    return range(0, values.size, STEPS)


def _area(more: FloatArray, fewer: FloatArray, start: int, n_more: int) -> float:
    """Return the area beside some steps of the longer column, which begin at `start`."""
    if fewer.size == n_more:
        # Divided before they are added: the largest floats have no sum.
        return float((np.abs(more - fewer[start : start + more.size]) / n_more).sum())
    # A step of the longer column is n_fewer wide and one of the shorter n_more, in units that
    # both share; so it lies beside one step of the shorter, or beside two.
    left = np.arange(start, start + more.size) * fewer.size
    first = left // n_more
    beyond = np.maximum(left + fewer.size - (first + 1) * n_more, 0)
    second = np.minimum(first + 1, fewer.size - 1)
    # Not np.dot: BLAS starts threads, which wait for each other on shared cores.
    width = float(fewer.size) * n_more
    area = (fewer.size - beyond) / width * np.abs(more - fewer[first])
    area += beyond / width * np.abs(more - fewer[second])
    return float(area.sum())


def ks(*, reference: FloatArray, current: FloatArray) -> float:
    """Give the p-value of the two-sample Kolmogorov-Smirnov test, exact up to 10 000 values.

    Parameters
    ----------
    reference : ndarray, shape (n_reference,), sorted ascending
    current : ndarray, shape (n_current,), sorted ascending

    Examples
    --------
    >>> round(ks(reference=np.arange(5.0), current=np.arange(5.0) + 9), 6)
    0.007937
    """
    if max(reference.size, current.size) <= EXACT_KS:
        return float(stats.ks_2samp(reference, current).pvalue)
    # The asymptotic branch of scipy.stats.ks_2samp, without sorting again.
    fewer, more = sorted((reference, current), key=len)
    gap = max(_gap(fewer[at : at + STEPS], fewer, more) for at in _starts(fewer))
    n_more, n_fewer = float(more.size), float(fewer.size)
    return float(stats.kstwo.sf(gap, np.round(n_more * n_fewer / (n_more + n_fewer))))


def _gap(values: FloatArray, fewer: FloatArray, more: FloatArray) -> float:
    """Return how far the distribution functions part at some values of the shorter column.

    Between two of these values only the other function rises: it is furthest above just before
    the next one, and furthest below at the last one.
    """
    at, before = (
        np.searchsorted(fewer, values, side) / fewer.size
        - np.searchsorted(more, values, side) / more.size
        for side in ("right", "left")
    )
    return float(max(at.max(), -before.min(), 0.0))


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


def kl_div(*, reference: IntArray, current: IntArray) -> float:
    """Measure the Kullback-Leibler divergence; a share of 0 counts as a very small one.

    Parameters
    ----------
    reference : ndarray, shape (n_levels,)
        Rows of each level or bin.
    current : ndarray, shape (n_levels,)
        The same levels on the other side.

    Examples
    --------
    >>> round(kl_div(reference=np.array([50, 50]), current=np.array([75, 25])), 6)
    0.143841
    """
    return float(stats.entropy(_shares_above_zero(reference), _shares_above_zero(current)))


def hellinger(*, reference: IntArray, current: IntArray) -> float:
    """Measure the Hellinger distance, 0 to 1.

    Parameters
    ----------
    reference : ndarray, shape (n_levels,)
        Rows of each level or bin.
    current : ndarray, shape (n_levels,)
        The same levels on the other side.

    Examples
    --------
    >>> round(hellinger(reference=np.array([1, 1]), current=np.array([2, 0])), 6)
    0.541196
    """
    overlap = np.sum(np.sqrt((reference / reference.sum()) * (current / current.sum())))
    return float(np.sqrt(1 - np.clip(overlap, 0, 1)))


def tvd(*, reference: IntArray, current: IntArray) -> float:
    """Give the p-value of the total variation distance among 1 000 permutations of the rows.

    The permutations are Evidently's for rows in the order of their levels: prepared columns have
    no other order.

    Parameters
    ----------
    reference : ndarray, shape (n_levels,)
        Rows of each level.
    current : ndarray, shape (n_levels,)
        The same levels on the other side.

    Examples
    --------
    >>> tvd(reference=np.array([5, 5]), current=np.array([10, 0]))
    0.04
    """
    n_levels, n_reference, both = reference.size, reference.sum(), reference + current
    observed = _variation(reference, current)
    levels = np.concatenate([np.repeat(np.arange(n_levels), side) for side in (reference, current)])
    random = np.random.RandomState(0)
    n_further = 0
    for _ in range(PERMUTATIONS):
        drawn = levels[random.permutation(levels.size)[:n_reference]]
        made = np.bincount(drawn, minlength=n_levels)
        n_further += observed <= _variation(made, both - made)
    return float(n_further / PERMUTATIONS)


def _variation(reference: IntArray, current: IntArray) -> float:
    gaps = np.abs(reference / reference.sum() - current / current.sum())
    return float(0.5 * np.sum(gaps))


class CountKernel(Protocol):
    """A method that needs only how many rows each level or bin has."""

    def __call__(self, *, reference: IntArray, current: IntArray) -> float:
        """Compare rows of each level, the same levels in the same order on both sides."""
        ...


COUNT_KERNELS: Mapping[str, CountKernel] = {
    "jensenshannon": jensenshannon,
    "psi": psi,
    "kl_div": kl_div,
    "hellinger": hellinger,
    "chisquare": chisquare,
    "z": z,
    "TVD": tvd,
}
