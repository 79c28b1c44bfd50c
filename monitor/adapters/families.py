"""Families: every metric that is rendered from the database, with its help and labels."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import nan

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.samples import Sample

Described = Mapping[str, tuple[str, tuple[str, ...]]]
"""Help and labels of metrics, by name without ``leeway_``."""


class Families:
    """Collects samples of metrics that are known beforehand.

    Parameters
    ----------
    gauges, counters : mapping of str to tuple
        Help and labels by name, without ``leeway_`` and ``_total``.

    Examples
    --------
    >>> families = Families({"window_rows": ("Rows of the window.", ("model",))})
    >>> families.add("window_rows", ["late"], 280)
    >>> [(sample.name, sample.value) for one in families for sample in one.samples]
    [('leeway_window_rows', 280)]
    """

    def __init__(self, gauges: Described, counters: Described = {}) -> None:  # noqa: B006
        self._families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {
            **{n: GaugeMetricFamily(f"leeway_{n}", h, labels=la) for n, (h, la) in gauges.items()},
            **{
                n: CounterMetricFamily(f"leeway_{n}", h, labels=la)
                for n, (h, la) in counters.items()
            },
        }

    def add(self, name: str, labels: list[str], value: float | datetime | None) -> None:
        """Add a sample: a time as seconds since 1970, and what is not there as NaN."""
        if isinstance(value, datetime):
            value = value.timestamp()
        self._families[name].add_metric(labels, nan if value is None else value)

    def samples(self) -> dict[str, list[Sample]]:
        """Return what has been added, by name."""
        return {name: one.samples for name, one in self._families.items() if one.samples}

    def extend(self, samples: Mapping[str, list[Sample]]) -> None:
        """Add samples that were made before."""
        for name, made in samples.items():
            self._families[name].samples += made

    def __iter__(self) -> Iterator[Metric]:
        """Yield every family, also one without a sample."""
        return iter(self._families.values())


MODEL = ("model",)
_COLUMN = ("model", "column")
_ALERT_SCORE = ("model", "check", "version", "method")
_PERFORMANCE = ("model", "version", "metric", "kind")

GAUGES: Described = {
    "drift_score": (
        "Drift of a column between reference and newest window, by the method named.",
        ("model", "column", "method"),
    ),
    "drift_threshold": (
        "Limit of the drift score; see the method for its direction.",
        ("model", "column", "method"),
    ),
    "column_drifted": ("1 when the column's drift score is beyond its limit.", _COLUMN),
    "column_rank": (
        "Place of a drifted column among those that matter, 1 for the most important; at most 3.",
        _COLUMN,
    ),
    "calibrated": (
        "1 when an alert budget judges drift, 0 when the reference has too few windows for one.",
        MODEL,
    ),
    "reference_windows": ("Windows of the champion's reference.", MODEL),
    "drifted_columns_ratio": ("Drifted columns over compared columns.", MODEL),
    "check_status": (
        "Status of a check: 0 OK, 1 WARNING, 2 BREACH, 3 NO_DATA, 4 ERROR.",
        ("model", "check"),
    ),
    "alert_status": (
        "Status of the window that keeps an alert open: 2 BREACH, 4 ERROR; 0 while none is open.",
        ("model", "check"),
    ),
    "alert_window_end_timestamp_seconds": (
        "End of the window that keeps an alert open.",
        ("model", "check"),
    ),
    "alert_score": (
        "What breached performance, or its estimate, in the window that keeps an alert open.",
        _ALERT_SCORE,
    ),
    "alert_threshold": ("Limit of that score.", _ALERT_SCORE),
    "alert_column_rank": (
        "Place of a column among those that an open alert names, 1 first; at most 3.",
        ("model", "check", "column", "by"),
    ),
    "performance": (
        "A metric: realized on labelled rows, estimated without labels, or of the reference.",
        _PERFORMANCE,
    ),
    "performance_lower": ("Lower end of the metric's 95 % band.", _PERFORMANCE),
    "performance_upper": ("Upper end of the metric's 95 % band.", _PERFORMANCE),
    "performance_final": (
        "1 when the labels of the realized performance are mature, 0 while it is provisional.",
        MODEL,
    ),
    "estimates_compared": ("Windows whose estimate was held against final labels.", MODEL),
    "estimates_inside": (
        "Those of them that were measured inside the 95 % band of their estimate.",
        MODEL,
    ),
    "estimates_error": ("How far estimates were from what was measured, on average.", MODEL),
    "slow_fall_score": (
        "What the control chart has added up of windows a little worse than the reference.",
        MODEL,
    ),
    "slow_fall_threshold": ("Sum from which performance has fallen.", MODEL),
    "multivariate_score": (
        "ROC AUC with which rows are told from the reference's by what comes together.",
        MODEL,
    ),
    "multivariate_drop": (
        "By how much that ROC AUC falls without a column: the first 3, beyond the limit only.",
        _COLUMN,
    ),
    "multivariate_threshold": ("Limit of that ROC AUC, as the reference wobbles.", MODEL),
    "missing_ratio": ("Rows of the newest window without a value.", _COLUMN),
    "unseen_ratio": ("Values of the newest window that the reference lacks.", _COLUMN),
    "window_rows": ("Rows of the newest judged window.", MODEL),
    "window_end_timestamp_seconds": ("End of the newest judged window.", MODEL),
    "windows_due": ("Windows that have ended and are not judged yet.", MODEL),
    "labels_mature_ratio": ("Rows of the newest judged window that have labels.", MODEL),
    "labels_lag_seconds": (
        "Time since the end of the newest window whose performance is final.",
        MODEL,
    ),
    "labels_horizon_seconds": ("How long after a window's end labels are joined.", MODEL),
    "incident_open": ("1 while an incident of this kind is open.", ("model", "kind")),
    "incident_findings": ("Columns, and signs of whole rows, that are broken.", MODEL),
    "incident_since_timestamp_seconds": (
        "Event time of the first row of what is broken; of the three things that say most.",
        ("model", "column", "sign"),
    ),
    "retraining_paused": ("1 while a person has paused retraining.", MODEL),
    "cycle_last_success_timestamp_seconds": ("When a cycle last succeeded.", MODEL),
    "columns_not_exported": ("Columns beyond the series budget; see the API.", MODEL),
    "labels_waiting": ("Labels whose prediction has not come.", MODEL),
    "log_bytes": ("Size of the sealed prediction log.", MODEL),
    "log_inbox_rows": ("Acknowledged rows that are not sealed yet.", MODEL),
    "deliveries_waiting": ("Messages that the channel has not taken yet.", ("channel",)),
    "info": ("1, with Leeway's version and the address of its pages.", ("version", "url")),
    "disk_free_bytes": ("Free space where the prediction log is stored.", ()),
    "disk_size_bytes": ("Size of the disk where the prediction log is stored.", ()),
}

COUNTERS: Described = {
    "predictions_logged": ("Predictions acknowledged.", MODEL),
    "labels_logged": ("Labels acknowledged.", MODEL),
    "shadow_rows_logged": ("Rows that versions beside the champion predicted.", MODEL),
    "alerts_retracted": (
        "Alerts that late rows or labels have taken back.",
        ("model", "check"),
    ),
    "rows_refused": ("Rows that could not be stored.", ("model", "reason")),
    "deliveries": ("Attempts to deliver a message.", ("channel", "outcome")),
}
