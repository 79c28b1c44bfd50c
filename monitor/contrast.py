"""Contrast: the few numbers that say how a column's counts differ from the reference's.

A window with tens of thousands of rows has a p-value against the reference that is always small;
what tells it from other windows are a few summaries of its counts, each with a known sampling
variance, whose scatter over the reference's windows can be seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from monitor.columns import FloatArray, IntArray
from monitor.grid import Grid, NumericGrid, counts_of, grid_of
from monitor.profile import ColumnProfile
from monitor.values import Values

MOMENTS = ("location", "spread", "skew")
"""What the three polynomials of the rank answer to."""

MIN_COUNT = 5
"""Mean count in a reference window from which a level is looked at by itself."""

NULL, UNSEEN = "missing", "unseen"

SHARE_VARIANCE = 0.25
"""Sampling variance of arcsin(sqrt(share)) times the number of rows, whatever the share."""


@dataclass(frozen=True)
class Contrasts:
    """How a column's counts become numbers, frozen with the reference.

    Parameters
    ----------
    names : tuple of str
        What each contrast answers to: a moment of the rank, ``missing``, ``unseen``, or a level.
    basis : ndarray, shape (n_bins, n_moments)
        Polynomials of the reference rank by bin, orthonormal over the reference; none for levels.
    levels : tuple of int
        Bins of the levels that are looked at.
    shares : ndarray, shape (n_bins,)
        Shares of the reference's values.
    null_ratio : float
        Share of the reference's rows without a value.
    """

    names: tuple[str, ...]
    basis: FloatArray
    levels: tuple[int, ...]
    shares: FloatArray
    null_ratio: float = 0.0

    @property
    def per_row(self) -> FloatArray:
        """Sampling variance of one row, shape (n_contrasts,)."""
        n_moments = self.basis.shape[1]
        rest = np.full(len(self.names) - n_moments, SHARE_VARIANCE)
        return np.concatenate([np.ones(n_moments), rest])


def contrasts_of(values: Values, n_windows: int, *, feature: bool) -> Contrasts:
    """Freeze the contrasts of one prepared reference column; see `contrasts`."""
    grid = grid_of(values)
    made = contrasts(grid, counts_of(values, grid), n_windows, feature=feature)
    return replace(made, null_ratio=values.n_null / max(values.n_rows, 1))


def contrasts(grid: Grid, counts: IntArray, n_windows: int, *, feature: bool = True) -> Contrasts:
    """Freeze the contrasts of one reference column.

    Parameters
    ----------
    grid : Grid
        Its bins.
    counts : ndarray, shape (n_bins,)
        The reference's values.
    n_windows : int
        Windows of the reference.
    feature : bool
        Whether missing and unseen values are looked at, too: a prediction may be missing for
        reasons of its own.

    References
    ----------
    Polynomials of the rank as scores of location, scale and shape: Neyman (1937), "Smooth" test
    for goodness of fit; for values with ties: Mukhopadhyay and Parzen (2014), arXiv:1405.2601.
    arcsin(sqrt(share)) has nearly the same variance whatever the share: Anscombe (1948).

    Examples
    --------
    >>> grid = NumericGrid(np.array([1.0, 2.0, 3.0]), 0.0, 4.0, 2.0, 1.0)
    >>> made = contrasts(grid, np.array([0, 50, 50, 100]), n_windows=8)
    >>> made.names
    ('location', 'spread', 'missing')
    >>> bool(np.allclose(made.basis.T @ np.diag(made.shares) @ made.basis, np.eye(2)))
    True
    """
    shares = counts / max(counts.sum(), 1)
    if isinstance(grid, NumericGrid):
        basis = _polynomials(shares)
        names = (*MOMENTS[: basis.shape[1]], *((NULL,) if feature else ()))
        return Contrasts(names, basis, (), shares)
    named = counts[: len(grid.levels)]
    levels = [at for at in range(named.size) if named[at] >= MIN_COUNT * n_windows]
    if len(levels) == 2 and counts.sum() == named[levels].sum():  # noqa: PLR2004
        levels = levels[:1]  # one share says the other
    names = (*(grid.levels[at] for at in levels), *((NULL, UNSEEN) if feature else ()))
    return Contrasts(names, np.empty((shares.size, 0)), tuple(levels), shares)


def _polynomials(shares: FloatArray) -> FloatArray:
    """Return polynomials of the mid-rank that are orthonormal over the reference's bins."""
    n_used = int(np.count_nonzero(shares))
    degree = min(len(MOMENTS), n_used - 1)
    if degree < 1:
        return np.empty((shares.size, 0))
    ranks = 2 * (np.cumsum(shares) - shares / 2) - 1
    powers = np.vander(ranks, degree + 1, increasing=True)
    _, upper = np.linalg.qr(np.sqrt(shares)[:, None] * powers)
    found = np.linalg.solve(upper.T, powers.T).T
    rising: FloatArray = found[:, 1:] * np.sign(np.diag(upper))[1:]
    return rising


@dataclass(frozen=True)
class Contrasted:
    """The contrasts of some windows.

    Parameters
    ----------
    values : ndarray, shape (n_windows, n_contrasts)
        The numbers; NaN where a window has no value.
    n : ndarray, shape (n_windows, n_contrasts)
        Rows that each of them rests on.
    effects : ndarray, shape (n_windows, n_contrasts)
        ``|AUC - .5|``, 0 to .5: how far the window's values are told from the reference's when
        both are put into the order that the contrast looks at.
    """

    values: FloatArray
    n: FloatArray
    effects: FloatArray


def contrasted(made: Contrasts, column: ColumnProfile) -> Contrasted:
    """Find the contrasts of each cell of a profile.

    Parameters
    ----------
    made : Contrasts
        The reference's.
    column : ColumnProfile, n_windows cells
        The column.
    """
    n_values: FloatArray = column.n_values.astype(np.float64)
    n_rows: FloatArray = n_values + column.n_null
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = column.counts / n_values[:, None]
        by_name: Mapping[str, tuple[FloatArray, float, FloatArray]] = {
            NULL: (column.n_null / n_rows, made.null_ratio, n_rows),
            UNSEEN: (column.n_strange / n_values, 0.0, n_values),
        }
    parts = [(shares[:, at], made.shares[at], n_values) for at in made.levels]
    n_moments = made.basis.shape[1]
    parts += [by_name[name] for name in made.names[n_moments + len(parts) :]]
    values = [*(shares @ made.basis).T, *(np.arcsin(np.sqrt(now)) for now, _, _ in parts)]
    n = [*[n_values] * n_moments, *(n for _, _, n in parts)]
    # In the order of an indicator half of all ties are right.
    effects = [*_rank_effects(made, shares), *(np.abs(now - was) / 2 for now, was, _ in parts)]
    shape = (len(made.names), n_values.size)  # also where there is no contrast
    return Contrasted(
        *(np.array(one, dtype=np.float64).reshape(shape).T for one in (values, n, effects))
    )


def _rank_effects(made: Contrasts, shares: FloatArray) -> list[FloatArray]:
    """Return |AUC - .5| of each moment: bins in the order of its polynomial, ties half."""
    found = []
    for polynomial in made.basis.T:
        order = np.argsort(polynomial, kind="stable")
        reference = made.shares[order]
        below = np.cumsum(reference) - reference / 2
        found.append(np.abs(shares[:, order] @ below - 0.5))
    return found
