"""Panel: the five kinds of panels, in the house's look."""

from grafana_foundation_sdk.builders import common as c
from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    AxisPlacement,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from dashboards.grafana.query import SOURCE, Query
from dashboards.grafana.status import absent

NO_DATA = "no data"
DASHED = {"fill": "dash", "dash": [8, 6]}
"""The line style of limits and of what is compared with."""
CALM = "text"
"""The colour of numbers that are neither good nor bad."""


def named(queries: tuple[Query, ...]) -> list[Builder[Dataquery]]:
    """Name queries A, B, C and so on."""
    return [query.ref_id(chr(ord("A") + i)) for i, query in enumerate(queries)]


def steps(first: str, *above: tuple[float, str]) -> d.ThresholdsConfig:
    """Return colours from thresholds upwards."""
    config = d.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE)
    return config.steps([Threshold(None, first), *(Threshold(v, colour) for v, colour in above)])


def number(title: str, description: str, *queries: Query) -> stat.Panel:
    """Return a panel that shows the newest value in large type."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(named(queries))
        .no_value(NO_DATA)
        .mappings([absent()])
        .thresholds(steps(CALM))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(BigValueTextMode.VALUE)
        .reduce_options(c.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(4)
        .height(4)
    )


def lines(title: str, description: str, *queries: Query) -> timeseries.Panel:
    """Return a panel of values over time; a window's number holds until the next, so in steps."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(named(queries))
        .no_value(NO_DATA)
        .line_interpolation(LineInterpolation.STEP_AFTER)
        .line_width(2)
        .fill_opacity(0)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(c.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .span(12)
        .height(8)
    )


def bars(title: str, description: str, *queries: Query) -> timeseries.Panel:
    """Return a panel of counts over time, stacked."""
    panel = lines(title, description, *queries).draw_style(GraphDrawStyle.BARS).fill_opacity(80)
    return panel.line_width(0).stacking(c.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def _legend() -> c.VizLegendOptions:
    legend = c.VizLegendOptions().show_legend(show_legend=True).display_mode(LegendDisplayMode.LIST)
    return legend.placement(LegendPlacement.BOTTOM).calcs([])


def ranked(panel: timeseries.Panel) -> timeseries.Panel:
    """Give a panel of many lines a legend that has the highest newest value first."""
    legend = (
        c.VizLegendOptions().show_legend(show_legend=True).display_mode(LegendDisplayMode.TABLE)
    )
    legend = legend.placement(LegendPlacement.RIGHT).calcs(["lastNotNull"])
    return panel.legend(legend.sort_by("Last *").sort_desc(sort_desc=True))


def timeline(title: str, description: str, *queries: Query) -> statetimeline.Panel:
    """Return a panel with a row for each series, coloured by its value over time."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(named(queries))
        .no_value(NO_DATA)
        .color_scheme(d.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(CALM))
        .merge_values(merge_values=True)
        .show_value(VisibilityMode.AUTO)
        .row_height(0.9)
        .line_width(0)
        .fill_opacity(80)
        .legend(_legend())
        .tooltip(c.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
        .span(24)
        .height(8)
    )


def rows(title: str, description: str, *queries: Query) -> table.Panel:
    """Return a table; its queries are merged into one row for each set of labels."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(named(queries))
        .with_transformation(DataTransformerConfig("merge", options={}))
        .no_value("-")
        .min_width(60)
        .span(24)
        .height(10)
    )


def columns(panel: table.Panel, names: dict[str, str], *hidden: str) -> table.Panel:
    """Show fields in this order and under these names, without the time and what is hidden."""
    shown = {
        "indexByName": {field: place for place, field in enumerate(names)},
        "renameByName": names,
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "includeByName": {},
    }
    return panel.with_transformation(DataTransformerConfig("organize", options=shown))


def buckets(title: str, description: str, query: Query) -> heatmap.Panel:
    """Return a heatmap of a histogram's buckets over time."""
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges")
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(named((query,)))
        .calculate(calculate=False)
        .color(colours.steps(32).exponent(0.5).reverse(reverse=False))
        .y_axis(heatmap.YAxisConfig().unit("s").axis_placement(AxisPlacement.LEFT))
        .cell_gap(1)
        .span(12)
        .height(8)
    )


def setting(name: str, value: object) -> DynamicConfigValue:
    """Return one property of an override, for instance a unit."""
    return DynamicConfigValue(id_val=name, value=value)
