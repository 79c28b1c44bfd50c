"""Prometheus metrics of the watch, rendered from the database at each scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from math import inf, nan
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from monitor.adapters.cycle_rows import CYCLE_BUCKETS
from monitor.adapters.history import Document, History
from monitor.adapters.prediction_log import PredictionLog
from monitor.batch import RowKind
from monitor.checks.score import Check, Status
from monitor.errors import REFUSALS
from monitor.ports import Champion
from monitor.schema import Kind

SERIES_BUDGET = 200
"""Series a model may have; the columns that moved most are exported, the rest are in the API."""

FIXED_SERIES = 80
"""Room for the series that no column multiplies: six metrics of two versions are most of them."""

SERIES_A_COLUMN = 5

Z95 = 1.96
"""Standard errors on each side of a 95 % band."""


class MonitorCollector(Collector):
    """Collects from what is recorded: the same on every replica, and right after a restart.

    Parameters
    ----------
    history : History
        The recorded verdicts.
    log : PredictionLog
        The totals of acknowledged rows.
    champion : callable
        A model's champion by the model's name: its columns and metrics are what each series exists
        for from registration.
    """

    def __init__(
        self, history: History, log: PredictionLog, champion: Callable[[str], Champion]
    ) -> None:
        self._history = history
        self._log = log
        self._champion = champion

    def describe(self) -> Iterable[Metric]:
        """Describe nothing ahead: registration must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        families = _families()
        totals = self._log.totals()
        for model in self._history.models():
            name = model["model"]
            scores, champion = self._history.latest_scores(name), self._champion(name)
            _window_series(families, name, model)
            _column_series(families, name, scores, champion.reference.schema.kinds())
            _performance_series(families, name, [*scores, *_unlabelled(scores, champion)])
            for kind, family in ((RowKind.PREDICTION, "predictions"), (RowKind.LABEL, "labels")):
                families[f"{family}_logged"].add_metric([name], totals.get((name, kind), 0))
            refused = {**dict.fromkeys(REFUSALS, 0), **self._history.refusals(name)}
            for reason, n_rows in refused.items():
                families["rows_refused"].add_metric([name, reason], n_rows)
        for (channel, outcome), count in self._history.deliveries().items():
            families["deliveries"].add_metric([channel, outcome], count)
        yield from families.values()
        yield self._cycle_seconds()

    def _cycle_seconds(self) -> Metric:
        stored = {le: (n, seconds) for le, n, seconds in self._history.cycle_seconds()}
        n_all, buckets = 0, []
        for bound in CYCLE_BUCKETS:
            n_all += stored.get(min(bound, 1e308), (0, 0.0))[0]
            buckets.append(("+Inf" if bound == inf else str(bound), float(n_all)))
        family = HistogramMetricFamily(
            "leeway_cycle_duration_seconds", "Time one evaluation of one window takes."
        )
        family.add_metric([], buckets, sum(seconds for _, seconds in stored.values()))
        return family


_GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "drift_score": (
        "Drift of a column between reference and newest window, by the method named.",
        ("model", "column", "method"),
    ),
    "drift_threshold": (
        "Limit of the drift score; see the method for its direction.",
        ("model", "column", "method"),
    ),
    "column_drifted": ("1 when the column's drift score is beyond its limit.", ("model", "column")),
    "drifted_columns_ratio": ("Drifted columns over compared columns.", ("model",)),
    "check_status": (
        "Status of a check: 0 OK, 1 WARNING, 2 BREACH, 3 NO_DATA, 4 ERROR.",
        ("model", "check"),
    ),
    "performance": (
        "A metric: realized on labelled rows of the newest window that has any, or reference.",
        ("model", "version", "metric", "kind"),
    ),
    "performance_lower": (
        "Lower end of the metric's 95 % band.",
        ("model", "version", "metric", "kind"),
    ),
    "performance_upper": (
        "Upper end of the metric's 95 % band.",
        ("model", "version", "metric", "kind"),
    ),
    "missing_ratio": ("Rows of the newest window without a value.", ("model", "column")),
    "unseen_ratio": ("Values of the newest window that the reference lacks.", ("model", "column")),
    "window_rows": ("Rows of the newest judged window.", ("model",)),
    "window_end_timestamp_seconds": ("End of the newest judged window.", ("model",)),
    "labels_mature_ratio": ("Rows of the newest judged window that have labels.", ("model",)),
    "incident_open": ("1 while an incident of this kind is open.", ("model", "kind")),
    "cycle_last_success_timestamp_seconds": ("When a cycle last succeeded.", ("model",)),
    "columns_not_exported": ("Columns beyond the series budget; see the API.", ("model",)),
}

_COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "predictions_logged": ("Predictions acknowledged.", ("model",)),
    "labels_logged": ("Labels acknowledged.", ("model",)),
    "rows_refused": ("Rows that could not be stored.", ("model", "reason")),
    "deliveries": ("Attempts to deliver a message.", ("channel", "outcome")),
}


def _families() -> dict[str, Any]:
    gauges = {
        name: GaugeMetricFamily(f"leeway_{name}", text, labels=labels)
        for name, (text, labels) in _GAUGES.items()
    }
    counters = {
        name: CounterMetricFamily(f"leeway_{name}", text, labels=labels)
        for name, (text, labels) in _COUNTERS.items()
    }
    return {**gauges, **counters}


def _seconds(instant: datetime | None) -> float:
    return instant.timestamp() if instant else nan


def _window_series(families: dict[str, Any], name: str, model: Document) -> None:
    window = model["window"] or {}
    checks = window.get("checks", {})
    for check in Check:
        status = Status(checks.get(check, Status.NO_DATA))
        families["check_status"].add_metric([name, check], status.code)
    cycle = Status.ERROR if model["error"] else (Status.OK if window else Status.NO_DATA)
    families["check_status"].add_metric([name, "cycle"], cycle.code)
    n_rows, n_labels = window.get("n_rows", 0), window.get("n_labels", 0)
    share = window.get("share_drifted")
    incident = float(window.get("diagnosis") == "incident")
    for family, labels, value in (
        ("drifted_columns_ratio", [name], nan if share is None else share),
        ("window_rows", [name], n_rows if window else nan),
        ("window_end_timestamp_seconds", [name], _seconds(window.get("end"))),
        ("labels_mature_ratio", [name], n_labels / n_rows if n_rows else nan),
        ("incident_open", [name, "data"], incident),
        ("cycle_last_success_timestamp_seconds", [name], _seconds(model["last_success_at"])),
    ):
        families[family].add_metric(labels, value)


def _column_series(
    families: dict[str, Any], name: str, scores: Iterable[Document], kinds: Mapping[str, Kind]
) -> None:
    drift = {s["column"]: s for s in scores if s["check"] == Check.DRIFT}
    ranked = sorted(kinds, key=lambda column: _excess(drift.get(column)), reverse=True)
    room = max(1, (SERIES_BUDGET - FIXED_SERIES) // SERIES_A_COLUMN)
    quality = {(s["column"], s["method"]): s["score"] for s in scores if s["check"] == "quality"}
    families["columns_not_exported"].add_metric([name], max(0, len(ranked) - room))
    for column in ranked[:room]:
        score = drift.get(column, {})
        method = score.get("method", "none")
        beyond = (
            float(score.get("status") == Status.BREACH) if score.get("score") is not None else nan
        )
        families["drift_score"].add_metric([name, column, method], _number(score.get("score")))
        families["drift_threshold"].add_metric(
            [name, column, method], _number(score.get("threshold"))
        )
        families["column_drifted"].add_metric([name, column], beyond)
        missing = _number(quality.get((column, "missing")))
        families["missing_ratio"].add_metric([name, column], missing)
        if kinds[column] is Kind.CATEGORICAL:
            unseen = _number(quality.get((column, "unseen")))
            families["unseen_ratio"].add_metric([name, column], unseen)


def _number(value: float | None) -> float:
    return nan if value is None else value


def _excess(score: Document | None) -> float:
    if not score or score["score"] is None or not score["threshold"]:
        return 0.0
    ratio = float(score["score"] / score["threshold"])
    return ratio if score["breach_when"] == "above" else 1.0 / max(ratio, 1e-300)


def _unlabelled(scores: Iterable[Document], champion: Champion) -> Iterator[Document]:
    """Yield what is known of a champion that has no labelled window yet: its reference alone."""
    if any(score.get("version") == champion.version for score in scores):
        return
    for method, estimate in champion.reference.performance.items():
        yield {
            "check": Check.PERFORMANCE,
            "method": method,
            "version": champion.version,
            "score": None,
            "standard_error": None,
            "reference_value": estimate.value,
        }


def _performance_series(families: dict[str, Any], name: str, scores: Iterable[Document]) -> None:
    for score in scores:
        if score["check"] != Check.PERFORMANCE or score.get("level") is not None:
            continue
        labels = [name, str(score["version"]), score["method"]]
        value, error = _number(score["score"]), _number(score["standard_error"])
        families["performance"].add_metric([*labels, "realized"], value)
        families["performance_lower"].add_metric([*labels, "realized"], value - Z95 * error)
        families["performance_upper"].add_metric([*labels, "realized"], value + Z95 * error)
        reference = _number(score["reference_value"])
        families["performance"].add_metric([*labels, "reference"], reference)
