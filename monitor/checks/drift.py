"""Drift: how far each column of a window lies from the reference."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor.checks.evidently import evidently_score
from monitor.checks.methods import (
    COUNT_KERNELS,
    FEW_LEVELS,
    METHODS,
    default_method,
    ks,
    wasserstein,
)
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import Columns, FloatArray, IntArray, finite, level_counts, numbers
from monitor.errors import LeewayError
from monitor.reference import CategoricalReference, ColumnReference, NumericReference, Reference
from monitor.schema import Kind

BINNED_FROM = 21
"""A numeric column with this many distinct reference values is binned before it is counted."""


@dataclass(frozen=True)
class DriftPolicy:
    """What a person has set about drift; the rest is Evidently's default.

    Parameters
    ----------
    methods : mapping of str to str
        Column to method: a name of `METHODS`, or one registered with Evidently.
    thresholds : mapping of str to float
        Column to threshold, in the unit of its method.
    share_drifted : float, 0 to 1
        The share of drifted columns at which the whole window has drifted.
    """

    methods: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    share_drifted: float = 0.5


def drift_scores(reference: Reference, current: Columns, policy: DriftPolicy) -> list[Score]:
    """Score every prepared column of the reference against a window.

    One column never costs another its score: where a column is missing, has no values or cannot
    be compared, its score has no value and says why. A target that has not come yet has no score.

    Parameters
    ----------
    reference : Reference
        The prepared reference.
    current : Columns, n_rows rows
        The window's rows; one column at a time is read.
    policy : DriftPolicy
        Methods and thresholds that differ from the defaults.

    Returns
    -------
    list of Score
        In the order of the reference's columns, not judged yet.

    References
    ----------
    Evidently's defaults: https://docs.evidentlyai.com/metrics/customize_data_drift

    Examples
    --------
    >>> from monitor.columns import TableColumns
    >>> from monitor.reference import prepare
    >>> from monitor.schema import Schema, Task
    >>> schema = Schema(Task.REGRESSION, {"x": Kind.NUMERIC, "y": Kind.CATEGORICAL}, "label")
    >>> before = TableColumns(pa.table({"x": range(10), "y": ["a", "b"] * 5}))
    >>> after = TableColumns(pa.table({"x": range(9, 19), "y": [None] * 10}))
    >>> scores = drift_scores(
    ...     reference=prepare(before, schema, performance={}), current=after, policy=DriftPolicy()
    ... )
    >>> [(score.column, score.method, score.value, score.detail) for score in scores]
    [('x', 'ks', 0.00021650176448938054, ''), ('y', 'z', None, 'the window has no values')]
    """
    present = set(current.names)
    return [
        _score_column(name, column, current, policy)
        for name, column in reference.columns.items()
        if name in present or name != reference.schema.target
    ]


def _score_column(
    name: str, reference: ColumnReference, current: Columns, policy: DriftPolicy
) -> Score:
    score = _unscored(name, _pair(reference, None), policy)
    if name not in current.names:
        return replace(score, detail="the window has no such column")
    try:
        pair = _pair(reference, current.column(name))
        score = _unscored(name, pair, policy)
        if not pair.n_reference or not pair.n_current:
            side = "window" if pair.n_reference else "reference"
            return replace(score, detail=f"the {side} has no values")
        if name in policy.methods:
            _check_kind(score.method, pair.kind)
        score = _compare(pair, score)
    except Exception as error:  # noqa: BLE001 - whatever breaks stays visible in this score alone
        return replace(score, failed=True, detail=f"{type(error).__name__}: {error}")
    if score.value is None or np.isnan(score.value):
        return replace(score, value=None, detail=f"{score.method} gives no number here")
    return score


def _unscored(name: str, pair: "_Pair", policy: DriftPolicy) -> Score:
    method = policy.methods.get(name) or default_method(
        kind=pair.kind, n_reference=pair.n_reference, n_unique=pair.n_unique
    )
    known = METHODS.get(method)
    return Score(
        check=Check.DRIFT,
        column=name,
        method=method,
        value=None,
        threshold=policy.thresholds.get(name, known.threshold if known else None),
        breach_when=known.breach_when if known else BreachWhen.ABOVE,
        n_reference=pair.n_reference,
        n_current=pair.n_current,
        kind=pair.kind,
    )


def _check_kind(method: str, kind: Kind) -> None:
    # only what is asked for: by default Evidently takes chisquare and z for few-valued numbers too
    if method in METHODS and kind not in METHODS[method].kinds:
        fitting = ", ".join(name for name, other in METHODS.items() if kind in other.kinds)
        raise LeewayError(f"{method} is not for {kind} columns; take one of {fitting}")


def _compare(pair: "_Pair", score: Score) -> Score:
    if isinstance(pair, _NumericPair) and score.method == "wasserstein":
        before = pair.reference
        return replace(
            score, value=wasserstein(reference=before.values, current=pair.current, std=before.std)
        )
    if isinstance(pair, _NumericPair) and score.method == "ks":
        return replace(score, value=ks(reference=pair.reference.values, current=pair.current))
    if score.method in COUNT_KERNELS:
        reference, current = pair.counts()
        kernel = COUNT_KERNELS[score.method]
        return replace(score, value=kernel(reference=reference, current=current))
    return _compare_by_evidently(pair, score)


def _compare_by_evidently(pair: "_Pair", score: Score) -> Score:
    reference, current = pair.values()
    found = evidently_score(
        reference=reference,
        current=current,
        kind=pair.kind,
        method=score.method,
        threshold=score.threshold,
    )
    known = METHODS.get(score.method)
    return replace(
        score,
        value=found.value,
        threshold=found.threshold,
        breach_when=known.breach_when if known else found.breach_when,
    )


@dataclass(frozen=True)
class _NumericPair:
    """Both sides of a numeric column; `whole_current` says that it came as whole numbers."""

    reference: NumericReference
    current: FloatArray
    whole_current: bool
    kind: Kind = Kind.NUMERIC

    @property
    def n_reference(self) -> int:
        return self.reference.values.size

    @property
    def n_current(self) -> int:
        return self.current.size

    @property
    def n_unique(self) -> int:
        """Distinct values of both sides; beyond `FEW_LEVELS` only that there are more."""
        few = [_first_distinct(v, FEW_LEVELS + 1) for v in (self.reference.values, self.current)]
        return np.union1d(*few).size

    @property
    def whole(self) -> bool:
        """Whether Evidently would see integers, for which NumPy cuts no bin narrower than 1."""
        values = self.reference.values
        complete = values.size == self.reference.n_rows
        return self.whole_current and complete and bool(np.all(values == np.floor(values)))

    def counts(self) -> tuple[IntArray, IntArray]:
        """Count both sides over Sturges bins of all values, or value by value if they are few."""
        values = self.reference.values
        if _first_distinct(values, BINNED_FROM).size < BINNED_FROM:
            levels = np.union1d(_first_distinct(values, BINNED_FROM), self.current)
            return _level_counts(values, levels), _level_counts(self.current, levels)
        edges = self._edges()
        return _bin_counts(values, edges), _bin_counts(self.current, edges)

    def _edges(self) -> FloatArray:
        # np.histogram_bin_edges(bins="sturges") on both sides, which needs ends and size alone
        low = min(self.reference.values[0], self.current[0])
        high = max(self.reference.values[-1], self.current[-1])
        width = (high - low) / (np.log2(self.n_reference + self.n_current) + 1)
        if self.whole:
            width = max(width, 1.0)
        return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)

    def values(self) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Both sides in the type Evidently would see."""
        if self.whole:
            return self.reference.values.astype(np.int64), self.current.astype(np.int64)
        return self.reference.values.copy(), self.current


@dataclass(frozen=True)
class _CategoricalPair:
    """Both sides of a categorical column."""

    reference: CategoricalReference
    current: Mapping[str, int]
    kind: Kind = Kind.CATEGORICAL

    @property
    def n_reference(self) -> int:
        return int(self.reference.counts.sum())

    @property
    def n_current(self) -> int:
        return sum(self.current.values())

    @property
    def n_unique(self) -> int:
        return len(self.current.keys() | set(self.reference.levels))

    def counts(self) -> tuple[IntArray, IntArray]:
        """Count both sides over the levels of either, in the order of their names."""
        before = dict(zip(self.reference.levels, self.reference.counts.tolist(), strict=True))
        levels = sorted(before.keys() | self.current.keys())
        sides = (before, self.current)
        reference, current = (np.array([side.get(name, 0) for name in levels]) for side in sides)
        return reference, current

    def values(self) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Both sides as text, one value a row."""
        current = np.array(list(self.current), dtype=object)
        return (
            np.repeat(np.array(self.reference.levels, dtype=object), self.reference.counts),
            np.repeat(current, list(self.current.values())),
        )


_Pair = _NumericPair | _CategoricalPair


def _pair(reference: ColumnReference, current: pa.ChunkedArray | None) -> _Pair:
    if isinstance(reference, CategoricalReference):
        return _CategoricalPair(reference, {} if current is None else level_counts(current))
    if current is None:
        return _NumericPair(reference, np.array([]), whole_current=False)
    whole = pa.types.is_integer(current.type) and current.null_count == 0
    return _NumericPair(reference, np.sort(finite(numbers(current))), whole)


def _first_distinct(ordered: FloatArray, limit: int) -> FloatArray:
    """Find up to `limit` distinct values from the start by jumping over repeats."""
    found: list[float] = []
    at = 0
    while at < ordered.size and len(found) < limit:
        found.append(ordered[at])
        at = int(np.searchsorted(ordered, ordered[at], side="right"))
    return np.array(found)


def _level_counts(ordered: FloatArray, levels: FloatArray) -> IntArray:
    ends = np.searchsorted(ordered, levels, side="right")
    return np.diff(ends, prepend=0)


def _bin_counts(ordered: FloatArray, edges: FloatArray) -> IntArray:
    # as np.histogram: every bin is closed on the left, the last one on both sides
    inner = np.searchsorted(ordered, edges[1:-1], side="left")
    return np.diff(inner, prepend=0, append=ordered.size)
