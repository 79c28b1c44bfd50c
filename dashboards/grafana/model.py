"""Model: is this model fine, since when not, why, and what was done?"""

from grafana_foundation_sdk.builders import statetimeline, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana import variable
from dashboards.grafana.annotation import annotations
from dashboards.grafana.board import Board, Section, assemble
from dashboards.grafana.held import slow_fall_over_time, together_over_time
from dashboards.grafana.link import Uid
from dashboards.grafana.model_broken import broken
from dashboards.grafana.model_columns import columns_now, distance_over_time, one_column, quality
from dashboards.grafana.model_now import now
from dashboards.grafana.model_performance import labels_over_time, performance_over_time
from dashboards.grafana.panel import lines, setting, timeline
from dashboards.grafana.query import ONE_MODEL, ask, newest, series
from dashboards.grafana.status import MEANING, METRIC, overall_status, status_mappings
from dashboards.grafana.trust import alert_budget, estimates_kept

BOARD = Board(
    Uid.MODEL,
    "One model: is it fine, since when not, why, and what was done about it?",
    since="now-30d",
    model="${model}",
    page="/models/${model}",
)


def model() -> Dashboard:
    """Return the dashboard."""
    sections = [
        Section("$model: is it fine?", now()),
        Section("Since when, and which check says so?", [_checks_over_time()]),
        Section(
            "Drift: which columns have changed?",
            [
                distance_over_time(),
                _share_over_time(),
                columns_now(),
                together_over_time().span(16),
                alert_budget(),
            ],
        ),
        Section(
            "Performance: is it still good?",
            [
                performance_over_time(),
                labels_over_time(),
                slow_fall_over_time().span(16),
                estimates_kept(),
            ],
        ),
        Section("Data: is the feed whole?", [*quality(), _rows_over_time(), broken()]),
        Section("Column by column: score and limit", [one_column()], folded=True),
    ]
    choices = [variable.one_model(), variable.metric(), variable.columns()]
    return assemble(BOARD, choices, sections, annotations(*ONE_MODEL))


def _checks_over_time() -> statetimeline.Panel:
    checks = f"max by (check) ({series(METRIC, *ONE_MODEL)})"
    panel = timeline(
        "Status of each check",
        "The model as a whole, in breach as long as an alert is open, and each question put to it, "
        "over time. drift: do the columns look as they did? quality: is the feed whole? "
        "performance: are predictions still right? cycle: could Leeway look at all? " + MEANING,
        ask(overall_status(*ONE_MODEL), "the model"),
        ask(checks, "{{check}}"),
    )
    return panel.mappings(status_mappings()).unit("none").height(8)


def _share_over_time() -> timeseries.Panel:
    share = newest("model", series("leeway_drifted_columns_ratio", *ONE_MODEL))
    panel = lines(
        "Share of drifted columns",
        "How many of the columns are beyond their limit, of those that were compared. A step is a "
        "new window.",
        ask(share, "drifted columns"),
    )
    return panel.unit("percentunit").min(0).max(1).fill_opacity(15).span(8).height(11)


def _rows_over_time() -> timeseries.Panel:
    n_rows = newest("model", series("leeway_window_rows", *ONE_MODEL))
    panel = lines(
        "Rows in a window",
        "How many predictions the newest window had. A fall to almost none means that the feed or "
        "the caller has a problem, whatever the other panels say.",
        ask(n_rows, "rows"),
    )
    panel = panel.unit("short").min(0).span(8).fill_opacity(15)
    return panel.override_by_name("rows", [setting("decimals", 0)])
