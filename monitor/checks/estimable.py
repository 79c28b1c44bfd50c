"""Estimable: a reference prepared so that performance can be estimated without labels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from monitor.back_test import LEAST_WINDOWS, BackTest
from monitor.batch import CHANCES
from monitor.cells import typical, windows
from monitor.chances import chances_of
from monitor.checks.estimate import (
    LOSSES,
    SEED,
    Abstention,
    Current,
    as_numbers,
    estimate,
    measured,
)
from monitor.columns import Columns, FloatArray, IntArray
from monitor.dependence import Dependence, dependence
from monitor.reference import Z95, Cut, Estimate, Reference
from monitor.sample import Outcomes, Sample, sample_of
from monitor.schema import Schema

MOST_TESTED = 13
"""Windows that are estimated, spread over the reference: a quarter of weekly ones says enough."""


def estimable(reference: Reference, columns: Columns, cut: Cut, metric: str) -> Reference:
    """Keep a sample of a reference's labelled rows, and back-test estimates on its windows.

    Parameters
    ----------
    reference : Reference
        Prepared from these rows.
    columns : Columns, n_rows rows
        The rows, with labels and predictions; of several classes perhaps with ``_chances``.
    cut : Cut
        How they fall into windows.
    metric : str
        The metric that decides.
    """
    schema = reference.schema
    if schema.target not in columns.names or schema.prediction not in columns.names:
        return reference
    cells = windows(cut.event_at, cut.policy)
    usual = np.isin(cells.of_row, typical(cells))
    outcomes = Outcomes(
        _outcome(columns, schema.prediction, schema),
        _outcome(columns, schema.target, schema),
        _chances(columns, schema),
    )
    kinds = {**schema.compared, schema.prediction: schema.prediction_kind}
    of_row = np.where(usual, cells.of_row, -1)
    sample = sample_of(columns, kinds, outcomes, of_row, SEED)
    return replace(
        reference,
        sample=sample,
        back_test=back_test(sample, schema, metric),
        dependence=_dependence(sample, schema),
        by_window={metric: _by_window(outcomes, of_row, schema, metric)},
    )


def _by_window(
    outcomes: Outcomes, windows: IntArray, schema: Schema, metric: str
) -> tuple[Estimate, ...]:
    """Measure each window on all its rows: on a draw of them sampling would hide the wobble."""
    known = np.isfinite(outcomes.predictions) & np.isfinite(outcomes.labels) & (windows >= 0)
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(windows[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(windows[rows])) + 1
    each = [measured(outcomes.take(one), schema, metric) for one in np.split(rows, starts)]
    return tuple(one for one in each if one is not None)


def _dependence(sample: Sample, schema: Schema) -> Dependence | None:
    """Leave the prediction out: it follows the features, and out of fold another way than later."""
    names = [name for name in sample.levels if name != schema.prediction]
    return dependence(sample, names, SEED) if len(names) > 1 else None


def back_test(sample: Sample, schema: Schema, metric: str) -> BackTest:
    """Estimate reference windows, each from the rows of the others, and hold them against labels.

    A crash is a back-test that says why there is none: a version is worth more than its estimates.
    """
    found = _back_test(sample, schema, metric)
    if sample.outcomes.chances is None or metric not in LOSSES:
        return found
    return replace(found, classes_alone=_back_test(sample.without_chances(), schema, metric))


def _back_test(sample: Sample, schema: Schema, metric: str) -> BackTest:
    known = np.unique(sample.windows[sample.windows >= 0])
    if known.size < LEAST_WINDOWS:
        return BackTest(metric, (), int(known.size))
    try:
        spread = np.linspace(0, known.size - 1, min(known.size, MOST_TESTED)).round()
        chosen = known[np.unique(spread.astype(np.int64))]
        errors, reasons = _errors(sample, chosen.tolist(), schema, metric)
    except Exception as error:  # noqa: BLE001 - it is told wherever an estimate would stand
        return BackTest(metric, (), int(known.size), f"{type(error).__name__}: {error}")
    return BackTest(metric, tuple(errors), int(known.size), reasons[0] if reasons else "")


def _errors(
    sample: Sample, chosen: Sequence[int], schema: Schema, metric: str
) -> tuple[list[float], list[str]]:
    """Return the errors of windows, and why others have none; enough of the latter end the test."""
    errors: list[float] = []
    reasons: list[str] = []
    for window in chosen:
        one = _error(sample, window, schema, metric)
        if isinstance(one, float):
            errors.append(one)
        else:
            reasons.append(one)
        if len(chosen) - len(reasons) < LEAST_WINDOWS:
            break
    return errors, reasons


def _error(sample: Sample, window: int, schema: Schema, metric: str) -> float | str:
    """Return how far the estimate of one window was off, in half bands; or why there is none."""
    left_out = sample.windows == window
    rest, held = (sample.take(np.flatnonzero(rows)) for rows in (~left_out, left_out))
    current = Current(held.features, held.outcomes.predictions, held.outcomes.chances)
    found = estimate(rest, current, schema, metric)
    if isinstance(found, Abstention):
        return found.reason
    real = measured(held.outcomes, schema, metric)
    if real is None or not found.standard_error:
        return "its labels do not define the metric"
    return float(abs(found.value - real.value) / (Z95 * found.standard_error))


def _outcome(columns: Columns, name: str, schema: Schema) -> FloatArray:
    values = pa.chunked_array([*columns.chunks(name)]).to_numpy()
    return as_numbers(values, schema, are_labels=name == schema.target)


def _chances(columns: Columns, schema: Schema) -> FloatArray | None:
    if CHANCES not in columns.names:
        return None
    return chances_of(pa.chunked_array([*columns.chunks(CHANCES)]), len(schema.classes))
