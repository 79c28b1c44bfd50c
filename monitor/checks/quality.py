"""Quality: is what arrived the same thing as before, whatever its distribution?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from monitor.batch import Refused, SchemaChange
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import FloatArray
from monitor.reference import ColumnReference, NumericReference, Reference
from monitor.schema import Kind
from monitor.values import CategoricalValues, NumericValues, Values, only_value, share_of


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


BY_CHANCE = 0.001
"""A column that stands still is spoken of when chance does that less often."""

MISSING = "missing"
"""Method of the score of values that are not there."""

OUT_OF_RANGE = "out_of_range"
"""Method of the score of numbers far outside the reference's range."""

INFINITE = "infinite"
"""Method of the score of numbers that no process makes."""

REPEATED = "repeated"
"""Method of the score of rows that repeat others."""

REPEATED_JUMP = 0.1
"""Rise of their share over the reference's from which on a load has run twice."""

REFUSED = "refused"
"""Method of the score of rows that could not be stored."""


def quality_scores(
    name: str, reference: ColumnReference, current: Values, policy: QualityPolicy
) -> list[Score]:
    """Score a feature's share of missing, and of unseen or far out values; and whether it stands.

    Parameters
    ----------
    name : str
        The column.
    reference : ColumnReference
        Its side of the reference, prepared.
    current : Values
        The window's side.
    policy : QualityPolicy
        The limits.
    """
    if isinstance(current, NumericValues):
        assert isinstance(reference, NumericReference)
        # An infinite value is no number to compare, but one that is there, and far out.
        n_values = current.n_rows - current.n_null
        n_strange = n_values - current.n_values + _n_far_out(reference, current.values)
        # A column that stood still has no range: when it begins to move, that is news, not damage.
        limit = policy.out_of_range if reference.high > reference.low else None
        method = OUT_OF_RANGE
    else:
        assert isinstance(reference, CategoricalValues)
        n_values, n_strange = current.n_values, _n_unseen(reference, current)
        method, limit = "unseen", policy.unseen if len(reference.levels) > 1 else None
    before = reference.n_null / reference.n_rows if reference.n_rows else 0.0
    most = before + policy.null_jump
    missing = _share(MISSING, name, reference, current.n_null, current.n_rows, limit=most)
    return [
        replace(missing, reference_value=before),
        _share(method, name, reference, n_strange, n_values, limit=limit),
        *_infinite(name, reference, current, policy),
        *_standing(name, reference, current),
    ]


def date_scores(reference: Reference, current: pa.Table, policy: QualityPolicy) -> list[Score]:
    """Score how many of a window's dates are missing; nothing else of a date is compared.

    Parameters
    ----------
    reference : Reference
        Says how many miss there.
    current : pyarrow.Table, shape (n_rows, n_columns)
        The window.
    policy : QualityPolicy
        The limits.
    """
    return [
        Score(
            check=Check.QUALITY,
            column=name,
            method=MISSING,
            value=current.column(name).null_count / current.num_rows if current.num_rows else None,
            threshold=before + policy.null_jump,
            breach_when=BreachWhen.ABOVE,
            n_reference=reference.n_rows,
            n_current=current.num_rows,
            kind=Kind.DATE,
            reference_value=before,
        )
        for name, before in reference.missing_dates.items()
    ]


def _infinite(
    name: str, reference: ColumnReference, current: Values, policy: QualityPolicy
) -> Iterator[Score]:
    """Yield a score for a column with infinite numbers: these are damage, however it moves."""
    if not isinstance(current, NumericValues):
        return
    n_values = current.n_rows - current.n_null
    if n_values > current.n_values:
        n_infinite = n_values - current.n_values
        yield _share(INFINITE, name, reference, n_infinite, n_values, limit=policy.out_of_range)


def _standing(name: str, reference: ColumnReference, current: Values) -> Iterator[Score]:
    """Yield a score, without a limit, for a column that stands still and did not in the reference.

    It may be broken, or a month that every row of a week shares: that is for a person to say.
    """
    value = only_value(current)
    if value is None:
        return
    share = share_of(reference, value)
    if share < 1 and share**current.n_values < BY_CHANCE:
        shown = value if isinstance(value, str) else f"{value:g}"
        found = _share("constant", name, reference, current.n_values, current.n_values, limit=None)
        yield replace(found, reference_value=share, detail=f"every value is {shown}")


def gaps(scores: Iterable[Score]) -> frozenset[str]:
    """Return the columns that miss more values than is put up with."""
    return frozenset(
        str(score.column)
        for score in scores
        if score.method == MISSING
        and score.value is not None
        and score.threshold is not None
        and score.value > score.threshold
    )


def repeated_score(
    reference: float | None, current: float | None, n_rows: int, *, jump: float | None = None
) -> Score:
    """Score the share of rows that repeat an earlier one in every feature.

    Parameters
    ----------
    reference, current : float or None
        The share on both sides, 0-1.
    n_rows : int
        Rows of the window.
    jump : float or None
        Rise over the reference's that is put up with. The reference is longer than a window and
        repeats itself more, so that a rise is nothing but a load that ran twice.
    """
    return Score(
        check=Check.QUALITY,
        column=None,
        method=REPEATED,
        value=current,
        threshold=None if jump is None or reference is None else reference + jump,
        breach_when=BreachWhen.ABOVE,
        n_reference=0,
        n_current=n_rows,
        reference_value=reference,
    )


def unread(name: str, reference: ColumnReference, reason: str) -> Score:
    """Return the failed score of a column that could not be read."""
    blank = _share(MISSING, name, reference, 0, 0, limit=None)
    return replace(blank, detail=reason, failed=True)


def change_scores(
    changes: Sequence[SchemaChange], n_rows: int, policy: QualityPolicy
) -> list[Score]:
    """Score how many of a window's rows came with a column missing, extra or of another type.

    Parameters
    ----------
    changes : sequence of SchemaChange
        How the window's batches differed from the schema.
    n_rows : int
        Rows of the window.
    policy : QualityPolicy
        The limit.
    """
    return [_change_score(change, n_rows, policy) for change in changes]


def _n_unseen(reference: CategoricalValues, current: CategoricalValues) -> int:
    known = set(reference.levels)
    counted = zip(current.levels, current.counts.tolist(), strict=True)
    return sum(count for level, count in counted if level not in known)


def _n_far_out(reference: NumericReference, ordered: FloatArray) -> int:
    if not reference.n_values:
        return 0
    width = reference.high - reference.low
    first = np.searchsorted(ordered, reference.low - width, "left")
    end = np.searchsorted(ordered, reference.high + width, "right")
    return int(ordered.size - (end - first))


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


def refusal_scores(refused: Refused, n_rows: int, policy: QualityPolicy) -> list[Score]:
    """Score the share of rows that were refused; none where nothing was.

    Examples
    --------
    >>> [score.value for score in refusal_scores(Refused(1, ("bad_id",)), 3, QualityPolicy())]
    [0.25]
    """
    if not refused.n_rows:
        return []
    n_sent = refused.n_rows + n_rows
    return [
        Score(
            check=Check.QUALITY,
            column=None,
            method=REFUSED,
            value=refused.n_rows / n_sent,
            threshold=policy.refused,
            breach_when=BreachWhen.ABOVE,
            n_reference=0,
            n_current=n_sent,
            detail=", ".join(refused.reasons),
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
