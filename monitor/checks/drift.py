"""Drift: how far each column of a window lies from the reference."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from monitor.checks.binning import (
    bin_counts,
    distinct,
    first_distinct,
    sturges_edges,
    value_counts,
)
from monitor.checks.calibrated import AlertBudget
from monitor.checks.evidently import evidently_score
from monitor.checks.kernels import COUNT_KERNELS, hellinger, ks, wasserstein
from monitor.checks.methods import FEW_LEVELS, METHODS, default_method
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import FloatArray, IntArray
from monitor.errors import LeewayError
from monitor.reference import ColumnReference, NumericReference
from monitor.schema import Kind
from monitor.values import NO_LEVELS, NO_NUMBERS, CategoricalValues, NumericValues, Values

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
    budget : AlertBudget or None
        Decides instead of thresholds and share where the reference has windows enough; None never.
    """

    methods: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    share_drifted: float = 0.5
    budget: AlertBudget | None = field(default_factory=AlertBudget)


def drift_score(
    name: str, reference: ColumnReference, current: Values | None, policy: DriftPolicy
) -> Score:
    """Score one column of a window against the reference.

    Parameters
    ----------
    name : str
        The column.
    reference : ColumnReference
        Its side of the reference, prepared.
    current : Values or None
        The window's side; None when the window has no such column.
    policy : DriftPolicy
        Methods and thresholds that differ from the defaults.

    Returns
    -------
    Score
        Not judged yet; without a value, and saying why, where there is nothing to compare.

    Raises
    ------
    Exception
        Whatever a method raises that cannot compare these values.

    References
    ----------
    Evidently's defaults: https://docs.evidentlyai.com/metrics/customize_data_drift

    Examples
    --------
    >>> import pyarrow as pa
    >>> from monitor.columns import TableColumns
    >>> from monitor.reference import prepare_column
    >>> from monitor.values import read_values
    >>> before = TableColumns(pa.table({"x": range(10)}))
    >>> after = TableColumns(pa.table({"x": range(9, 19)}))
    >>> score = drift_score(
    ...     "x",
    ...     prepare_column(before, "x", Kind.NUMERIC),
    ...     read_values(after, "x", Kind.NUMERIC),
    ...     DriftPolicy(),
    ... )
    >>> score.method, score.value
    ('ks', 0.00021650176448938054)
    """
    pair = _pair(reference, current)
    score = unscored(name, reference, current, policy)
    if current is None:
        return replace(score, detail="the window has no such column")
    if not pair.n_reference or not pair.n_current:
        side = "window" if pair.n_reference else "reference"
        return replace(score, detail=f"the {side} has no values")
    if name in policy.methods:
        _check_kind(score.method, pair.kind)
    score = _compare(pair, score)
    if score.value is None or np.isnan(score.value):
        return replace(score, value=None, detail=f"{score.method} gives no number here")
    return score


def unscored(
    name: str, reference: ColumnReference, current: Values | None, policy: DriftPolicy
) -> Score:
    """Return the score of a column before it is compared: method, threshold and sizes."""
    pair = _pair(reference, current)
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
    kernel = COUNT_KERNELS.get(score.method)
    if isinstance(pair, _NumericPair):
        sides = {"reference": pair.reference.values, "current": pair.current.values}
        if score.method == "wasserstein":
            return replace(score, value=wasserstein(**sides, std=pair.reference.std))
        if score.method == "ks":
            return replace(score, value=ks(**sides))
        if score.method == "hellinger":
            edges = pair.edges_of_distinct()
            reference, current = (bin_counts(values, edges) for values in sides.values())
            return replace(score, value=hellinger(reference=reference, current=current))
    if kernel is not None:
        reference, current = pair.counts()
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
    """Both sides of a numeric column."""

    reference: NumericReference
    current: NumericValues
    kind: Kind = Kind.NUMERIC

    @property
    def n_reference(self) -> int:
        return self.reference.n_values

    @property
    def n_current(self) -> int:
        return self.current.n_values

    @property
    def n_unique(self) -> int:
        """Distinct values of both sides; beyond `FEW_LEVELS` only that there are more."""
        sides = (self.reference.values, self.current.values)
        return np.union1d(*(first_distinct(values, FEW_LEVELS + 1) for values in sides)).size

    @property
    def whole(self) -> bool:
        """Whether Evidently would see integers, for which NumPy cuts no bin narrower than 1."""
        return self.reference.whole and self.current.whole

    def counts(self) -> tuple[IntArray, IntArray]:
        """Count both sides over Sturges bins of all values, or value by value if they are few."""
        before, after = self.reference.values, self.current.values
        few = first_distinct(before, BINNED_FROM)
        if few.size < BINNED_FROM:
            levels = np.union1d(few, distinct(after))
            return value_counts(before, levels), value_counts(after, levels)
        edges = self.edges(self.n_reference + self.n_current)
        return bin_counts(before, edges), bin_counts(after, edges)

    def edges(self, n_values: int) -> FloatArray:
        """Return the edges of Sturges' bins over the range of both sides."""
        before, after = self.reference.values, self.current.values
        low, high = min(before[0], after[0]), max(before[-1], after[-1])
        return sturges_edges(low, high, n_values, whole=self.whole)

    def edges_of_distinct(self) -> FloatArray:
        """Return the edges over the distinct values of both sides, which Evidently puts in a set.

        In that set a float of the window is no value of its own beside the reference's integer.
        """
        before = distinct(self.reference.values)
        both = np.union1d(before, distinct(self.current.values))
        whole = self.whole or (self.reference.whole and both.size == before.size)
        return sturges_edges(both[0], both[-1], both.size, whole=whole)

    def values(self) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Both sides in the type Evidently would see."""
        dtype = np.int64 if self.whole else np.float64
        return self.reference.values.astype(dtype), self.current.values.astype(dtype)


@dataclass(frozen=True)
class _CategoricalPair:
    """Both sides of a categorical column."""

    reference: CategoricalValues
    current: CategoricalValues
    kind: Kind = Kind.CATEGORICAL

    @property
    def n_reference(self) -> int:
        return self.reference.n_values

    @property
    def n_current(self) -> int:
        return self.current.n_values

    @property
    def n_unique(self) -> int:
        return len({*self.reference.levels, *self.current.levels})

    def counts(self) -> tuple[IntArray, IntArray]:
        """Count both sides over the levels of either, in the order of their names."""
        levels = sorted({*self.reference.levels, *self.current.levels})
        reference, current = (
            np.array([side.get(level, 0) for level in levels], dtype=np.int64)
            for side in (
                dict(zip(values.levels, values.counts.tolist(), strict=True))
                for values in (self.reference, self.current)
            )
        )
        return reference, current

    def values(self) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Both sides as text, one value a row."""
        reference, current = (
            np.repeat(np.array(values.levels, dtype=object), values.counts)
            for values in (self.reference, self.current)
        )
        return reference, current


_Pair = _NumericPair | _CategoricalPair


def _pair(reference: ColumnReference, current: Values | None) -> _Pair:
    if isinstance(reference, CategoricalValues):
        assert not isinstance(current, NumericValues)
        return _CategoricalPair(reference, current or NO_LEVELS)
    assert not isinstance(current, CategoricalValues)
    return _NumericPair(reference, current or NO_NUMBERS)
