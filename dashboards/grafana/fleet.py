"""Fleet: every model at a glance."""

from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    TableBarGaugeCellOptions,
    TableCellBackgroundDisplayMode,
    TableColoredBackgroundCellOptions,
)
from grafana_foundation_sdk.models.dashboard import Dashboard, FieldColorModeId

from dashboards.grafana import variable
from dashboards.grafana.board import Board, Section, assemble
from dashboards.grafana.link import IN_ROW, IN_SERIES, Uid, board, data_links, of_model
from dashboards.grafana.panel import (
    columns,
    lines,
    number,
    ranked,
    rows,
    setting,
    steps,
    timeline,
)
from dashboards.grafana.performance import deciding
from dashboards.grafana.query import MODELS, ask, ask_now, ask_rows, newest, series
from dashboards.grafana.status import (
    MEANING,
    METRIC,
    check_status,
    models_in_breach,
    models_in_error,
    overall_status,
    status_mappings,
)

BOARD = Board(
    Uid.FLEET,
    "Every model that Leeway watches: which one needs someone, and since when.",
    since="now-7d",
)


def fleet() -> Dashboard:
    """Return the dashboard."""
    sections = [
        Section("Is anything wrong?", _counts()),
        Section("All models, the newest window of each", [_table()]),
        Section("Since when?", [_status_over_time(), _share_over_time(), _performance_over_time()]),
    ]
    return assemble(BOARD, [variable.models()], sections)


def _counts() -> list[stat.Panel]:
    calm = steps("green", (1, "red"))
    n_models = f"count(count by (model) ({series(METRIC, *MODELS)}))"
    is_open = f"max by (model, kind) ({series('leeway_incident_open', *MODELS)})"
    judged = newest("model", series("leeway_cycle_last_success_timestamp_seconds", *MODELS))
    moved = newest("model", series("leeway_champion_promoted_timestamp_seconds", *MODELS))
    return [
        _count("Models watched", "How many models there are.", n_models),
        _count(
            "In breach",
            "Models with a check beyond its limit or an alert that is open: someone should look.",
            models_in_breach(*MODELS),
        ).thresholds(calm),
        _count(
            "Cannot be judged",
            "Models of which a check failed (ERROR): Leeway does not know how they are.",
            models_in_error(*MODELS),
        ).thresholds(steps("green", (1, "purple"))),
        _count(
            "Open incidents",
            "Feeds that look broken: values are missing or new, or something was done to them. "
            "Leeway does not retrain on them.",
            f"sum({is_open})",
        ).thresholds(calm),
        _count(
            "Longest without a verdict",
            "How long ago the model that has waited longest was last judged. Compare it with the "
            "length of its windows.",
            f"time() - min({judged})",
        ).unit("s"),
        _count(
            "Newest champion",
            "How long ago a model last changed its serving version.",
            f"time() - max({moved})",
        )
        .unit("s")
        .links([board(Uid.RETRAINING, "Retraining")]),
    ]


def _count(title: str, description: str, expression: str) -> stat.Panel:
    panel = number(title, description, ask_now(expression)).unit("none").decimals(0)
    return panel.color_mode(BigValueColorMode.VALUE)


FIELDS = {
    "model": "Model",
    "Value #A": "Status",
    "Value #B": "Drift",
    "Value #C": "Quality",
    "Value #D": "Performance",
    "Value #E": "Drifted columns",
    "metric": "Metric",
    "Value #F": "Realized",
    "Value #G": "Reference",
    "version": "Champion",
    "Value #I": "Champion since",
    "Value #J": "Incidents",
    "Value #K": "Window ends",
    "Value #L": "Judged",
}


def _table() -> table.Panel:
    since = series("leeway_champion_promoted_timestamp_seconds", *MODELS)
    ends = series("leeway_window_end_timestamp_seconds", *MODELS)
    judged = series("leeway_cycle_last_success_timestamp_seconds", *MODELS)
    panel = rows(
        "Models",
        "One row a model; click its name for more. Status is the weightiest of its checks. "
        "Realized: performance on the labelled rows of the newest window that has labels; "
        "Reference: the same measure on the rows the model was made with. " + MEANING,
        ask_rows(overall_status(*MODELS)),
        ask_rows(check_status("drift", *MODELS)),
        ask_rows(check_status("quality", *MODELS)),
        ask_rows(check_status("performance", *MODELS)),
        ask_rows(newest("model", series("leeway_drifted_columns_ratio", *MODELS))),
        ask_rows(deciding("realized", *MODELS)),
        ask_rows(deciding("reference", *MODELS)),
        ask_rows(f"max by (model, version) ({series('leeway_champion_info', *MODELS)})"),
        ask_rows(newest("model", f"{since} * 1000")),
        ask_rows(f"sum by (model) (max by (model, kind) ({_incidents()}))"),
        ask_rows(newest("model", f"{ends} * 1000")),
        ask_rows(newest("model", f"{judged} * 1000")),
    )
    panel = columns(panel, FIELDS, "Value #H").unit("none").height(11)
    return _dressed(panel.filterable(filterable=True))


def _incidents() -> str:
    return series("leeway_incident_open", *MODELS)


def _dressed(panel: table.Panel) -> table.Panel:
    coloured = TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
    status = [
        setting("mappings", status_mappings()),
        setting("custom.cellOptions", coloured),
        setting("color", {"mode": FieldColorModeId.FIXED, "fixedColor": "transparent"}),
    ]
    for name in ("Status", "Drift", "Quality", "Performance"):
        panel = panel.override_by_name(name, status)
    for name in ("Champion since", "Window ends", "Judged"):
        panel = panel.override_by_name(name, [setting("unit", "dateTimeFromNow")])
    for name in ("Realized", "Reference"):
        panel = panel.override_by_name(name, [setting("decimals", 3)])
    links = data_links(IN_ROW)
    bar = TableBarGaugeCellOptions(mode=BarGaugeDisplayMode.BASIC)
    share = [setting("unit", "percentunit"), setting("min", 0), setting("max", 1)]
    look = [setting("custom.cellOptions", bar), setting("color", {"mode": "continuous-GrYlRd"})]
    warn = {"mode": "absolute", "steps": steps("transparent", (1, "red")).build().steps}
    shown = [setting("custom.cellOptions", coloured), setting("thresholds", warn)]
    return (
        panel.override_by_name("Drifted columns", [*share, *look, setting("custom.minWidth", 130)])
        .override_by_name("Incidents", shown)
        .override_by_name("Model", [setting("links", links), setting("custom.minWidth", 140)])
    )


def _status_over_time() -> statetimeline.Panel:
    panel = timeline(
        "Status of each model",
        "The weightiest status of each model over time; click a bar for the model. " + MEANING,
        ask(overall_status(*MODELS), "{{model}}"),
    )
    return panel.mappings(status_mappings()).unit("none").data_links(of_model(IN_SERIES))


def _share_over_time() -> timeseries.Panel:
    share = newest("model", series("leeway_drifted_columns_ratio", *MODELS))
    panel = lines(
        "Drifted columns",
        "How many of a model's columns look different from the rows it was made with. One or two "
        "are usual; when most of them do, the world or the feed has changed.",
        ask(share, "{{model}}"),
    )
    panel = panel.unit("percentunit").min(0).max(1).data_links(of_model(IN_SERIES))
    return ranked(panel)


def _performance_over_time() -> timeseries.Panel:
    panel = lines(
        "Realized performance",
        "How good each champion was on the rows whose outcome is known: ROC AUC, accuracy or mean "
        "absolute error, by the model's task. A gap: no outcome is known yet.",
        ask(deciding("realized", *MODELS), "{{model}}: {{metric}}"),
    )
    return ranked(panel.unit("none").decimals(3).data_links(of_model(IN_SERIES)))
