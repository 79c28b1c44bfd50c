"""Panels of one score of a whole model beside its limit."""

from grafana_foundation_sdk.builders import timeseries

from dashboards.grafana.panel import DASHED, lines, setting
from dashboards.grafana.query import ONE_MODEL, ask, newest, series


def together_over_time() -> timeseries.Panel:
    """Return how well rows are told from the reference's by what comes together."""
    return _held(
        "Columns together",
        "How well a classifier tells the newest window's rows from those the model was made with, "
        "by which values come together: 0.5 is not at all, 1 is each row. Beyond the dashed limit "
        "the columns belong together otherwise than before, though none may have moved alone.",
        "leeway_multivariate",
    ).min(0.4)


def slow_fall_over_time() -> timeseries.Panel:
    """Return what has added up of windows that were a little worse than the reference."""
    return _held(
        "Slow fall: control chart",
        "What final windows that were worse than the reference have added up to, in standard "
        "errors. A good window takes some of it back. Above the dashed limit performance has "
        "fallen, though no window may show it alone.",
        "leeway_slow_fall",
    ).min(0)


def _held(title: str, description: str, metric: str) -> timeseries.Panel:
    score, limit = (
        newest("model", series(f"{metric}_{part}", *ONE_MODEL)) for part in ("score", "threshold")
    )
    panel = lines(title, description, ask(score, "score"), ask(limit, "limit"))
    dashed = setting("custom.lineStyle", DASHED)
    return panel.unit("none").decimals(2).height(7).override_by_name("limit", [dashed])
