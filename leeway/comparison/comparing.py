"""Comparing: two tables in, a comparison out: no server, no store, no configuration."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from leeway.comparison.comparison import Comparison
from leeway.comparison.performances import Performances, compute_performances
from leeway.comparison.unprepared import UnpreparedColumns
from monitor.adapters.column_files import open_columns
from monitor.alignment import align
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy, performance_scores
from monitor.checks.performance import default_metric
from monitor.checks.quality import QualityPolicy, repeated_score
from monitor.checks.score import Check, Score, Status
from monitor.columns import Columns
from monitor.duplicates import repeated_ratio
from monitor.errors import SchemaError
from monitor.inferred import is_text, kind_of
from monitor.pairing import TypedColumns, listed, pair
from monitor.reference import Reference
from monitor.schema import Kind, Schema, Task
from monitor.verdict import Basis, Verdict, VerdictPolicy, judge
from monitor.window import LabelPolicy, WindowPolicy

NO_COLUMN = "\0"
"""Name of the target and of the prediction where there is none."""


@dataclass(frozen=True)
class Question:
    """What a person wants to know of two tables; None is inferred from the reference.

    Parameters
    ----------
    target, prediction : str or None
        The columns with the label and the prediction; with both, performance is compared.
    task : Task or None
        What the model predicts.
    drift : DriftPolicy
        Methods and limits that differ from Evidently's.
    columns : sequence of str or None
        Compare only these.
    """

    target: str | None = None
    prediction: str | None = None
    task: Task | None = None
    drift: DriftPolicy = field(default_factory=DriftPolicy)
    columns: Sequence[str] | None = None

    @property
    def named(self) -> list[str]:
        """The columns with a role."""
        return [name for name in (self.target, self.prediction) if name is not None]


def compare(  # noqa: PLR0913 - one argument for each thing a person may know
    *,
    reference: object,
    current: object,
    target: str | None = None,
    prediction: str | None = None,
    task: str | None = None,
    methods: Mapping[str, str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    share_drifted: float = 0.5,
    columns: Sequence[str] | None = None,
) -> Comparison:
    """Compare two tables by Evidently's methods and defaults, and judge what has drifted.

    Parameters
    ----------
    reference, current : frame, table, str or Path
        Frames of pandas or polars, Arrow tables, or Parquet, Arrow or CSV files; files are read
        one column at a time.
    target, prediction : str or None
        The columns with the label and the prediction. With both, performance is compared too; a
        prediction is the positive class's probability (binary), the class or the value.
    task : {"binary", "multiclass", "regression"} or None
        None is inferred from the target.
    methods : mapping of str to str or None
        Column to method, any of Evidently's; None takes its defaults.
    thresholds : mapping of str to float or None
        Column to threshold, in the unit of its method; None takes the methods' defaults.
    share_drifted : float, 0 to 1
        The share of drifted columns from which the status is BREACH.
    columns : sequence of str or None
        Compare only these; None means all but times, ids and nested columns.

    Returns
    -------
    Comparison
        Scores, thresholds and statuses.

    Raises
    ------
    SchemaError
        If a side cannot be read or has no rows, if no column is in both, or if a column that was
        named is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> found = compare(
    ...     reference=pd.DataFrame({"x": range(100), "y": ["a", "b"] * 50}),
    ...     current=pd.DataFrame({"x": range(90, 190), "y": ["a", "b"] * 50}),
    ... )
    >>> print(found)
    1 of 2 columns has drifted (share 0.50, limit 0.50): BREACH
    >>> [(score.column, score.method, score.status.value) for score in found.columns]
    [('x', 'ks', 'BREACH'), ('y', 'z', 'OK')]
    """
    if task is not None and task not in list(Task):
        raise SchemaError(f"task {task!r}: expected one of {', '.join(Task)}")
    drift = DriftPolicy(methods or {}, thresholds or {}, share_drifted)
    question = Question(target, prediction, Task(task) if task else None, drift, columns)
    with open_columns(reference) as before, open_current(current, before) as after:
        return compare_columns(before, after, question)


def open_current(source: object, reference: TypedColumns) -> AbstractContextManager[TypedColumns]:
    """Open the other side; a CSV's column that is text in the reference is text there, too."""
    texts = [name for name in reference.names if is_text(reference.dtype(name))]
    return open_columns(source, texts)


def compare_columns(
    reference: TypedColumns, current: TypedColumns, question: Question
) -> Comparison:
    """Compare the columns of two sides; see `compare`.

    Raises
    ------
    SchemaError
        If a side has no rows, if no column is in both, or if one that was named is not there.
    """
    _check(reference, current, question)
    paired = pair(reference=reference, current=current, only=question.columns, named=question.named)
    performances = _performances(reference, current, question)
    kinds = {**paired.kinds, **_outcome_kinds(reference, performances, paired.kinds)}
    sides = (align(reference, current, kinds), align(current, reference, kinds))
    before = UnpreparedColumns(sides[0], kinds)
    schema = _schema(question, kinds)
    known = Reference(schema, before, {}, reference.n_rows)
    scores = before.with_failures(
        column_scores(
            known, sides[1], question.drift, QualityPolicy(), kinds=kinds, columns_at_once=1
        )
    )
    scores += _repeated(*sides, schema, scores)
    verdict = _judge(scores, current.n_rows, schema, performances, question)
    return Comparison(
        verdict=verdict,
        target=question.target,
        limit=question.drift.share_drifted,
        reference_performance=performances.reference if performances else {},
        n_reference=reference.n_rows,
        n_current=current.n_rows,
        notes=(*paired.notes, *_notes(verdict, current, performances, question.target)),
    )


def _check(reference: TypedColumns, current: TypedColumns, question: Question) -> None:
    for side, columns in (("reference", reference), ("current", current)):
        if not columns.n_rows:
            raise SchemaError(f"the {side} side has no rows")
    for name in (*question.drift.methods, *question.drift.thresholds):
        if name not in reference.names:
            raise SchemaError(f"a method or threshold is for column {name!r}; there is none")


def _performances(
    reference: TypedColumns, current: TypedColumns, question: Question
) -> Performances | None:
    if question.target is None or question.prediction is None:
        return None
    return compute_performances(
        reference,
        current,
        target=question.target,
        prediction=question.prediction,
        task=question.task,
    )


def _outcome_kinds(
    reference: TypedColumns, performances: Performances | None, kinds: Mapping[str, Kind]
) -> dict[str, Kind]:
    """Return how target and prediction are compared, now that the task is known."""
    if performances is None:
        return {}
    schema = performances.schema
    wanted = {schema.target: schema.target_kind, schema.prediction: schema.prediction_kind}
    return {
        name: kind
        for name, kind in wanted.items()
        # Classes are predicted as text, too; text is never compared as numbers.
        if name in kinds and kind_of(reference.dtype(name)) in (kind, Kind.NUMERIC)
    }


def _schema(question: Question, kinds: Mapping[str, Kind]) -> Schema:
    features = {name: kind for name, kind in kinds.items() if name not in question.named}
    task = question.task or Task.REGRESSION  # without an outcome nothing asks for it
    return Schema(task, features, question.target or NO_COLUMN, question.prediction or NO_COLUMN)


def _repeated(
    reference: Columns, current: Columns, schema: Schema, scores: Sequence[Score]
) -> Iterator[Score]:
    """Yield the share of repeated rows, over the features that both sides have and can be read."""
    broken = {score.column for score in scores if score.failed}
    both = set(reference.names) & set(current.names) - broken
    features = {name: kind for name, kind in schema.features.items() if name in both}
    if features:
        before, after = (repeated_ratio(columns, features) for columns in (reference, current))
        yield repeated_score(before, after, current.n_rows)


def _judge(
    scores: list[Score],
    n_rows: int,
    schema: Schema,
    performances: Performances | None,
    question: Question,
) -> Verdict:
    task = performances.schema.task if performances else schema.task
    decides = PerformancePolicy(default_metric(task))
    if performances:
        scores += performance_scores(performances.current, performances.reference, decides)
    policy = VerdictPolicy(WindowPolicy(), LabelPolicy(), question.drift, decides)
    # One look at all there is: no window is too small, and no label is still to come.
    all_there = Basis(n_rows, enough_rows=0, provisional=False)
    return judge(scores, all_there, policy, target=schema.target)


def _notes(
    verdict: Verdict, current: TypedColumns, performances: Performances | None, target: str | None
) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for score in verdict.scores:
        unscored = score.status in (Status.ERROR, Status.NO_DATA) and score.column in current.names
        if score.check is Check.DRIFT and unscored:
            reasons.setdefault(f"{score.status}: {score.detail}", []).append(str(score.column))
    for reason, names in reasons.items():
        yield f"not compared ({reason}): {listed(names)}"
    if any(score.check is Check.DRIFT and score.column == target for score in verdict.scores):
        yield f"not in the share, because it is the target: {target!r}"
    if performances:
        yield from performances.notes
