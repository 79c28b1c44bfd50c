"""Columns of a window, each read once and put to the checks that look at one column."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from monitor.checks.drift import DriftPolicy, drift_score, unscored
from monitor.checks.quality import QualityPolicy, quality_scores, unread
from monitor.checks.score import Score
from monitor.columns import Columns
from monitor.reference import ColumnReference, Reference
from monitor.values import Values, read_values

COLUMNS_AT_ONCE = 2
"""Columns in memory at a time. Most of the work is Arrow's and NumPy's, which share the cores."""


def column_scores(
    reference: Reference, current: Columns, drift: DriftPolicy, quality: QualityPolicy
) -> list[Score]:
    """Score drift of every prepared column, and quality of the features among them.

    One column never costs another its score: where a column is missing, has no values or cannot
    be compared, its score has no value and says why. A target that has not come yet has no score.

    Parameters
    ----------
    reference : Reference
        The prepared reference.
    current : Columns, n_rows rows
        The window's rows; two columns are in memory at a time.
    drift, quality : DriftPolicy, QualityPolicy
        Methods and limits.

    Returns
    -------
    list of Score
        By column in the order of the reference's, not judged yet.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from monitor.columns import TableColumns
    >>> from monitor.reference import prepare
    >>> from monitor.schema import Kind, Schema, Task
    >>> schema = Schema(Task.REGRESSION, {"x": Kind.NUMERIC, "y": Kind.CATEGORICAL}, "label")
    >>> before = TableColumns(pa.table({"x": range(10), "y": ["a", "b"] * 5}))
    >>> after = TableColumns(pa.table({"x": range(9, 19), "y": [None] * 10}))
    >>> reference = prepare(before, schema, performance={})
    >>> for score in column_scores(reference, after, DriftPolicy(), QualityPolicy()):
    ...     print(score.column, score.method, score.value)
    x ks 0.00021650176448938054
    x missing 0.0
    x out_of_range 0.1
    y z None
    y missing 1.0
    y unseen None
    """
    present = set(current.names)
    names = [n for n in reference.columns if n in present or n != reference.schema.target]
    of_one = partial(_scores_of, reference, current, drift, quality)
    with warnings.catch_warnings(), ThreadPoolExecutor(COLUMNS_AT_ONCE) as pool:
        # Filters belong to the process, not to a thread. SciPy says where its exact count
        # overflows; the asymptotic value that it falls back to is Evidently's, too.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation", RuntimeWarning)
        return [score for scores in pool.map(of_one, names) for score in scores]


def _scores_of(
    reference: Reference, current: Columns, drift: DriftPolicy, quality: QualityPolicy, name: str
) -> list[Score]:
    before = reference.columns[name]
    is_feature = name in reference.schema.features
    if name not in current.names:
        return [drift_score(name, before, None, drift)]
    try:
        values = read_values(current, name, before.kind)
    except Exception as error:  # noqa: BLE001 - whatever breaks stays visible in this column alone
        reason = f"{type(error).__name__}: {error}"
        failed = replace(unscored(name, before, None, drift), failed=True, detail=reason)
        return [failed, unread(name, before, reason)] if is_feature else [failed]
    scores = [_drift_or_failure(name, before, values, drift)]
    if is_feature:
        scores += quality_scores(name, before, values, quality)
    return scores


def _drift_or_failure(
    name: str, reference: ColumnReference, current: Values, policy: DriftPolicy
) -> Score:
    try:
        return drift_score(name, reference, current, policy)
    except Exception as error:  # noqa: BLE001 - a method may fail in any way
        score = unscored(name, reference, current, policy)
        return replace(score, failed=True, detail=f"{type(error).__name__}: {error}")
