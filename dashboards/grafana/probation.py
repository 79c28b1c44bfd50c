"""Probation's part of the Retraining dashboard: does the new version do harm, and who tells?"""

from grafana_foundation_sdk.builders import timeseries

from dashboards.grafana.link import IN_SERIES, of_model
from dashboards.grafana.panel import DASHED, lines, ranked, setting
from dashboards.grafana.query import JOB, MODELS, RATE, ask, newest, series


def evidence() -> timeseries.Panel:
    """Return how strongly the labels speak against the new version."""
    found = newest("model", series("leeway_probation_e_value", *MODELS))
    limit = f"max({series('leeway_probation_e_value_limit', JOB)})"
    panel = lines(
        "Evidence of harm",
        "After a promotion the version before predicts the same rows. The line says how strongly "
        "the labels speak against the new one: about 1 or less is expected of a harmless version, "
        "and from the limit on it is rolled back by itself.",
        ask(found, "{{model}}"),
        ask(limit, "limit"),
    )
    panel = panel.unit("none").min(0).data_links(of_model(IN_SERIES))
    return panel.override_by_name("limit", [setting("custom.lineStyle", DASHED)])


def gain_over_predecessor() -> timeseries.Panel:
    """Return how much better the new version is than the one before."""
    panel = lines(
        "Gain over the predecessor on the same rows",
        "How much better the new version's metric is than that of the version before, on the rows "
        "of its probation that have labels. Below nothing it is worse.",
        ask(newest("model", series("leeway_probation_gain", *MODELS)), "{{model}}"),
    )
    return ranked(panel.unit("none").decimals(4).data_links(of_model(IN_SERIES)))


def beside() -> timeseries.Panel:
    """Return the live rows that other versions predict as well, and those they could not."""
    logged, failed, dropped = (
        f"rate({series(f'leeway_shadow_rows_{what}_total', *MODELS, over=RATE)})"
        for what in ("logged", "failed", "dropped")
    )
    panel = lines(
        "Rows predicted beside the champion",
        "Live rows a second that a version beside the champion predicts as well, unseen by "
        "callers: the predecessor on probation, a challenger. failed: it could not predict them; "
        "Leeway's page of the model says why. dropped: there was no time for them, or the log did "
        "not take them. Without these rows neither the new version's harm nor a challenger's cost "
        "is known.",
        ask(f"max by (model) ({logged})", "{{model}}"),
        ask(f"max by (model) ({failed}) > 0", "{{model}} failed"),
        ask(f"sum by (model) ({dropped}) > 0", "{{model}} dropped"),
    )
    return ranked(panel.unit("rowsps").min(0).data_links(of_model(IN_SERIES)))
