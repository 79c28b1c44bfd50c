"""Foreign: a version out of a model that was fitted elsewhere."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.checks.performance import performance
from monitor.errors import BundleRefusedError
from monitor.reference import Reference
from monitor.schema import Task
from retrain.bundle import Bundle, Lineage
from retrain.dataset import conform, from_table
from retrain.importance import permutation_importance
from retrain.prediction import predict
from retrain.version import Retrained, watched_only


def foreign_version(
    pipeline: Any, table: pa.Table, model: Retrained, *, before: Reference, why: str
) -> Bundle:
    """Make a version of a fitted pipeline, with the model's reference as this one predicts it.

    Parameters
    ----------
    pipeline : object
        A fitted scikit-learn estimator that takes the model's features in a frame: numbers as
        float64 with NaN, levels as str with None.
    table : pyarrow.Table, shape (n_rows, n_columns)
        The labelled reference rows in the log's shape.
    model : Retrained
        The model.
    before : Reference
        The champion's; what it says of performance stays, and so does not get easier.
    why : str
        Where the model comes from.

    Raises
    ------
    BundleRefusedError
        If it cannot predict these rows as a model of this task does.
    """
    schema = model.schema
    try:
        made = predict(pipeline, conform(table, schema), schema)
    except Exception as error:
        raise BundleRefusedError(
            f"the model cannot predict the reference of {model.name!r}: "
            f"{type(error).__name__}: {error}"
        ) from error
    _check_values(made, model)
    predicted = pa.array(made, from_pandas=True)
    names = [name for name in table.column_names if name != schema.prediction]
    rows = table.select(names).append_column(schema.prediction, predicted)
    bundle = watched_only(rows, model, pipeline)
    labelled = from_table(rows, schema, "_label")
    reached = performance(labelled.target, predict(pipeline, labelled.features, schema), schema)
    reference = replace(
        bundle.reference,
        performance=before.performance,
        segments=before.segments,
        importance=permutation_importance(pipeline, labelled, schema, model.seed),
    )
    # Nobody here knows what it was fitted on: any row may decide about its successor.
    lineage = Lineage(
        **{**vars(bundle.lineage), "reason": why, "trained_from": None, "trained_until": None}
    )
    return replace(bundle, reference=reference, pipeline=pipeline, gate=reached, lineage=lineage)


def _check_values(made: Any, model: Retrained) -> None:
    schema = model.schema
    if schema.task is Task.MULTICLASS:
        unknown = sorted(set(map(str, made)) - set(schema.classes))
        if unknown:
            known = ", ".join(schema.classes)
            raise BundleRefusedError(f"the model predicts {unknown[0]!r}, and not one of {known}")
    elif not np.isfinite(np.asarray(made, dtype=np.float64)).all():
        raise BundleRefusedError("the model predicts what is no finite number on the reference")
