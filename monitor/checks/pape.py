"""PAPE: a binary model's metrics from its scores alone, calibrated for the rows that come now.

The reference says how likely the positive class is at a score. Weighted to look like the current
rows it says so for *them* (probabilistic adaptive performance estimation: Białek, Kuberski,
Perrakis, Bifet, "Estimating model performance under covariate shift without labels",
arXiv:2401.08348). A metric is then computed from scores s and probabilities c as it would be from
labels, and corrected to first order by what the weighted reference's labels still differ from c,
which is what makes an estimate doubly robust (Chernozhukov et al. 2018).

The curve c is the beta calibration of Kull, Silva Filho and Flach, "Beta calibration", AISTATS
2017: logistic in ln s and ln(1 - s), three numbers, which does not follow noise as steps would.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, xlogy

from monitor.checks.performance import DECISION_THRESHOLD
from monitor.columns import FloatArray
from monitor.sample import Outcomes

CLIP = 1e-4
"""Scores nearer to 0 and 1 than this are taken for it: their logarithms would rule the curve."""

RIDGE = 1e-3
"""Pull of the curve towards "the scores are right", as a share of the rows' own say."""

NEWTON_STEPS = 20


@dataclass(frozen=True)
class Told:
    """A metric told without labels.

    Parameters
    ----------
    value : float
        The metric.
    standard_error : float
        How far what is measured on these rows may be away by chance.
    """

    value: float
    standard_error: float


@dataclass(frozen=True)
class _Scored:
    """Current scores, with the chance of the positive class at each; both shape (n_rows,)."""

    scores: FloatArray
    chances: FloatArray


def pape(metric: str, reference: Outcomes, weights: FloatArray, scores: FloatArray) -> Told | None:
    """Estimate a metric of a binary model.

    Parameters
    ----------
    metric : str
        A name of `monitor.checks.performance.METRICS` that binary models have.
    reference : Outcomes, n_reference rows
        Scores in 0-1 and labels, 1 for the positive class.
    weights : ndarray, shape (n_reference,)
        How much more often rows like each come now.
    scores : ndarray, shape (n_current,)
        What the model says of the current rows.

    Returns
    -------
    Told or None
        None where the metric is not defined: precision when no row is predicted positive.

    Examples
    --------
    >>> scores = np.random.default_rng(0).uniform(size=50_000)
    >>> labels = (np.random.default_rng(1).uniform(size=50_000) < scores).astype(float)
    >>> found = pape("accuracy", Outcomes(scores, labels), np.ones(50_000), scores[:500] / 2 + 0.5)
    >>> bool(abs(found.value - 0.75) < 0.02)
    True
    """
    shares = weights / weights.sum()
    curve = _fit_curve(reference, shares)
    now = _Scored(scores, _chances(scores, curve))
    found = _metric(metric, now, np.concatenate([scores, reference.predictions]))
    if found is None:
        return None
    value, slopes = found
    of_now, of_reference = slopes[: scores.size], slopes[scores.size :]
    missed = shares * (reference.labels - _chances(reference.predictions, curve)) * of_reference
    # The labels that will come are drawn by chance, and so are those that the curve rests on.
    to_come = now.chances * (1 - now.chances) * of_now**2
    variance = to_come.sum() / scores.size**2 + np.sum(missed**2)
    corrected = value + missed.sum()
    least, most = (0.0, np.inf) if metric == "log_loss" else (0.0, 1.0)
    return Told(float(np.clip(corrected, least, most)), float(np.sqrt(variance)))


def _design(scores: FloatArray) -> FloatArray:
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    return np.column_stack([np.log(clipped), -np.log1p(-clipped), np.ones_like(clipped)])


def _chances(scores: FloatArray, curve: FloatArray) -> FloatArray:
    return np.asarray(expit(_design(scores) @ curve), dtype=np.float64)


def _fit_curve(reference: Outcomes, shares: FloatArray) -> FloatArray:
    """Fit the curve by Newton's method; where rows say nothing the scores are taken as they are."""
    terms, identity = _design(reference.predictions), np.array([1.0, 1.0, 0.0])
    curve = identity
    for _ in range(NEWTON_STEPS):
        told = expit(terms @ curve)
        slope = terms.T @ (shares * (reference.labels - told)) - RIDGE * (curve - identity)
        bend = (terms.T * (shares * told * (1 - told))) @ terms + RIDGE * np.eye(3)
        step = np.linalg.solve(bend, slope)
        curve = curve + step
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004 - far below any sampling error
            break
    return curve


def _metric(metric: str, now: _Scored, at: FloatArray) -> tuple[float, FloatArray] | None:
    """Return the metric, and how it grows with the chance of a row at each of some scores.

    The growth is that of n_rows times the metric, with the chance of one of the rows.
    """
    if metric == "roc_auc":
        return _roc_auc(now, at)
    if metric == "log_loss":
        return _log_loss(now, at)
    return _of_classes(metric, now, at)


def _of_classes(metric: str, now: _Scored, at: FloatArray) -> tuple[float, FloatArray] | None:
    """Return a metric of classes; the two means besides `hits` are known, or nearly so."""
    said, c = now.scores >= DECISION_THRESHOLD, now.chances
    positive, n_said, hits = c.mean(), said.mean(), (c * said).mean()
    said_at = at >= DECISION_THRESHOLD
    if metric == "accuracy":
        return float(np.where(said, c, 1 - c).mean()), np.where(said_at, 1.0, -1.0)
    below, slope = {
        "precision": (n_said, 0.0),
        "recall": (positive, 1.0),
        "f1": ((n_said + positive) / 2, 0.5),
    }[metric]
    if not below:
        return None
    value = hits / below
    return float(value), (said_at - slope * value) / below


def _log_loss(now: _Scored, at: FloatArray) -> tuple[float, FloatArray]:
    tiny = np.finfo(np.float64).eps  # as scikit-learn, and `performance`, clip
    s, s_at = (np.clip(one, tiny, 1 - tiny) for one in (now.scores, at))
    losses = -xlogy(now.chances, s) - xlogy(1 - now.chances, 1 - s)
    return float(losses.mean()), np.log1p(-s_at) - np.log(s_at)


def _roc_auc(now: _Scored, at: FloatArray) -> tuple[float, FloatArray]:
    """Σ cᵢ(1 - cⱼ)[sᵢ > sⱼ] / (Σc·Σ(1 - c)), ties counting half, by cumulative sums."""
    positive = now.chances.mean()
    if positive in (0.0, 1.0):  # one class only: there is none
        return np.nan, np.full_like(at, np.nan)
    beaten = _share_below(now.scores, 1 - now.chances, now.scores)
    value = float(np.average(beaten, weights=now.chances))
    wins = (_share_below(now.scores, 1 - now.chances, at) - value) / positive
    losses = (1 - _share_below(now.scores, now.chances, at) - value) / (1 - positive)
    return value, wins - losses


def _share_below(scores: FloatArray, weights: FloatArray, at: FloatArray) -> FloatArray:
    """Return the weighted share of scores below each of some, and half of those equal to it."""
    order = np.argsort(scores)
    ordered, sums = scores[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    left, right = (sums[np.searchsorted(ordered, at, side)] for side in ("left", "right"))
    return np.asarray((left + right) / (2 * sums[-1]), dtype=np.float64)
