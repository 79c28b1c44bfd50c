"""Performances: how good the predictions were on both sides of a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.body import Body
from monitor.checks.performance import performance
from monitor.columns import Columns
from monitor.fitting import Misfits, fit_column
from monitor.inferred import infer_outcome
from monitor.reference import Estimate
from monitor.schema import Schema, Task


@dataclass(frozen=True)
class Performances:
    """The metrics of both sides.

    Parameters
    ----------
    schema : Schema
        The task and its classes; no features.
    reference, current : mapping of str to Estimate
        The metrics; none where a side has no labelled predictions.
    """

    schema: Schema
    reference: Mapping[str, Estimate]
    current: Mapping[str, Estimate]

    @property
    def notes(self) -> list[str]:
        """What was inferred, and what there was nothing to compute from."""
        task, classes = self.schema.task, self.schema.classes
        positive = f", positive class {classes[-1]!r}" if task is Task.BINARY else ""
        sides = {"the reference": self.reference, "the current rows": self.current}
        notes = [f"performance: taken for {task}{positive}"]
        notes += [f"performance: no labelled predictions in {s}" for s, m in sides.items() if not m]
        return notes


def compute_performances(
    reference: Columns, current: Columns, *, target: str, prediction: str, task: Task | None
) -> Performances:
    """Compute the metrics of both sides; classes are the reference's.

    Parameters
    ----------
    reference, current : Columns
        Both sides.
    target, prediction : str
        The columns with the label and the prediction; either may be missing from `current`.
    task : Task or None
        None is inferred from the reference's labels.

    Raises
    ------
    SchemaError
        If the reference's labels cannot be predicted.
    """
    found = infer_outcome(_read(reference, target), target, task)
    schema = Schema(found.task, {}, target, prediction, classes=found.classes)
    sides = [_side(columns, schema) for columns in (reference, current)]
    return Performances(schema, *sides)


def _side(columns: Columns, schema: Schema) -> Mapping[str, Estimate]:
    names = {schema.target: schema.target_kind, schema.prediction: schema.prediction_kind}
    if not names.keys() <= set(columns.names):
        return {}
    body = Body({name: _read(columns, name) for name in names}, columns.n_rows)
    # As the service reads them: what is no label or no prediction is missing.
    fitted = (fit_column(body, name, kind, schema, Misfits()) for name, kind in names.items())
    labels, predictions = map(np.asarray, fitted)
    return performance(labels, predictions, schema)


def _read(columns: Columns, name: str) -> pa.ChunkedArray:
    chunks = list(columns.chunks(name))
    return pa.chunked_array(chunks)
