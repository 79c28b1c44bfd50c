"""Retraining: what was tried, what came of it, and which version served when."""

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    FieldColorModeId,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from dashboards.grafana import variable
from dashboards.grafana.annotation import annotations
from dashboards.grafana.board import Board, Section, assemble
from dashboards.grafana.link import IN_ROW, IN_SERIES, Uid, data_links, of_model
from dashboards.grafana.panel import (
    DASHED,
    bars,
    columns,
    lines,
    number,
    ranked,
    rows,
    setting,
    timeline,
)
from dashboards.grafana.performance import deciding
from dashboards.grafana.probation import beside, evidence, gain_over_predecessor
from dashboards.grafana.query import MODELS, RATE, Query, ask, ask_now, ask_rows, newest, series
from retrain.record import Outcome

BOARD = Board(
    Uid.RETRAINING,
    "Retraining: what was tried, what came of it, and which version served when.",
    since="now-30d",
)

COLOURS = {
    Outcome.PROMOTED: "green",
    Outcome.HELD: "yellow",
    Outcome.REFUSED: "blue",
    Outcome.FAILED: "red",
    Outcome.CANCELLED: "#8e8e8e",
}

MEANINGS = {
    Outcome.PROMOTED: "The challenger was surely better than the champion, and serves now.",
    Outcome.REFUSED: "The challenger was not surely better; the champion stayed. That is no fault.",
    Outcome.HELD: "The challenger is in the gate, or waits for a person; the champion stayed.",
    Outcome.FAILED: "The run broke: too few labels, no time left, or an error. Leeway's page of "
    "the model has the reason.",
    Outcome.CANCELLED: "The run was stopped by a person, or another version became champion "
    "meanwhile.",
}


def retraining() -> Dashboard:
    """Return the dashboard."""
    sections = [
        Section("What came of it, within the range?", _counts()),
        Section("When?", [_runs_over_time(), _age_over_time()]),
        Section("What did the last run bring, and cost?", [_gains(), _durations()]),
        Section(
            "Does the new version do harm? Probation",
            [evidence(), gain_over_predecessor(), beside().span(24)],
        ),
        Section("Who served when, and how well?", [_champions_over_time(), _versions_compared()]),
        Section("All models", [_table()]),
    ]
    return assemble(
        BOARD, [variable.models(), variable.metric_of_models()], sections, annotations(*MODELS)
    )


def _ended(by: str, outcome: Outcome | None = None, over: str = "$__range") -> str:
    """Count runs that ended in a stretch of time, each once however many servers tell of it."""
    matchers = (*MODELS, *([f'outcome="{outcome}"'] if outcome else []))
    grown = f"increase({series('leeway_retrain_runs_total', *matchers, over=over)})"
    return f"sum by ({by}) (max by (model, outcome) (round({grown})))"


def _counts() -> list[stat.Panel]:
    taken_back = f"increase({series('leeway_rollbacks_total', *MODELS, over='$__range')})"
    running = f"sum(max by (model) ({series('leeway_retrain_running', *MODELS)}))"
    waiting = f"sum(max by (model) ({series('leeway_retrain_requests_open', *MODELS)}))"
    panels = [
        number(outcome.capitalize(), MEANINGS[outcome], ask_now(_ended("outcome", outcome)))
        for outcome in COLOURS
    ]
    panels += [
        number(
            "Rolled back",
            "Times that the former version was put back, because the new one did worse or a person "
            "said so.",
            ask_now(f"sum(max by (model) (round({taken_back})))"),
        ),
        number("Running now", "Retrain runs that are going on.", ask_now(running)),
        number("Asked for", "Retrain requests that are not carried out yet.", ask_now(waiting)),
    ]
    return [panel.unit("none").decimals(0).span(6) for panel in panels]


def _runs_over_time() -> timeseries.Panel:
    panel = bars(
        "Runs by outcome",
        "Retrain runs when they ended. promoted: a better version serves. refused: the challenger "
        "was not surely better. held: it is in the gate, or waits for a person. failed: the run "
        "broke.",
        ask(f"{_ended('outcome', over=RATE)} > 0", "{{outcome}}"),
    )
    panel = panel.unit("none").decimals(0).min(0)
    for outcome, colour in COLOURS.items():
        fixed = setting("color", {"mode": FieldColorModeId.FIXED, "fixedColor": colour})
        panel = panel.override_by_name(outcome, [fixed])
    return panel


def _age_over_time() -> timeseries.Panel:
    since = series("leeway_champion_promoted_timestamp_seconds", *MODELS)
    panel = lines(
        "Age of the champion",
        "How long each model's version has served. It climbs until a promotion or a rollback takes "
        "it to nothing.",
        ask(f"time() - ({newest('model', since)})", "{{model}}"),
    )
    return ranked(panel.unit("s").min(0).data_links(of_model(IN_SERIES)))


def _gains() -> timeseries.Panel:
    gain, lower = (
        newest("model", series(f"leeway_retrain_last_gain{end}", *MODELS)) for end in ("", "_lower")
    )
    panel = lines(
        "Gain of the last challenger",
        "How much better than the champion the last challenger was on rows that neither had seen, "
        "in the unit of the model's metric. It is promoted when even the lower end is above "
        "nothing (unless leeway.yaml asks for more).",
        ask(gain, "{{model}}"),
        ask(lower, "{{model}}, lower end"),
    )
    panel = panel.unit("none").decimals(4).data_links(of_model(IN_SERIES))
    return panel.override_by_regexp(".*, lower end$", [setting("custom.lineStyle", DASHED)])


def _durations() -> timeseries.Panel:
    took = newest("model", series("leeway_retrain_last_duration_seconds", *MODELS))
    panel = lines(
        "Duration of the last run",
        "How long the last retrain run of each model took. It ends by the budget in leeway.yaml.",
        ask(took, "{{model}}"),
    )
    return ranked(panel.unit("s").min(0).data_links(of_model(IN_SERIES)))


def _champions_over_time() -> statetimeline.Panel:
    champions = f"max by (model, version) ({series('leeway_champion_info', *MODELS)})"
    panel = timeline(
        "Champions",
        "A row for each version, filled while it served. A row that is filled a second time: a "
        "rollback.",
        ask(champions, "{{model}} version {{version}}"),
    )
    panel = panel.unit("none").mappings(_serving()).span(12).data_links(of_model(IN_SERIES))
    return panel.color_scheme(d.FieldColor().mode(FieldColorModeId.FIXED).fixed_color("green"))


def _serving() -> list[ValueMapping]:
    serves = ValueMappingResult(text="champion", color="green", index=0)
    return [ValueMap(options={"1": serves})]  # a gap means that another version served


def _versions_compared() -> timeseries.Panel:
    chosen = series("leeway_performance", *MODELS, 'kind="realized"', 'metric="$metric"')
    panel = lines(
        "Realized $metric: champion and predecessor",
        "The chosen measure of each version on rows whose outcome is known, while it was champion. "
        "After a promotion the new version's line should be no worse than the old one's end.",
        ask(newest("model, version", chosen), "{{model}} version {{version}}"),
    )
    return ranked(panel.unit("none").decimals(3).data_links(of_model(IN_SERIES)))


FIELDS = {
    "model": "Model",
    "version": "Champion",
    "Value #B": "Champion since",
    "Value #C": "Promoted",
    "Value #D": "Refused",
    "Value #E": "Failed",
    "Value #F": "Last gain",
    "Value #G": "Lower end",
    "Value #H": "Duration",
    "metric": "Metric",
    "Value #I": "Realized",
    "Value #J": "Reference",
    "Value #K": "Leakage alarms",
}


def _table() -> table.Panel:
    since = series("leeway_champion_promoted_timestamp_seconds", *MODELS)
    panel = rows(
        "Models",
        "Each model's champion, and what came of its retrain runs within the dashboard's range. "
        "Last gain, its lower end and duration are of the last run; those of every run, with the "
        "reasons, are on Leeway's page of the model. Leakage alarms count features of the champion "
        "that may know the label before anyone can: that page names them.",
        ask_rows(f"max by (model, version) ({series('leeway_champion_info', *MODELS)})"),
        ask_rows(newest("model", f"{since} * 1000")),
        _column(Outcome.PROMOTED),
        _column(Outcome.REFUSED),
        _column(Outcome.FAILED),
        _last("gain"),
        _last("gain_lower"),
        _last("duration_seconds"),
        ask_rows(deciding("realized", *MODELS)),
        ask_rows(deciding("reference", *MODELS)),
        ask_rows(newest("model", series("leeway_leakage_alarms", *MODELS))),
    )
    panel = columns(panel, FIELDS, "Value #A").unit("none").decimals(0).filterable(filterable=True)
    links = [setting("links", data_links(IN_ROW)), setting("custom.minWidth", 140)]
    for name in ("Realized", "Reference", "Last gain", "Lower end"):
        panel = panel.override_by_name(name, [setting("decimals", 4)])
    panel = panel.override_by_name("Model", links)
    panel = panel.override_by_name("Duration", [setting("unit", "s")])
    return panel.override_by_name("Champion since", [setting("unit", "dateTimeFromNow")])


def _column(outcome: Outcome) -> Query:
    return ask_rows(_ended("model", outcome))


def _last(what: str) -> Query:
    return ask_rows(newest("model", series(f"leeway_retrain_last_{what}", *MODELS)))
