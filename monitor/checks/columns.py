"""Columns of a window, each read once and put to the checks that look at one column."""

import threading
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from monitor.checks.drift import DriftPolicy, drift_score, unscored
from monitor.checks.quality import QualityPolicy, quality_scores, unread
from monitor.checks.score import Score
from monitor.columns import Columns
from monitor.errors import LeewayError
from monitor.reference import ColumnReference, Reference
from monitor.schema import Kind
from monitor.values import Values, read_values

COLUMNS_AT_ONCE = 2
"""Columns of the window in memory at a time. Most of the work is reading and sorting, in Arrow and
NumPy, which let go of Python's lock."""

_comparing = threading.Lock()
"""Two columns are read at a time and compared one after the other: only one of the reference is in
memory, and Evidently's functions, which share warnings and random numbers, never meet."""


def column_scores(
    reference: Reference,
    current: Columns,
    drift: DriftPolicy,
    quality: QualityPolicy,
    *,
    kinds: Mapping[str, Kind] | None = None,
    columns_at_once: int = COLUMNS_AT_ONCE,
) -> list[Score]:
    """Score drift of every prepared column, and quality of the features among them.

    One column never costs another its score: where a column is missing, has no values or cannot
    be compared, its score has no value and says why. A target that has not come yet has no score.

    Parameters
    ----------
    reference : Reference
        The prepared reference.
    current : Columns, n_rows rows
        The window's rows.
    drift, quality : DriftPolicy, QualityPolicy
        Methods and limits.
    kinds : mapping of str to Kind or None
        How each column is compared; None is as the schema says.
    columns_at_once : int
        Columns that are read side by side. Both sides of one column always are: 1 is right where
        the reference's has to be read and sorted as well.

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
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(columns_at_once) as pool,
        ThreadPoolExecutor(columns_at_once) as beside,
    ):
        # Filters belong to the process, not to a thread. SciPy says where its exact count
        # overflows; the asymptotic value that it falls back to is Evidently's, too.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation", RuntimeWarning)
        of_one = partial(
            _scores_of,
            _Sides(reference, current, kinds or reference.schema.kinds(), beside),
            drift,
            quality,
        )
        return [score for scores in pool.map(of_one, names) for score in scores]


@dataclass(frozen=True)
class _Sides:
    """Both sides, and the thread that fetches the reference's while the window's is read."""

    reference: Reference
    current: Columns
    kinds: Mapping[str, Kind]
    beside: ThreadPoolExecutor

    def read(self, name: str) -> tuple[ColumnReference, Values | None, str]:
        """Return one column of both; without the window's side, why it could not be read."""
        fetched = self.beside.submit(self.reference.columns.__getitem__, name)
        values, reason = None, ""
        if name in self.current.names:
            try:
                values = read_values(self.current, name, self.kinds[name])
            except LeewayError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - it stays visible in this column alone
                reason = f"{type(error).__name__}: {error}"
        return fetched.result(), values, reason


def _scores_of(sides: _Sides, drift: DriftPolicy, quality: QualityPolicy, name: str) -> list[Score]:
    before, values, reason = sides.read(name)
    is_feature = name in sides.reference.schema.features
    if reason:
        failed = replace(unscored(name, before, None, drift), failed=True, detail=reason)
        return [failed, unread(name, before, reason)] if is_feature else [failed]
    with _comparing:
        scores = [_drift_or_failure(name, before, values, drift)]
    if is_feature and values is not None:
        scores += quality_scores(name, before, values, quality)
    return scores


def _drift_or_failure(
    name: str, reference: ColumnReference, current: Values | None, policy: DriftPolicy
) -> Score:
    try:
        return drift_score(name, reference, current, policy)
    except LeewayError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - a method may fail in any way
        reason = f"{type(error).__name__}: {error}"
    return replace(unscored(name, reference, current, policy), failed=True, detail=reason)
