"""Calibration of probabilities: learned on rows that the model has not seen, kept where it helps.

A model that says .8 should be right in 8 of 10 cases. The predictions that a search made of rows
which come later than those it learned from show whether it is. A map learned on the older folds is
held against the newer ones; only where it surely helps there, and costs nothing of the metric that
decides, the winner gets it, learned on all folds.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from monitor.checks.performance import METRICS, class_names, is_positive, performance
from monitor.columns import FloatArray, IntArray
from monitor.schema import Schema, Task
from retrain.calibrated import Calibration, binary_chances, mapped
from retrain.comparison import MIN_BLOCKS, ComparisonPolicy, compare
from retrain.dataset import Dataset, TargetArray

SLOPES = (0.1, 10.0)
INTERCEPTS = (-5.0, 5.0)
"""Bounds of what is learned: beyond them a model says nothing that a map could save."""

TOLERANCE = 1e-3
"""What of the metric that decides may be chance: ranks and classes hardly change."""

_LOSSES = Schema(Task.REGRESSION, features={}, target="loss")


@dataclass(frozen=True)
class CalibrationTrial:
    """Whether a model's probabilities are calibrated, and why.

    Parameters
    ----------
    chosen : Calibration or None
        The map, learned on all folds; None where the probabilities stay what they are.
    reason : str
        The evidence in a sentence; empty for regression.
    before, after : float or None
        Brier score on the newer folds, without the map and with one that was learned on older
        folds: the mean squared distance of the positive class's chance from 0 or 1, or of several
        classes the sum of theirs. None where nothing could be compared.
    n_rows : int
        Rows of the newer folds.
    """

    chosen: Calibration | None = None
    reason: str = ""
    before: float | None = None
    after: float | None = None
    n_rows: int = 0


def calibration_trial(
    rows: Dataset, chances: FloatArray, folds: IntArray, schema: Schema, metric: str
) -> CalibrationTrial:
    """Tell whether calibration helps.

    Parameters
    ----------
    rows : Dataset
        The rows of all folds, oldest first.
    chances : ndarray of float, shape (n_rows, n_classes)
        How likely each class of the schema is, by models that have seen older rows only; of a
        binary model the positive class comes last.
    folds : ndarray of int, shape (n_rows,)
        The fold of each row, ascending from 0.
    schema : Schema
        Task and classes.
    metric : str
        What decides, a key of `monitor.checks.performance.METRICS`.

    References
    ----------
    Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    came = _came_true(rows.target, schema)
    newer = folds > 0
    if not newer.any():
        return CalibrationTrial(None, "one fold cannot tell whether calibration helps")
    made = np.concatenate(
        [
            mapped(chances[folds == fold], _learned(chances[folds < fold], came[folds < fold]))
            for fold in np.unique(folds[newer])
        ]
    )
    raw = chances[newer]
    without, with_it = (_brier(one, came[newer]) for one in (raw, made))
    nothing = np.zeros(len(made))  # a mean loss is the mean absolute error of 0 for each loss
    times, policy = rows.event_at[newer], ComparisonPolicy("mae")
    shown = compare(nothing, without, with_it, times, _LOSSES, policy)
    before, after = float(without.mean()), float(with_it.mean())
    found = CalibrationTrial(None, "", before, after, len(made))
    score = f"Brier score {after:.4g}, {before:.4g} without, on {len(made)} later rows"
    if shown.n_blocks < MIN_BLOCKS:
        return replace(found, reason=f"{shown.n_blocks} blocks of rows are too few to calibrate")
    if not shown.passed:
        return replace(found, reason=f"calibration does not surely help: {score}")
    target = rows.target[newer]
    if _costs(target, raw, made, schema, metric):
        title = METRICS[metric].title
        return replace(found, reason=f"calibration helps ({score}) but costs {title}")
    return replace(found, chosen=_learned(chances, came), reason=f"calibrated: {score}")


def calibrated_predictions(
    predictions: TargetArray, calibration: Calibration | None, schema: Schema
) -> TargetArray:
    """Return predictions as a calibrated model makes them: the likeliest class stays the same."""
    if calibration is None or schema.task is not Task.BINARY:
        return predictions
    return mapped(binary_chances(predictions), calibration)[:, 1]


def _came_true(target: TargetArray, schema: Schema) -> FloatArray:
    """Return 1 for each row's class and 0 for the others, shape (n_rows, n_classes)."""
    if schema.task is Task.BINARY:
        return binary_chances(is_positive(target, schema))
    names = class_names(target, schema.classes)
    return np.asarray(names[:, None] == np.array(schema.classes, dtype=object), dtype=np.float64)


def _brier(chances: FloatArray, came: FloatArray) -> FloatArray:
    squares: FloatArray = (chances - came) ** 2
    return squares[:, -1] if came.shape[1] == 2 else squares.sum(axis=1)  # noqa: PLR2004 - binary


def _learned(chances: FloatArray, came: FloatArray) -> Calibration:
    """Return the map under which what came true is likeliest."""

    def loss(at: FloatArray) -> float:
        made = mapped(chances, Calibration(float(np.exp(at[0])), float(at[1])))
        return float(-np.log((made * came).sum(axis=1) + np.finfo(np.float64).tiny).mean())

    intercepts = INTERCEPTS if chances.shape[1] == 2 else (0.0, 0.0)  # noqa: PLR2004 - binary
    bounds = [tuple(np.log(SLOPES)), intercepts]
    log_slope, intercept = minimize(loss, [0.0, 0.0], method="L-BFGS-B", bounds=bounds).x
    return Calibration(float(np.exp(log_slope)), float(intercept))


def _costs(
    target: TargetArray, raw: FloatArray, made: FloatArray, schema: Schema, metric: str
) -> bool:
    """Tell whether what decides gets worse; of several classes the likeliest stays."""
    if schema.task is not Task.BINARY:
        return False
    reached = [performance(target, one[:, 1], schema).get(metric) for one in (raw, made)]
    if reached[0] is None or reached[1] is None:
        return True
    gain = METRICS[metric].gain(champion=reached[0].value, challenger=reached[1].value)
    return gain < -TOLERANCE
