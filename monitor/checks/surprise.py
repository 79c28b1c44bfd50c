"""Surprise: how unexpected windows are, given how much the reference's windows wobble."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from monitor.calibration import ColumnCalibration
from monitor.columns import FloatArray
from monitor.contrast import Contrasted


@dataclass(frozen=True)
class Surprise:
    """How surprising some windows of a column are.

    Parameters
    ----------
    t : ndarray, shape (n_windows, n_contrasts)
        Signed distance from what is expected, in standard errors.
    p : ndarray, shape (n_windows, n_contrasts)
        Two-sided p-values; NaN where there is no value.
    """

    t: FloatArray
    p: FloatArray


def surprise(fitted: ColumnCalibration, one: Contrasted, terms: FloatArray) -> Surprise:
    """Say how surprising windows are, given how much the reference's windows wobble.

    The prediction interval of a linear model: a window differs from the expected by its own
    wobble, by the sampling of its own rows, and because the expected is itself uncertain.

    Parameters
    ----------
    fitted : ColumnCalibration
        From the reference.
    one : Contrasted, n_windows windows
        The windows' contrasts.
    terms : ndarray, shape (n_windows, n_terms)
        Their terms, see `monitor.season.design`.

    Examples
    --------
    >>> fitted = ColumnCalibration(
    ...     coefficients=np.array([[0.0]]), variance=np.array([0.04]), sampling=np.array([0.01]),
    ...     per_row=np.array([1.0]), df=np.array([25.0]), leverage=np.array([[1 / 26]]),
    ... )
    >>> window = Contrasted(np.array([[0.5]]), np.array([[100.0]]), np.array([[0.1]]))
    >>> found = surprise(fitted, window, np.ones((1, 1)))
    >>> round(float(found.t[0, 0]), 2), round(float(found.p[0, 0]), 3)
    (2.45, 0.021)
    """
    hat = np.einsum("ij,jk,ik->i", terms, fitted.leverage, terms)[:, None]
    wobble = fitted.variance - fitted.sampling
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = wobble + fitted.per_row / one.n + fitted.variance * hat
        t = (one.values - terms @ fitted.coefficients.T) / np.sqrt(variance)
    return Surprise(t, 2 * stats.t.sf(np.abs(t), fitted.df))


def column_p(p: FloatArray) -> FloatArray:
    """Combine the p-values of a column's contrasts, shape (n_windows, n_contrasts), by Bonferroni.

    Examples
    --------
    >>> column_p(np.array([[0.01, 0.5, 0.9], [0.9, np.nan, np.nan]])).tolist()
    [0.03, 0.9]
    """
    n = np.isfinite(p).sum(axis=1)
    least = np.min(np.where(np.isfinite(p), p, np.inf), axis=1, initial=np.inf)
    return np.where(n > 0, np.minimum(1.0, n * least), np.nan)


def material(found: Surprise, one: Contrasted, materiality: float) -> FloatArray:
    """Return the p-values, 1 where the contrast is told from the reference's by less than matters.

    Each contrast by its own effect: a spread that has moved a hair, seen in 50 000 rows, must not
    borrow the size of a location that moved within its wobble.
    """
    return np.where(np.isfinite(found.p) & (one.effects < materiality), 1.0, found.p)


def adjusted(p: FloatArray) -> FloatArray:
    """Adjust the p-values of a window's columns, shape (n_columns,), by Benjamini and Hochberg.

    A level of the false discovery rate rejects the columns whose adjusted p-value is at most it.

    References
    ----------
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, np.nan, 0.02])).tolist()
    [0.03, 0.04, nan, 0.03]
    """
    found = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known])]
    scaled = p[order] * known.size / np.arange(1, known.size + 1)
    found[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return found
