"""Model series: what one model shows of its columns and its performance."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan

from monitor.adapters.families import Families
from monitor.adapters.newest import Newest, NewestScore, NewestWindow
from monitor.alert import N_NAMED
from monitor.checks.calibrated import METHOD, uncalibrated
from monitor.checks.multivariate import ATTRIBUTION
from monitor.checks.multivariate import METHOD as TOGETHER
from monitor.checks.multivariate import N_NAMED as N_TOGETHER
from monitor.checks.score import BreachWhen, Check, Status
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from monitor.ports import Champion
from monitor.reference import Z95
from monitor.schema import Kind
from monitor.track_record import TrackRecord
from monitor.verdict import VerdictPolicy


@dataclass(frozen=True)
class Served:
    """A champion, as the metrics show it.

    Parameters
    ----------
    version : int
        Its number.
    kinds : mapping of str to Kind
        The columns that can drift.
    performance : mapping of str to float
        Its metrics on the reference.
    metric : str
        The metric that decides.
    calibrated : bool or None
        Whether its alert budget judges drift; None without one.
    n_windows : int or None
        Windows of its reference; None where that was not cut.
    """

    version: int
    kinds: Mapping[str, Kind]
    performance: Mapping[str, float]
    metric: str
    calibrated: bool | None
    n_windows: int | None


def served(champion: Champion, policy: VerdictPolicy) -> Served:
    """Return what the metrics show of a champion, under its model's policy."""
    reference = champion.reference
    known, is_judged = reference.calibration, policy.drift.budget is not None
    return Served(
        version=champion.version,
        kinds=reference.schema.kinds(),
        performance={name: one.value for name, one in reference.performance.items()},
        metric=policy.performance.metric,
        calibrated=not uncalibrated(known, policy.window) if is_judged else None,
        n_windows=known.n_windows if known else None,
    )


def add_calibration(families: Families, model: str, served: Served) -> None:
    """Add whether the reference has windows enough for an alert budget, and how many it has."""
    is_known = served.calibrated is not None
    families.add("calibrated", [model], float(bool(served.calibrated)) if is_known else None)
    families.add("reference_windows", [model], served.n_windows)


def add_record(families: Families, model: str, record: TrackRecord | None) -> None:
    """Add in how many windows an estimate was held against labels, and held."""
    families.add("estimates_compared", [model], record.n_windows if record else 0)
    families.add("estimates_inside", [model], record.n_inside if record else 0)
    families.add("estimates_error", [model], record.mean_absolute_error if record else None)


def add_performance(
    families: Families, model: str, served: Served, window: NewestWindow | None,
    labelled: Iterable[NewestWindow],
) -> int:  # fmt: skip
    """Add the performance of the champion and of the version before it; return the series added.

    A champion that has no labelled window yet is there with its reference and NaN.
    """
    by_version = {one.champion: _performance_of(one, Check.PERFORMANCE) for one in labelled}
    before = [version for version in by_version if version != served.version][:1]
    unknown = {
        method: NewestScore(Check.PERFORMANCE, None, method, None, None, "", "", None, value)
        for method, value in served.performance.items()
    }
    n_added = 0
    for version in (served.version, *before):
        for method, score in (by_version.get(version) or unknown).items():
            labels = [model, str(version), method]
            _add_band(families, [*labels, "realized"], score)
            families.add("performance", [*labels, "reference"], score.reference_value)
            n_added += 4
    estimated = _performance_of(window, Check.ESTIMATE) if window else {}
    for method in estimated or [served.metric]:
        version = window.champion if window and estimated else served.version
        score = estimated.get(method, _NOTHING)
        _add_band(families, [model, str(version), method, "estimated"], score)
        n_added += 3
    return n_added


_NOTHING = NewestScore("", None, "none", None, None, "", "", None, None)


def _performance_of(window: NewestWindow, check: str) -> dict[str, NewestScore]:
    return {
        one.method: one for one in window.scores if one.check == check and one.method != SLOW_FALL
    }


def add_limits(families: Families, newest: Newest) -> None:
    """Add what the control chart has added up, and how columns come together, with their limits."""
    measured = newest.labelled[0] if newest.labelled else None
    final = None if measured is None else float(not measured.provisional)
    families.add("performance_final", [newest.model], final)
    for name, window, method in (
        ("slow_fall", newest.final, SLOW_FALL), ("multivariate", newest.window, TOGETHER),
    ):  # fmt: skip
        scores = window.scores if window else ()
        score = next((score for score in scores if score.method == method), _NOTHING)
        families.add(f"{name}_score", [newest.model], score.value)
        families.add(f"{name}_threshold", [newest.model], score.threshold)


def _add_band(families: Families, labels: list[str], score: NewestScore) -> None:
    value = nan if score.value is None else score.value
    margin = nan if score.standard_error is None else Z95 * score.standard_error
    families.add("performance", labels, value)
    families.add("performance_lower", labels, value - margin)
    families.add("performance_upper", labels, value + margin)


def add_columns(
    families: Families, model: str, served: Served, window: NewestWindow | None, room: int
) -> None:
    """Add the columns that matter or moved most, as many as there is room for in series."""
    scores = window.scores if window else ()
    drift: dict[str | None, list[NewestScore]] = defaultdict(list)
    for one in scores:
        if one.check == Check.DRIFT:
            drift[one.column].append(one)
    quality = {(one.column, one.method): one for one in scores if one.check == Check.QUALITY}
    kinds = served.kinds
    ranked = sorted(kinds, key=lambda name: place(_deciding(drift[name])))
    n_left_out = 0
    for column in ranked:
        room -= 2 * max(1, len(drift[column])) + (3 if kinds[column] is Kind.CATEGORICAL else 2)
        if room < 0 and column != ranked[0]:
            n_left_out += 1
            continue
        _add_drift(families, model, column, drift[column])
        missing = quality.get((column, "missing"), _NOTHING)
        families.add("missing_ratio", [model, column], missing.value)
        if kinds[column] is Kind.CATEGORICAL:
            unseen = quality.get((column, "unseen"), _NOTHING)
            families.add("unseen_ratio", [model, column], unseen.value)
    families.add("columns_not_exported", [model], n_left_out)


def add_ranks(families: Families, model: str, window: NewestWindow | None) -> None:
    """Add the places of the columns that an alert names; none where nothing is ranked."""
    # A column that is compared by several methods has one place.
    ranks = {one.column: one.rank for one in (window.scores if window else ()) if one.rank}
    for column, rank in ranks.items():
        if column is not None and rank <= N_NAMED:
            families.add("column_rank", [model, column], rank)


def add_attribution(families: Families, model: str, window: NewestWindow | None) -> None:
    """Add the parts of the columns that are named where columns come together otherwise."""
    scores = window.scores if window else ()
    parts = {s.column: s.value for s in scores if s.method == ATTRIBUTION and s.column and s.value}
    for column in sorted(parts, key=lambda name: -parts[name])[:N_TOGETHER]:
        if parts[column] > 0:
            families.add("multivariate_drop", [model, column], parts[column])


def _add_drift(families: Families, model: str, column: str, scores: list[NewestScore]) -> None:
    for score in scores or [_NOTHING]:
        families.add("drift_score", [model, column, score.method], score.value)
        families.add("drift_threshold", [model, column, score.method], score.threshold)
    decides = _deciding(scores)
    beyond = None if decides.value is None else float(decides.status == Status.BREACH)
    families.add("column_drifted", [model, column], beyond)


def _deciding(scores: list[NewestScore]) -> NewestScore:
    """Return the score that decides: the calibrated one where there is one."""
    calibrated = [score for score in scores if score.method == METHOD]
    return next(iter(calibrated or scores), _NOTHING)


def place(score: NewestScore) -> tuple[bool, int, float]:
    """Order columns: in their rank, then the furthest beyond its limit first."""
    return score.rank is None, score.rank or 0, -_excess(score)


def _excess(score: NewestScore) -> float:
    """Say how many times its threshold a score reaches, in the bad direction."""
    if score.value is None or not score.threshold:
        return 0.0
    ratio = score.value / score.threshold
    return ratio if score.breach_when == BreachWhen.ABOVE else 1.0 / max(ratio, 1e-300)
