"""Dependence: how the columns of rows belong together, whatever each of them does by itself.

Each column is put into the order of its values, on each side by itself, and the places are made
uniform random numbers (the copula; ties are broken at random). What is left to tell one side from
the other is which values come together. So a column that moves, or wobbles from window to window,
neither hides that nor is taken for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from monitor.columns import FloatArray
from monitor.domain_classifier import DomainClassifier, tell_apart
from monitor.sample import Sample

MOST_ROWS = 1_000
"""Rows of a window that are compared, of all windows as many: the more there are, the more
surely the same difference is seen."""

MOST_REFERENCE_ROWS = 4_000

LEAST_ROWS = 100
"""With fewer rows of a window nothing is learned of what comes together."""

LEAST_WINDOWS = 8
MOST_WINDOWS = 13

LEVEL = 0.01
"""Chance that a window like the reference's is beyond the limit."""

MATERIAL = 0.02
"""Least ``AUC - .5`` that matters."""

MOST_ASKED = 500
"""Rows a side that attribution asks again for each column."""

EDGE = 1e-3
"""The logarithm of the odds of an AUC nearer to 0 or 1 than this is no longer told."""


@dataclass(frozen=True)
class Dependence:
    """How well windows of the reference are told from the others by what comes together.

    Parameters
    ----------
    n_rows : int
        Rows that were compared of each.
    n_windows : int
        Windows with rows enough.
    logits : tuple of float
        ln(AUC / (1 - AUC)) of those that were compared.
    """

    n_rows: int
    n_windows: int
    logits: tuple[float, ...] = ()

    @property
    def usual(self) -> float:
        """The AUC of a typical window.

        Examples
        --------
        >>> round(Dependence(500, 3, (-0.1, 0.1, 0.0)).usual, 2)
        0.5
        """
        return float(expit(np.mean(self.logits)))

    @property
    def limit(self) -> float:
        """The AUC beyond which a window is not like them: the end of its prediction interval.

        Examples
        --------
        >>> round(Dependence(500, 4, (-0.1, 0.1, 0.0, 0.0)).limit, 2)
        0.6
        """
        n = len(self.logits)
        spread = np.std(self.logits, ddof=1) * np.sqrt(1 + 1 / n)
        beyond = np.mean(self.logits) + stats.t.isf(LEVEL, n - 1) * spread
        return max(float(expit(beyond)), 0.5 + MATERIAL)

    def against(self) -> str:
        """Say why windows cannot be held against these; empty where nothing is against it.

        Examples
        --------
        >>> Dependence(40, 9).against()
        'the reference has 40 labelled rows a window, 100 are needed'
        """
        if self.n_rows < LEAST_ROWS:
            n_rows = f"{self.n_rows} labelled rows a window"
            return f"the reference has {n_rows}, {LEAST_ROWS} are needed"
        if self.n_windows < LEAST_WINDOWS:
            return f"the reference has {self.n_windows} windows, {LEAST_WINDOWS} are needed"
        return ""


@dataclass(frozen=True)
class Apart:
    """Rows of two sides as their columns' places, and what tells them apart.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_features)
        The reference's, then the current ones.
    classifier : DomainClassifier
        Fitted on them.
    """

    rows: FloatArray
    classifier: DomainClassifier

    @property
    def auc(self) -> float:
        """The chance that a current row is told from one of the reference."""
        return self.classifier.auc(self.classifier.logits(self.rows))

    def drops(self, seed: int) -> FloatArray:
        """Return by how much less rows are told apart without each column, shape (n_features,).

        Its values are put in another order among all rows, so that nothing comes together with it.
        """
        rng, is_current = np.random.default_rng(seed), self.classifier.is_current
        places = np.concatenate(
            [
                rng.permutation(np.flatnonzero(side))[:MOST_ASKED]
                for side in (~is_current, is_current)
            ]
        )
        rows = self.rows[places]
        whole = self.classifier.auc(self.classifier.logits(rows, places), places)
        found = np.empty(rows.shape[1])
        for at in range(found.size):
            other = rows.copy()
            other[:, at] = rng.permutation(other[:, at])
            found[at] = whole - self.classifier.auc(self.classifier.logits(other, places), places)
        return found


def apart(*, reference: FloatArray, current: FloatArray) -> Apart:
    """Tell rows apart by what comes together in them.

    Chance is drawn by the current rows themselves: the same rows get the same answer, and no two
    windows share their luck, as they would with one seed.

    Parameters
    ----------
    reference : ndarray, shape (n_reference, n_features)
        Encoded rows, of which at most `MOST_REFERENCE_ROWS` are drawn; NaN is missing.
    current : ndarray, shape (n_current, n_features)
        The same columns.
    """
    seed = crc32(np.ascontiguousarray(current).tobytes())
    rng = np.random.default_rng(seed)
    if len(reference) > MOST_REFERENCE_ROWS:
        reference = reference[rng.choice(len(reference), MOST_REFERENCE_ROWS, replace=False)]
    before, now = places(reference, rng), places(current, rng)
    classifier = tell_apart(reference=before, current=now, seed=seed)
    return Apart(np.concatenate([before, now]), classifier)


def places(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return each column as uniform random numbers in the order of its values.

    Missing values come last. Equal values are in an order of chance: else their ranks would tell
    how many of them there are.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_features)
        The rows.
    rng : numpy.random.Generator
        Where chance comes from.

    Examples
    --------
    >>> found = places(np.array([[3.0], [np.nan], [1.0]]), np.random.default_rng(0))
    >>> found[:, 0].argsort().tolist()
    [2, 0, 1]
    """
    found = np.empty(rows.shape)
    for at, column in enumerate(rows.T):
        order = np.lexsort((rng.uniform(size=column.size), column))
        found[order, at] = np.sort(rng.uniform(size=column.size))
    return found


def dependence(sample: Sample, names: Sequence[str], seed: int) -> Dependence:
    """Learn how well the reference's windows are told from one another.

    Parameters
    ----------
    sample : Sample
        Labelled rows, with the windows they are of.
    names : sequence of str
        The features looked at.
    seed : int
        Seed of the rows that are drawn.
    """
    chosen = sample.windows >= 0
    known, counts = np.unique(sample.windows[chosen], return_counts=True)
    n_rows = int(min(MOST_ROWS, np.median(counts))) if known.size else 0
    known = known[2 * counts >= n_rows]
    empty = Dependence(n_rows, int(known.size))
    if empty.against():
        return empty
    features = sample.features[:, [list(sample.levels).index(name) for name in names]]
    rng = np.random.default_rng(seed)
    spread = np.unique(np.linspace(0, known.size - 1, min(known.size, MOST_WINDOWS)).round())
    logits = []
    for window in known[spread.astype(np.int64)]:
        mine = sample.windows == window
        current = features[rng.permutation(np.flatnonzero(mine))[:n_rows]]
        auc = apart(reference=features[~mine], current=current).auc
        logits.append(float(logit(np.clip(auc, EDGE, 1 - EDGE))))
    return replace(empty, logits=tuple(logits))
