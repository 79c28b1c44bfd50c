"""Quality: is what arrived the same thing as before, whatever its distribution?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import SchemaChange
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import Columns, FloatArray, numbers, texts
from monitor.reference import CategoricalReference, ColumnReference, NumericReference, Reference


@dataclass(frozen=True)
class QualityPolicy:
    """From when on a column counts as broken, not merely moved.

    Parameters
    ----------
    null_jump : float
        Rise of the share of missing values over the reference's, in 0-1.
    unseen : float
        Share of values that the reference never had (categorical).
    out_of_range : float
        Share of values further outside the reference's .1-99.9 % range than that range is wide.
        A season moves a column past the edge; a wrong unit throws it far beyond.
    schema_change : float
        Share of rows in which a column is missing, extra or of another type.
    refused : float
        Share of the rows sent that could not be stored.
    """

    null_jump: float = 0.1
    unseen: float = 0.5
    out_of_range: float = 0.05
    schema_change: float = 0.01
    refused: float = 0.01


REFUSED = "refused"
"""Method of the score of rows that could not be stored."""


def quality_scores(
    reference: Reference,
    current: Columns,
    changes: Sequence[SchemaChange],
    policy: QualityPolicy,
) -> list[Score]:
    """Score every feature's share of missing, unseen and out-of-range values.

    A column that cannot be scored is a failed score of its own; the others are not touched.

    Parameters
    ----------
    reference : Reference
        What the rows are compared with.
    current : Columns, n_rows rows
        The window's rows.
    changes : sequence of SchemaChange
        How the window's batches differed from the schema.
    policy : QualityPolicy
        The limits.
    """
    scores: list[Score] = []
    present = set(current.names)
    for name in reference.schema.features:
        if name not in reference.columns or name not in present:
            continue
        column = reference.columns[name]
        try:
            scores += _column_scores(name, column, current.column(name), policy)
        except Exception as error:  # noqa: BLE001 - one broken column never loses the rest
            blank = _share("missing", name, column, 0, 0, limit=None)
            detail = f"{type(error).__name__}: {error}"
            scores.append(replace(blank, detail=detail, failed=True))
    return scores + [_change_score(change, current.n_rows, policy) for change in changes]


def _column_scores(
    name: str, column: ColumnReference, current: pa.ChunkedArray, policy: QualityPolicy
) -> Iterator[Score]:
    if isinstance(column, NumericReference):
        rows = numbers(current)
        values = rows[~np.isnan(rows)]
        method, n_outside, limit = "out_of_range", _n_far_out(column, values), policy.out_of_range
    else:
        values = texts(current).drop_null()
        method, n_outside, limit = "unseen", _n_unseen(column, values), policy.unseen
    before = column.n_null / column.n_rows if column.n_rows else 0.0
    n_missing = len(current) - len(values)
    missing = _share(
        "missing", name, column, n_missing, len(current), limit=before + policy.null_jump
    )
    yield replace(missing, reference_value=before)
    yield _share(method, name, column, n_outside, len(values), limit=limit)


def _n_far_out(column: NumericReference, values: FloatArray) -> int:
    if not column.values.size:
        return 0
    # A column that hardly ever moves has no width; its spread stands in for it.
    width = max(column.high - column.low, column.std)
    outside = (values < column.low - width) | (values > column.high + width)
    return int(outside.sum())


def _n_unseen(column: CategoricalReference, values: pa.ChunkedArray) -> int:
    known = pc.is_in(values, value_set=pa.array(column.levels, pa.string()))
    return len(values) - int(pc.sum(known).as_py() or 0)


def _share(
    method: str, name: str, column: ColumnReference, part: int, whole: int, *, limit: float | None
) -> Score:
    return Score(
        check=Check.QUALITY,
        column=name,
        method=method,
        value=part / whole if whole else None,
        threshold=limit,
        breach_when=BreachWhen.ABOVE,
        n_reference=column.n_rows,
        n_current=whole,
        kind=column.kind,
    )


def refusal_scores(n_refused: int, n_rows: int, policy: QualityPolicy) -> list[Score]:
    """Score the share of rows that were refused; none where nothing was.

    Examples
    --------
    >>> [score.value for score in refusal_scores(1, 3, QualityPolicy())]
    [0.25]
    """
    if not n_refused:
        return []
    n_sent = n_refused + n_rows
    return [
        Score(
            check=Check.QUALITY,
            column=None,
            method=REFUSED,
            value=n_refused / n_sent,
            threshold=policy.refused,
            breach_when=BreachWhen.ABOVE,
            n_reference=0,
            n_current=n_sent,
        )
    ]


def _change_score(change: SchemaChange, n_rows: int, policy: QualityPolicy) -> Score:
    return Score(
        check=Check.QUALITY,
        column=change.column,
        method=f"schema_{change.change}",
        value=min(1.0, change.n_rows / n_rows) if n_rows else None,
        threshold=policy.schema_change,
        breach_when=BreachWhen.ABOVE,
        n_reference=0,
        n_current=n_rows,
    )
