"""Labelled: the performance of a window's labelled rows, as scores."""

import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import LABEL, MODEL_VERSION
from monitor.checks.fall import PerformancePolicy, performance_scores, segment_scores, wobble_of
from monitor.checks.performance import performance
from monitor.checks.score import BreachWhen, Check, Score
from monitor.checks.segments import segment_performance
from monitor.reference import Reference


def measured_scores(
    rows: pa.Table, reference: Reference, version: int, policy: PerformancePolicy
) -> list[Score]:
    """Score the labelled rows that a version predicted; a crash is a failed score.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        As `monitor.ports.Log.read` gives them, with ``_label``.
    reference : Reference
        The champion's.
    version : int
        The champion.
    policy : PerformancePolicy
        The metric that decides, its allowed drop, and the segments looked at.
    """
    schema = reference.schema
    try:
        mine = rows.filter(pc.equal(rows.column(MODEL_VERSION), version))
        labelled = mine.filter(pc.is_valid(mine.column(LABEL)))
        if not labelled.num_rows:
            return []
        labels = labelled.column(LABEL).to_numpy()
        predictions = labelled.column(schema.prediction).to_numpy()
        whole = performance(labels, predictions, schema)
        parts = segment_performance(
            labels,
            predictions,
            labelled,
            schema,
            segments=policy.segments,
            metric=policy.metric,
        )
        apart = wobble_of(reference, policy.metric) or 0.0
        scores = performance_scores(whole, reference.performance, policy, apart)
        return scores + segment_scores(parts, reference.segments, policy)
    except Exception as error:  # noqa: BLE001 - the other checks must not be lost with this one
        return [_failed(rows, policy.metric, error)]


def _failed(rows: pa.Table, metric: str, error: Exception) -> Score:
    return Score(
        check=Check.PERFORMANCE,
        column=None,
        method=metric,
        value=None,
        threshold=None,
        breach_when=BreachWhen.BELOW,
        n_reference=0,
        n_current=rows.num_rows,
        detail=f"performance could not be computed: {type(error).__name__}: {error}",
        failed=True,
    )
