"""The columns' part of the Model dashboard."""

from grafana_foundation_sdk.builders import common as c
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import (
    LineInterpolation,
    TableCellBackgroundDisplayMode,
    TableColoredBackgroundCellOptions,
)
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    RangeMap,
    ValueMapping,
    ValueMappingResult,
)

from dashboards.grafana.drift import MOST, by_method, deciding_by_method, distance
from dashboards.grafana.panel import DASHED, columns, lines, ranked, rows, setting, steps, timeline
from dashboards.grafana.query import ONE_MODEL, ask, ask_rows, newest, series
from dashboards.grafana.status import absent, switch_mappings

COLUMNS = (*ONE_MODEL, 'column=~"$column"')

HEAT = steps("green", (0.5, "#e0b400"), (1, "red"), (2, "dark-red"))
"""1 is each column's own limit; the other two only grade the colours."""

HOW_FAR = (
    "1 is the limit of the column, whatever its method and unit; from there on it has drifted. "
    "Green: less than half way to the limit. Yellow: on the way. Red: beyond it. Dark red: twice."
)


def distance_over_time() -> statetimeline.Panel:
    """Return a row for each column, coloured by how far it is from its limit."""
    panel = timeline(
        "Distance of each column from its limit",
        "One row a column, over time: how different the newest window looked from the rows the "
        "model was made with. " + HOW_FAR + " A gap: the column could not be compared.",
        ask(distance(*COLUMNS), "{{column}}"),
    )
    return panel.unit("none").decimals(2).mappings(_shades()).span(16).height(11)


def _shades() -> list[ValueMapping]:
    """Return the colours as mappings: merged by threshold, a bar would no longer say its number."""
    steps_down = HEAT.build().steps[::-1]
    ends = [float(MOST), *(one.value or 0.0 for one in steps_down)]
    ranges = [
        d.DashboardRangeMapOptions()
        .from_val(low)
        .to(high)
        .result(ValueMappingResult(color=one.color))
        for one, low, high in zip(steps_down, ends[1:], ends[:-1], strict=True)
    ]
    return [*(RangeMap(options=one.build()) for one in ranges), absent()]


FIELDS = {
    "column": "Column",
    "Value #A": "Distance from its limit",
    "Value #B": "Drifted",
    "Value #G": "Rank",
    "method": "Method",
    "Value #C": "Score",
    "Value #D": "Limit",
    "Value #E": "Missing",
    "Value #F": "New values",
    "Value #H": "Comes together",
}


def columns_now() -> table.Panel:
    """Return the columns in the newest window, the furthest off first."""
    drifted = f"max by (column) ({series('leeway_column_drifted', *COLUMNS)}) >= 0"
    panel = rows(
        "Columns in the newest window",
        "Every column with its score and its limit; the furthest off first. " + HOW_FAR + " "
        "Rank: of those that drifted, 1 matters most; only the first three have one. "
        "p-values drift below their limit, distances above. Missing: rows without a value. New "
        "values: rows whose value the reference never had. Comes together: where columns belong "
        "together otherwise than before, how much of that the column has to do with.",
        ask_rows(distance(*COLUMNS)),
        ask_rows(drifted),
        ask_rows(deciding_by_method("leeway_drift_score", *COLUMNS)),
        ask_rows(deciding_by_method("leeway_drift_threshold", *COLUMNS)),
        ask_rows(newest("column", series("leeway_missing_ratio", *COLUMNS))),
        ask_rows(newest("column", series("leeway_unseen_ratio", *COLUMNS))),
        ask_rows(newest("column", series("leeway_column_rank", *COLUMNS))),
        ask_rows(newest("column", series("leeway_multivariate_drop", *COLUMNS))),
    )
    panel = columns(panel, FIELDS).unit("none").height(10).filterable(filterable=True)
    by_distance = c.TableSortByFieldState().display_name("Distance from its limit").desc(desc=True)
    return _dressed(panel.sort_by([by_distance]))


def _dressed(panel: table.Panel) -> table.Panel:
    coloured = TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
    heat = HEAT.build()
    shades = [{"value": one.value, "color": one.color} for one in heat.steps]
    far = [
        setting("decimals", 2),
        setting("thresholds", {"mode": heat.mode, "steps": shades}),
        setting("color", {"mode": FieldColorModeId.THRESHOLDS}),
        setting("custom.cellOptions", coloured),
    ]
    yes = [setting("mappings", switch_mappings("no", "yes"))]
    share = [setting("unit", "percentunit"), setting("decimals", 1)]
    return (
        panel.override_by_name("Distance from its limit", far)
        .override_by_name("Drifted", [*yes, setting("custom.cellOptions", coloured)])
        .override_by_name("Score", [setting("decimals", 4)])
        .override_by_name("Limit", [setting("decimals", 4)])
        .override_by_name("Missing", share)
        .override_by_name("New values", share)
        .override_by_name("Comes together", [setting("decimals", 3)])
        .override_by_name("Column", [setting("custom.minWidth", 150)])
    )


def quality() -> list[timeseries.Panel]:
    """Return what is missing and what is new in the feed."""
    missing = newest("column", series("leeway_missing_ratio", *COLUMNS))
    unseen = newest("column", series("leeway_unseen_ratio", *COLUMNS))
    panels = [
        lines(
            "Missing values",
            "Share of the window's rows without a value, by column. A jump usually means that "
            "something before the model broke.",
            ask(missing, "{{column}}"),
        ),
        lines(
            "New values",
            "Share of the window's values that the reference never had, by column of categories: "
            "a new shop, a new code, a changed spelling.",
            ask(unseen, "{{column}}"),
        ),
    ]
    return [ranked(panel.unit("percentunit").min(0).max(1).span(8)) for panel in panels]


def one_column() -> timeseries.Panel:
    """Return a column's score with its limit; repeated for each column that is chosen."""
    panel = lines(
        "$column",
        "The drift score of one column with its limit, in the unit of its method. p-values drift "
        "below the limit, distances above.",
        ask(by_method("leeway_drift_score", *COLUMNS), "score ({{method}})"),
        ask(by_method("leeway_drift_threshold", *COLUMNS), "limit ({{method}})"),
    )
    limit = [
        setting("color", {"mode": FieldColorModeId.FIXED, "fixedColor": "red"}),
        setting("custom.lineStyle", DASHED),
    ]
    panel = panel.unit("none").decimals(4).line_interpolation(LineInterpolation.STEP_AFTER)
    panel = panel.override_by_regexp("^limit.*", limit).span(6).height(7)
    return panel.repeat("column").repeat_direction("h").max_per_row(4)
