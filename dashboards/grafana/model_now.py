"""The top of the Model dashboard: what one must know in ten seconds."""

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueTextMode
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    ValueMap,
    ValueMappingResult,
)

from dashboards.grafana.link import Uid, board
from dashboards.grafana.panel import number
from dashboards.grafana.performance import of_champion
from dashboards.grafana.query import ONE_MODEL, ask_now, newest, series
from dashboards.grafana.status import (
    MEANING,
    absent,
    overall_status,
    status_mappings,
    switch_mappings,
)
from monitor.checks.score import Status


def now() -> list[stat.Panel]:
    """Return the panels: the verdict, then what it rests on, then how fresh it is."""
    return [
        _status(),
        _last_fine(),
        _drifted(),
        _performance(),
        _champion(),
        _done(),
        _incident(),
        _window_end(),
        _judged(),
        _labels(),
        _champion_since(),
        _retraining(),
    ]


def _status() -> stat.Panel:
    panel = number(
        "Status", "The weightiest of the model's checks and open alerts. " + MEANING,
        ask_now(overall_status(*ONE_MODEL)),
    ).unit("none")  # fmt: skip
    panel = panel.mappings(status_mappings()).color_mode(BigValueColorMode.BACKGROUND_SOLID)
    return panel.color_scheme(d.FieldColor().mode(FieldColorModeId.FIXED).fixed_color("text"))


def _last_fine() -> stat.Panel:
    calm = f"timestamp(({overall_status(*ONE_MODEL)}) != {Status.BREACH.code})"
    # The steps of the inner query are wide, so a model that is fine now is asked about apart.
    before = f"last_over_time(({calm})[$__range:$__interval])"
    panel = number(
        "Last without a breach",
        "When the model was not in breach for the last time, within the "
        "dashboard's range. A few seconds ago: it is so now.",
        ask_now(f"1000 * ({calm} or {before})"),
    )
    panel = panel.max_data_points(FINE).no_value("not in this range")
    return panel.unit("dateTimeFromNow")


FINE = 1000
"""Points that a panel asks for; by default as many as it is wide, which is few for a small one."""


def _drifted() -> stat.Panel:
    drifted = f"max by (column) ({series('leeway_column_drifted', *ONE_MODEL)})"
    return (
        number(
            "Drifted columns",
            "How many columns look different from the rows the model was made with, of how many "
            "that were compared. Not exported: beyond the budget of series; they matter least, and "
            "Leeway's own pages and API have them.",
            ask_now(f"sum({drifted} >= 0)", "drifted"),
            ask_now(f"count({drifted} >= 0)", "compared"),
            ask_now(f"{_left_out()} > 0", "not exported"),
        )
        .unit("none")
        .decimals(0)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
    )


def _performance() -> stat.Panel:
    chosen = (*ONE_MODEL, 'metric="$metric"')
    realized, estimated, reference = (
        newest("metric", of_champion("leeway_performance", kind, *chosen))
        for kind in ("realized", "estimated", "reference")
    )
    return (
        number(
            "Performance",
            "The chosen measure now, and on the rows the model was made with. Realized: known "
            "outcomes. Estimated: Leeway's guess where outcomes are not known yet; it cannot see "
            "concept drift.",
            ask_now(realized, "realized {{metric}}"),
            ask_now(estimated, "estimated {{metric}}"),
            ask_now(reference, "reference"),
        )
        .unit("none")
        .decimals(3)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
    )


def _champion() -> stat.Panel:
    champion = series("leeway_champion_info", *ONE_MODEL)
    panel = number(
        "Champion",
        "The version that serves.",
        ask_now(f"max by (version) ({champion})", "version {{version}}"),
    )
    return panel.unit("none").text_mode(BigValueTextMode.NAME)


def _done() -> stat.Panel:
    ended = series("leeway_retrain_runs_total", *ONE_MODEL, over="$__range")
    panel = number(
        "Retrain runs",
        "What Leeway did about it within the dashboard's range: challengers that were promoted, "
        "that were refused because they were no better, and runs that failed.",
        ask_now(f"round(max by (outcome) (increase({ended}))) > 0 or {_no_runs()}", "{{outcome}}"),
    )
    panel = panel.unit("none").decimals(0).text_mode(BigValueTextMode.VALUE_AND_NAME)
    return panel.links([board(Uid.RETRAINING, "Retraining of ${model}", "${model}")])


def _no_runs() -> str:
    """Return 0 for a model without a run, and nothing where there is no model."""
    ended = series("leeway_retrain_runs_total", *ONE_MODEL, over="$__range")
    none = f"(sum(max by (outcome) (round(increase({ended})))) == 0)"
    return f'label_replace({none}, "outcome", "runs", "", "")'


def _incident() -> stat.Panel:
    is_open = f"max by (kind) ({series('leeway_incident_open', *ONE_MODEL)})"
    panel = number(
        "Incident",
        "Whether the feed looks broken in the newest window: values missing or new, or something "
        "done to them. While it does, Leeway does not retrain.",
        ask_now(is_open, "{{kind}}"),
    )
    panel = panel.unit("none").mappings(switch_mappings("none", "open"))
    return panel.color_scheme(d.FieldColor().mode(FieldColorModeId.FIXED).fixed_color("text"))


def _window_end() -> stat.Panel:
    ends = series("leeway_window_end_timestamp_seconds", *ONE_MODEL)
    return number(
        "Newest window ends",
        "The end of the newest rows that were judged, in the rows' own time.",
        ask_now(newest("model", f"{ends} * 1000")),
    ).unit("dateTimeAsLocal")


def _judged() -> stat.Panel:
    judged = series("leeway_cycle_last_success_timestamp_seconds", *ONE_MODEL)
    return number(
        "Judged",
        "When Leeway last looked and could judge. If that is longer ago than a window is long, "
        "something is stuck.",
        ask_now(newest("model", f"{judged} * 1000")),
    ).unit("dateTimeFromNow")


def _labels() -> stat.Panel:
    mature = newest("model", series("leeway_labels_mature_ratio", *ONE_MODEL))
    return number(
        "Rows with a known outcome",
        "Share of the newest window's rows whose outcome (label) has come. With few of them, "
        "realized performance is a first impression.",
        ask_now(mature),
    ).unit("percentunit").decimals(0)  # fmt: skip


def _champion_since() -> stat.Panel:
    since = series("leeway_champion_promoted_timestamp_seconds", *ONE_MODEL)
    return number(
        "Champion since",
        "When the serving version last changed, by promotion or rollback.",
        ask_now(newest("model", f"{since} * 1000")),
    ).unit("dateTimeFromNow")


def _left_out() -> str:
    return newest("model", series("leeway_columns_not_exported", *ONE_MODEL))


def _retraining() -> stat.Panel:
    paused, running, asked, waits = (
        f"max by (model) ({series(metric, *ONE_MODEL)})"
        for metric in (
            "leeway_retraining_paused",
            "leeway_retrain_running",
            "leeway_retrain_requests_open",
            "leeway_retrain_approval_waiting",
        )
    )
    state = (
        f"({running} > 0) * 0 + {len(RETRAINING) - 1} or ({waits} > 0) * 0 + 3 "
        f"or ({paused} > 0) * 0 + 1 or ({asked} > 0) * 0 + 2 or {paused} * 0"
    )
    shown = {
        str(i): ValueMappingResult(text=text, color=colour, index=i)
        for i, (text, colour) in enumerate(RETRAINING)
    }
    panel = number(
        "Retraining",
        "idle: nothing to do. paused: a person holds it back. waiting: asked for, not begun. "
        "your turn: a version has passed and waits for a person to promote it. "
        "running: a challenger is being made.",
        ask_now(state),
    )
    panel = panel.unit("none").mappings([ValueMap(options=shown), absent()])
    return panel.color_scheme(d.FieldColor().mode(FieldColorModeId.FIXED).fixed_color("text"))


RETRAINING = (
    *(("idle", "text"), ("paused", "yellow"), ("waiting", "blue"), ("your turn", "yellow")),
    ("running", "blue"),
)
