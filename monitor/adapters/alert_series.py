"""Alert series: what a model shows of its open alerts, as their messages say it."""

from monitor.adapters.families import Families
from monitor.adapters.model_series import place
from monitor.adapters.newest import Newest, NewestWindow
from monitor.alert import N_NAMED
from monitor.checks.score import Check, Status
from monitor.checks.slow_fall import METHOD as SLOW_FALL

OF_COLUMNS = (Check.DRIFT, Check.PERFORMANCE, Check.ESTIMATE)
"""Checks whose alerts name the columns that drifted in their window."""


def alert_status(newest: Newest, check: str) -> Status:
    """Return the status of the window that keeps an alert open; OK while none is open."""
    if check not in newest.alerts:
        return Status.OK
    window = newest.alerts[check]
    return Status(window.checks[check]) if window else Status.BREACH


def add_alerts(families: Families, newest: Newest) -> int:
    """Add what open alerts rest on, and what is broken; return the series added."""
    n_added = 0
    for check, window in newest.alerts.items():
        if window is None:
            continue
        families.add("alert_window_end_timestamp_seconds", [newest.model, check], window.end)
        n_added += 1
        if check in (Check.PERFORMANCE, Check.ESTIMATE):
            n_added += _add_score(families, newest.model, check, window)
        if check in OF_COLUMNS and window.checks[check] == Status.BREACH:
            n_added += _add_columns(families, newest.model, check, window)
    for one in newest.broken[:N_NAMED]:
        labels = [newest.model, one.column, one.sign]
        families.add("incident_since_timestamp_seconds", labels, one.since)
    return n_added + len(newest.broken[:N_NAMED])


def _add_score(families: Families, model: str, check: str, window: NewestWindow) -> int:
    """Add what breached: the metric that decides, else what small falls have added up to."""
    breached = [s for s in window.scores if s.check == check and s.status == Status.BREACH]
    # What one window shows by itself is no slow fall, though it adds up, too.
    breached.sort(key=lambda score: score.method == SLOW_FALL)
    for score in breached[:1]:
        labels = [model, check, str(window.champion), score.method]
        families.add("alert_score", labels, score.value)
        families.add("alert_threshold", labels, score.threshold)
    return 2 * len(breached[:1])


def _add_columns(families: Families, model: str, check: str, window: NewestWindow) -> int:
    """Add the columns that drifted: those that matter most, else those that moved furthest."""
    drifted = [s for s in window.scores if s.check == Check.DRIFT and s.status == Status.BREACH]
    by = "importance" if any(score.rank for score in drifted) else "drift"
    names = list(dict.fromkeys(s.column for s in sorted(drifted, key=place) if s.column))
    for rank, column in enumerate(names[:N_NAMED], start=1):
        families.add("alert_column_rank", [model, check, column, by], rank)
    return len(names[:N_NAMED])
