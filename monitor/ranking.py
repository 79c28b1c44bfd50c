"""Ranking: which of the columns that moved matter most.

Each column that moved is weighed by three things: how many of the rows moved, how much the model
rests on the column, and what its move alone costs. The cost is what reference rows lose more than
they did when they are weighted to be spread over the column as the window's rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from monitor.checks.estimate import SEED
from monitor.checks.score import Check, Score, Status
from monitor.columns import FloatArray, IntArray, TableColumns
from monitor.reference import Reference
from monitor.sample import Outcomes, Sample, drawn, encode
from monitor.schema import Task
from monitor.verdict import Verdict

N_BINS = 10
"""Bins of equal share for numbers."""

N_LEVELS = 20
"""Levels that are told apart, the most frequent ones."""

LEAST = 0.1
"""Of the greatest importance and of the greatest cost: a column without one is not weightless."""

WORTH_SAYING = 0.005
"""A cost that rounds to nothing is not told."""


@dataclass(frozen=True)
class Weight:
    """What the move of one column weighs.

    Parameters
    ----------
    moved : float
        Share of the rows that lie elsewhere than before: the total variation distance, 0-1.
    importance : float
        Its part of all that the model gets from its columns, 0-1.
    cost : float
        Rise of the loss that its move alone explains, as a share of the loss; 0 where it falls, or
        is within a standard error.
    """

    moved: float
    importance: float
    cost: float

    @property
    def sentence(self) -> str:
        """The weight in words.

        Examples
        --------
        >>> Weight(0.2, 0.31, 0.12).sentence
        'importance 31 %, expected loss +12 %'
        """
        costs = f", expected loss +{100 * self.cost:.0f} %" if self.cost >= WORTH_SAYING else ""
        return f"importance {100 * self.importance:.0f} %{costs}"


def ranked(verdict: Verdict, reference: Reference, rows: pa.Table) -> Verdict:
    """Rank the columns that moved in a window that breaches.

    Parameters
    ----------
    verdict : Verdict
        The window's.
    reference : Reference
        The champion's. Where it does not know how much the model rests on its columns, or has no
        labelled rows, nothing is ranked.
    rows : pyarrow.Table, shape (n_rows, n_columns)
        As `monitor.ports.Log.read` gives them.
    """
    names = [score.column for score in verdict.breached(Check.DRIFT) if score.column]
    if verdict.status is not Status.BREACH or not names:
        return verdict
    try:
        weights = weigh(names, reference, rows)
    except Exception as error:  # noqa: BLE001 - a verdict is worth more than its order
        return _unranked(verdict, f"not ranked: {type(error).__name__}: {error}")
    order = sorted(weights, key=_products(weights).__getitem__, reverse=True)
    return replace(verdict, scores=tuple(_told(s, weights, order) for s in verdict.scores))


def weigh(names: Sequence[str], reference: Reference, rows: pa.Table) -> dict[str, Weight]:
    """Weigh the moves of some columns; nothing where the reference cannot say.

    Parameters
    ----------
    names : sequence of str
        The columns.
    reference : Reference
        The champion's.
    rows : pyarrow.Table, shape (n_rows, n_columns)
        The window.
    """
    sample, importance = reference.sample, reference.importance
    if sample is None or importance is None:
        return {}
    losses = _losses(sample.outcomes, reference.schema.task)
    of_all = sum(max(0.0, one) for one in importance.values()) or 1.0
    found = {}
    for name in names:
        moved, cost = _move(name, sample, losses, rows)
        found[name] = Weight(moved, max(0.0, importance.get(name, 0.0)) / of_all, cost)
    return found


def _products(weights: Mapping[str, Weight]) -> dict[str, float]:
    importance = max((one.importance for one in weights.values()), default=0.0) or 1.0
    cost = max((one.cost for one in weights.values()), default=0.0) or 1.0
    return {
        name: one.moved * (LEAST + one.importance / importance) * (LEAST + one.cost / cost)
        for name, one in weights.items()
    }


def _told(score: Score, weights: Mapping[str, Weight], order: Sequence[str]) -> Score:
    """Give a column that moved its rank, and say first what it weighs."""
    name, moved = score.column, score.check is Check.DRIFT and score.status is Status.BREACH
    if not moved or name is None or name not in weights:
        return score
    head, sign, rest = score.detail.partition(";")
    told = ", ".join(part for part in (head, weights[name].sentence) if part)
    return replace(score, rank=order.index(name) + 1, detail=f"{told}{sign}{rest}")


def _unranked(verdict: Verdict, why: str) -> Verdict:
    scores = (
        replace(s, detail="; ".join(part for part in (s.detail, why) if part))
        if s.check is Check.DRIFT and s.status is Status.BREACH
        else s
        for s in verdict.scores
    )
    return replace(verdict, scores=tuple(scores))


def _losses(outcomes: Outcomes, task: Task) -> FloatArray:
    """Return a loss of each row: squared (of a probability), 0 or 1 (of a class), absolute."""
    errors = np.abs(outcomes.labels - outcomes.predictions)
    if task is Task.MULTICLASS:
        return np.asarray(errors > 0, dtype=np.float64)
    return errors**2 if task is Task.BINARY else errors


def _move(name: str, sample: Sample, losses: FloatArray, rows: pa.Table) -> tuple[float, float]:
    """Return how much of a column's rows moved, and what that costs."""
    names = list(sample.levels)
    if name not in names or not rows.num_rows:
        return 0.0, 0.0  # a column that tells the time moves always
    levels = sample.levels[name]
    before = sample.features[:, names.index(name)]
    now = encode(TableColumns(rows), {name: levels}, drawn(np.arange(rows.num_rows), SEED))[:, 0]
    edges = None if levels is not None else _edges(before)
    of_before, of_now = _binned(before, edges), _binned(now, edges)
    n_bins = int(max(of_before.max(), of_now.max())) + 1
    n = np.bincount(of_before, minlength=n_bins)
    more = np.bincount(of_now, minlength=n_bins) / of_now.size - n / of_before.size
    return float(np.abs(more).sum() / 2), _cost(more, n, of_before, losses)


def _cost(more: FloatArray, n: IntArray, bins: IntArray, losses: FloatArray) -> float:
    """Return the rise of the mean loss, less one standard error, as a share of it."""
    mean = float(losses.mean())
    if mean <= 0:
        return 0.0
    sums = np.bincount(bins, losses, minlength=n.size)
    squares = np.bincount(bins, losses**2, minlength=n.size)
    # Nobody knows what rows cost where the reference had none: they are taken for usual ones.
    means = np.where(n > 0, sums / np.maximum(n, 1), mean)
    variances = np.maximum(squares / np.maximum(n, 1) - means**2, 0.0) / np.maximum(n, 1)
    rise = float(np.sum(more * means))
    error = float(np.sqrt(np.sum(more**2 * variances)))
    return max(0.0, rise - error) / mean


def _edges(values: FloatArray) -> FloatArray:
    known = values[np.isfinite(values)]
    if not known.size:
        return known
    return np.unique(np.quantile(known, np.linspace(0, 1, N_BINS + 1)[1:-1]))


def _binned(values: FloatArray, edges: FloatArray | None) -> IntArray:
    """Return the bin of each value; what is missing has one of its own, the last."""
    known = np.isfinite(values)
    if edges is None:
        bins, last = np.minimum(np.where(known, values, 0), N_LEVELS), N_LEVELS + 1
    else:
        bins, last = np.searchsorted(edges, values, side="right"), edges.size + 1
    return np.where(known, bins, last).astype(np.int64)
