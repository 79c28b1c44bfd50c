"""Unlabelled: the estimate of a window's performance, as a score."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import CHANCES, MODEL_VERSION
from monitor.chances import chances_of, of_all
from monitor.checks.estimate import SEED, Abstention, Current, as_numbers, estimate
from monitor.checks.fall import PerformancePolicy, performance_scores, wobble_of
from monitor.checks.performance import METRICS
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import FloatArray, IntArray, TableColumns
from monitor.reference import Estimate, Reference
from monitor.sample import drawn, encode

BLIND = "an estimate without labels: it cannot see concept drift"
"""What every place that shows an estimate says."""


def estimate_score(
    rows: pa.Table, reference: Reference, version: int, policy: PerformancePolicy
) -> Score:
    """Estimate the metric that decides on the rows that a version predicted.

    The score has no value where there is no estimate, and says why. A crash is a failed score.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        As `monitor.ports.Log.read` gives them.
    reference : Reference
        The champion's.
    version : int
        The champion.
    policy : PerformancePolicy
        The metric that decides, and its allowed drop.
    """
    try:
        found = _estimate(rows, reference, version, policy.metric)
    except Exception as error:  # noqa: BLE001 - the other checks must not be lost with this one
        reason = f"performance could not be estimated: {type(error).__name__}: {error}"
        return replace(_without(rows, policy.metric, reason), failed=True)
    if isinstance(found, Abstention):
        return _without(rows, policy.metric, f"not estimated: {found.reason}")
    apart = wobble_of(reference, policy.metric) or 0.0
    (score,) = performance_scores({policy.metric: found}, reference.performance, policy, apart)
    return replace(score, check=Check.ESTIMATE, detail=BLIND)


def _estimate(
    rows: pa.Table, reference: Reference, version: int, metric: str
) -> Estimate | Abstention:
    schema, sample = reference.schema, reference.sample
    if sample is None or reference.back_test is None:
        return Abstention("this version's reference keeps no labelled rows to estimate from")
    mine = rows.filter(pc.equal(rows.column(MODEL_VERSION), version))
    said = as_numbers(mine.column(schema.prediction).to_numpy(), schema, are_labels=False)
    known = np.flatnonzero(np.isfinite(said))
    chances, tested = _chances(mine, known, len(schema.classes)), reference.back_test
    if chances is None and tested.classes_alone is not None:
        sample, tested = sample.without_chances(), tested.classes_alone
    against = reference.other_windows or tested.against(metric)
    if against:
        return Abstention(against)
    features = encode(TableColumns(mine), sample.levels, drawn(known, SEED))
    found = estimate(sample, Current(features, said[known], chances), schema, metric)
    if isinstance(found, Abstention):
        return found
    return replace(found, standard_error=found.standard_error * tested.scale)


def _chances(rows: pa.Table, known: IntArray, n_classes: int) -> FloatArray | None:
    """Return the chances of some rows; None where one of them came without."""
    if CHANCES not in rows.column_names:
        return None
    return of_all(chances_of(rows.column(CHANCES).take(pa.array(known)), n_classes))


def _without(rows: pa.Table, metric: str, reason: str) -> Score:
    bigger = METRICS[metric].bigger_is_better
    return Score(
        check=Check.ESTIMATE,
        column=None,
        method=metric,
        value=None,
        threshold=None,
        breach_when=BreachWhen.BELOW if bigger else BreachWhen.ABOVE,
        n_reference=0,
        n_current=rows.num_rows,
        detail=reason,
    )
