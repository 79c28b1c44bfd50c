"""Evaluation: what a recipe reaches on rows it was not fitted on, fold by fold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from monitor.checks.performance import AnyArray, performance
from monitor.columns import IntArray
from monitor.reference import Estimate
from monitor.schema import Schema


@dataclass(frozen=True)
class Evaluation:
    """One metric over the folds of a cross-validation.

    Parameters
    ----------
    overall : Estimate
        The metric on all out-of-fold predictions together.
    mean : float
        Mean of the folds' values.
    std : float
        Their standard deviation (ddof 1), which shows how much the metric changes over time; 0
        for one fold. It is no standard error: later folds are fitted on earlier ones' rows.
    folds : tuple of float
        The value of each fold that defines the metric, oldest first.
    """

    overall: Estimate
    mean: float
    std: float
    folds: tuple[float, ...]


def evaluate(
    labels: AnyArray, predictions: AnyArray, folds: IntArray, schema: Schema
) -> Mapping[str, Evaluation]:
    """Compute every metric of the task over folds.

    Parameters
    ----------
    labels, predictions : ndarray, shape (n_rows,)
        As `monitor.checks.performance.performance` takes them.
    folds : ndarray of int, shape (n_rows,)
        The fold of each row, ascending with time.
    schema : Schema
        The model's task and classes.

    Returns
    -------
    mapping of str to Evaluation
        Keyed as `monitor.checks.performance.METRICS`; a metric that no fold defines is left out.
    """
    together = performance(labels, predictions, schema)
    apart = [
        performance(labels[folds == fold], predictions[folds == fold], schema)
        for fold in np.unique(folds)
    ]
    values = {name: [fold[name].value for fold in apart if name in fold] for name in together}
    return {
        name: Evaluation(together[name], float(np.mean(found)), _std(found), tuple(found))
        for name, found in values.items()
        if found
    }


def _std(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
