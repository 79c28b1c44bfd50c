"""Comparison: whether a challenger is really better than the champion on fresh labelled rows.

The two predict the same rows. Rows of one day share its weather, prices and outages, so single
rows do not count as independent evidence; contiguous blocks of rows nearly do. The metric's gain
is computed in each block, and the challenger passes when the one-sided 95 % lower bound of the
mean gain is above what was asked for: the paired t-test on non-overlapping batch means
(Law, *Simulation Modeling and Analysis*, 5th ed. 2015, section 9.5.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import t as student

from monitor.checks.performance import METRICS, AnyArray, performance
from monitor.columns import FloatArray, IntArray
from monitor.schema import Schema
from retrain.dataset import TimeArray

MIN_BLOCKS = 8
"""Fewer blocks cannot tell a gain from a good day."""

MAX_EQUAL_BLOCKS = 20
"""Equal blocks where days do not serve; longer ones are more nearly independent."""

MIN_ROWS_PER_BLOCK = 30
"""With fewer rows a block's metric is mostly noise, or undefined."""


@dataclass(frozen=True)
class ComparisonPolicy:
    """What a challenger must show.

    Parameters
    ----------
    metric : str
        What is compared; a key of `monitor.checks.performance.METRICS`.
    minimum_gain : float
        The lower bound must be above it, in the metric's unit; 0 asks for any gain at all.
    confidence : float
        Of the one-sided lower bound, 0-1.
    """

    metric: str
    minimum_gain: float = 0.0
    confidence: float = 0.95


@dataclass(frozen=True)
class Comparison:
    """What a comparison has shown; gains are positive where the challenger is better.

    Parameters
    ----------
    metric : str
        What was compared.
    passed : bool
        True when the lower bound is above the minimum gain.
    reason : str
        The evidence in a sentence.
    champion, challenger : float or None
        The mean of the metric over the blocks; None when no block defines it.
    gain : float or None
        Mean gain over the blocks; None without two blocks.
    standard_error : float or None
        Of the mean gain.
    lower_bound : float or None
        ``gain - t·standard_error``, t the quantile of Student's distribution.
    confidence : float
        Of the one-sided lower bound, 0-1.
    minimum_gain : float
        What was asked for.
    n_blocks : int
        Blocks that define the metric.
    unit : str
        What a block is.
    n_rows : int
        Rows with a label and both predictions.
    """

    metric: str
    passed: bool
    reason: str
    champion: float | None
    challenger: float | None
    gain: float | None
    standard_error: float | None
    lower_bound: float | None
    confidence: float
    minimum_gain: float
    n_blocks: int
    unit: str
    n_rows: int


@dataclass(frozen=True)
class Blocks:
    """How two models did in contiguous blocks of the same rows.

    Parameters
    ----------
    metric : str
        What was compared.
    pairs : ndarray of float, shape (n_blocks, 2)
        The champion's and the challenger's metric in each block that defines both.
    unit : str
        What a block is.
    n_rows : int
        Rows with a label and both predictions.
    """

    metric: str
    pairs: FloatArray
    unit: str
    n_rows: int

    @property
    def gains(self) -> FloatArray:
        """The challenger's gain in each block, shape (n_blocks,)."""
        gain = METRICS[self.metric].gain
        return np.array([gain(champion=a, challenger=b) for a, b in self.pairs], dtype=np.float64)


@dataclass(frozen=True)
class _Rows:
    labels: AnyArray
    champion: AnyArray
    challenger: AnyArray
    schema: Schema
    metric: str

    def metrics(self, rows: AnyArray | slice) -> tuple[float, float] | None:
        """Return the champion's and the challenger's metric, if both are defined."""
        found = [
            performance(self.labels[rows], predictions[rows], self.schema).get(self.metric)
            for predictions in (self.champion, self.challenger)
        ]
        if found[0] is None or found[1] is None:
            return None
        return found[0].value, found[1].value


def compare(
    labels: AnyArray,
    champion: AnyArray,
    challenger: AnyArray,
    event_at: TimeArray,
    schema: Schema,
    policy: ComparisonPolicy,
) -> Comparison:
    """Compare two models' predictions of the same rows.

    Parameters
    ----------
    labels : ndarray, shape (n_rows,)
        As `monitor.checks.performance.performance` takes them.
    champion, challenger : ndarray, shape (n_rows,)
        Predictions; a row that one of them lacks counts for neither.
    event_at : ndarray of datetime64, shape (n_rows,)
        Event times, in any order. There is a block per day when at least 8 days have 30 rows, as
        they all have on average, else 8 to 20 equal ones.
    schema : Schema
        Task and classes.
    policy : ComparisonPolicy
        What the challenger must show.

    Returns
    -------
    Comparison
        Never passed with fewer than 8 blocks, nor for predictions that are equally good
        everywhere.

    Notes
    -----
    With B blocks of gain d_b, mean d̄ and standard deviation s (ddof 1), the standard error is
    s/√B and the lower bound d̄ - t·s/√B, t the quantile of Student's distribution with B - 1
    degrees of freedom.
    """
    return judged(blocks(labels, champion, challenger, event_at, schema, policy.metric), policy)


def blocks(
    labels: AnyArray,
    champion: AnyArray,
    challenger: AnyArray,
    event_at: TimeArray,
    schema: Schema,
    metric: str,
) -> Blocks:
    """Return both models' metric in blocks of rows, see `compare`."""
    order = np.argsort(event_at, kind="stable")
    known = ~(pd.isna(labels) | pd.isna(champion) | pd.isna(challenger))
    order = order[known[order]]
    rows = _Rows(labels[order], champion[order], challenger[order], schema, metric)
    of_row, is_daily = _blocks(event_at[order])
    return Blocks(metric, _pairs(rows, of_row), "days" if is_daily else "blocks", order.size)


def pooled(parts: Sequence[Blocks]) -> Blocks:
    """Return the blocks of several sets of rows as those of one; at least one set."""
    pairs = np.concatenate([one.pairs for one in parts])
    n_rows = sum(one.n_rows for one in parts)
    return Blocks(parts[-1].metric, pairs, parts[-1].unit, n_rows)


def judged(seen: Blocks, policy: ComparisonPolicy) -> Comparison:
    """Tell whether the gain in some blocks is sure enough, see `compare`."""
    gains, pairs = seen.gains, seen.pairs
    gain, error, lower = _bound(gains, policy.confidence)
    enough = gains.size >= MIN_BLOCKS and gains.any()
    result = Comparison(
        metric=policy.metric,
        passed=bool(enough and lower is not None and lower > policy.minimum_gain),
        reason="",
        champion=float(pairs[:, 0].mean()) if len(pairs) else None,
        challenger=float(pairs[:, 1].mean()) if len(pairs) else None,
        gain=gain,
        standard_error=error,
        lower_bound=lower,
        confidence=policy.confidence,
        minimum_gain=policy.minimum_gain,
        n_blocks=gains.size,
        unit=seen.unit,
        n_rows=seen.n_rows,
    )
    return _with_reason(result, gains)


def _blocks(event_at: TimeArray) -> tuple[IntArray, bool]:
    """Return the block of each row, ascending, and whether blocks are days."""
    n_rows = event_at.size
    _, days, sizes = np.unique(
        event_at.astype("datetime64[D]"), return_inverse=True, return_counts=True
    )
    # A week that begins in the middle of a day has scraps of an eighth.
    n_full = np.count_nonzero(sizes >= MIN_ROWS_PER_BLOCK)
    if n_full >= MIN_BLOCKS and n_rows >= sizes.size * MIN_ROWS_PER_BLOCK:
        return days.astype(np.int64), True
    n_blocks = int(np.clip(n_rows // MIN_ROWS_PER_BLOCK, MIN_BLOCKS, MAX_EQUAL_BLOCKS))
    return np.arange(n_rows, dtype=np.int64) * n_blocks // max(1, n_rows), False


def _pairs(rows: _Rows, blocks: IntArray) -> FloatArray:
    """Return both metrics of each block that defines them, shape (n_blocks, 2)."""
    found = [rows.metrics(blocks == block) for block in np.unique(blocks)]
    return np.array([pair for pair in found if pair], dtype=np.float64).reshape(-1, 2)


def _bound(gains: FloatArray, confidence: float) -> tuple[float | None, float | None, float | None]:
    if gains.size < 2:  # noqa: PLR2004 - a spread takes two
        return None, None, None
    gain = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(gains.size))
    return gain, error, gain - float(student.ppf(confidence, gains.size - 1)) * error


def _with_reason(result: Comparison, gains: FloatArray) -> Comparison:
    seen = f"{result.n_blocks} {result.unit}"
    title, n_rows = METRICS[result.metric].title, f"{result.n_rows:,}".replace(",", " ")
    if result.n_blocks < MIN_BLOCKS:
        reason = (
            f"{title} can be compared in {seen} of {n_rows} rows, and it takes "
            f"{MIN_BLOCKS} to tell a gain from chance"
        )
    elif not gains.any():
        reason = f"{title} is the champion's own in each of {seen}: no gain"
    else:
        relation = ">" if result.passed else "is not above"
        reason = (
            f"mean {title} of {seen} {result.challenger:.4g}, champion "
            f"{result.champion:.4g}: gain {result.gain:.3g} ± {result.standard_error:.2g}, lower "
            f"bound {result.lower_bound:.3g} {relation} {result.minimum_gain:g} ({n_rows} rows)"
        )
    return replace(result, reason=reason)
