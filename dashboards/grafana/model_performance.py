"""The performance part of the Model dashboard."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColorModeId

from dashboards.grafana.panel import DASHED, lines, setting
from dashboards.grafana.performance import of_champion
from dashboards.grafana.query import ONE_MODEL, Query, ask, newest, series

CHOSEN = (*ONE_MODEL, 'metric="$metric"')
COLOURS = {"realized": "blue", "estimated": "purple"}


def performance_over_time() -> timeseries.Panel:
    """Return performance with its bands and the reference."""
    panel = lines(
        "Performance: $metric",
        "The chosen measure of the champion. Realized: on rows whose outcome is known. Estimated: "
        "Leeway's guess where it is not, which cannot see concept drift. The shade is where the "
        "true value lies in 19 of 20 cases. Dashed: the same measure on the rows the model was "
        "made with.",
        _line("leeway_performance", "realized", "realized"),
        _line("leeway_performance_lower", "realized", "realized, lower end"),
        _line("leeway_performance_upper", "realized", "realized, upper end"),
        _line("leeway_performance", "estimated", "estimated"),
        _line("leeway_performance_lower", "estimated", "estimated, lower end"),
        _line("leeway_performance_upper", "estimated", "estimated, upper end"),
        _line("leeway_performance", "reference", "reference"),
    )
    panel = panel.unit("none").decimals(3).span(16).height(9)
    for kind, colour in COLOURS.items():
        panel = _banded(panel, kind, colour)
    dashed = setting("custom.lineStyle", DASHED)
    return panel.override_by_name("reference", [_colour("text"), dashed])


def _line(metric: str, kind: str, legend: str) -> Query:
    return ask(newest("model", of_champion(metric, kind, *CHOSEN)), legend)


def _banded(panel: timeseries.Panel, kind: str, colour: str) -> timeseries.Panel:
    lower, upper = f"{kind}, lower end", f"{kind}, upper end"
    thin = [
        _colour(colour),
        setting("custom.lineWidth", 0),
        setting("custom.hideFrom", {"legend": True, "tooltip": False, "viz": False}),
    ]
    fill = [setting("custom.fillBelowTo", lower), setting("custom.fillOpacity", 20)]
    panel = panel.override_by_name(kind, [_colour(colour)])
    return panel.override_by_name(lower, thin).override_by_name(upper, [*thin, *fill])


def _colour(name: str) -> DynamicConfigValue:
    return setting("color", {"mode": FieldColorModeId.FIXED, "fixedColor": name})


def labels_over_time() -> timeseries.Panel:
    """Return how many outcomes are known."""
    mature = newest("model", series("leeway_labels_mature_ratio", *ONE_MODEL))
    panel = lines(
        "Rows with a known outcome",
        "Share of the newest window's rows whose outcome (label) has come. It starts low with "
        "each window and climbs as outcomes come; until most are there, realized performance is "
        "a first impression.",
        ask(mature, "rows with a label"),
    )
    return panel.unit("percentunit").min(0).max(1).fill_opacity(15).span(8).height(9)
