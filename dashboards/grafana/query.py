"""Query: PromQL over Leeway's metrics, and how Grafana sends it.

Two rules hold for every query. Metrics of a model are the same on every server of a deployment, so
they are reduced by ``max``, never by ``sum``. And NaN means that there is no data: it is dropped,
so that a panel shows a gap instead of a number.
"""

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""The data source that the person chose, and never one of ours."""

JOB = 'job="$job"'
ONE_MODEL = (JOB, 'model="$model"')
MODELS = (JOB, 'model=~"$model"')
PROCESSES = ('job=~"${job}(-processes)?"', 'instance=~"$instance"')
"""What a query is narrowed to: a deployment, one or some of its models, some of its processes."""

RATE = "$__rate_interval"
"""The stretch of time that Grafana takes for a rate: some scrapes, at any zoom."""

Query = prometheus.Dataquery


def series(metric: str, *matchers: str, over: str = "") -> str:
    """Select series of a metric, over a stretch of time if one is given.

    Examples
    --------
    >>> series("up", 'job="a"', over="$__range")
    'up{job="a"}[$__range]'
    """
    stretch = f"[{over}]" if over else ""
    return f"{metric}{{{', '.join(matchers)}}}{stretch}"


def newest(by: str, expression: str) -> str:
    """Take the same numbers of several servers once, without NaN.

    Examples
    --------
    >>> newest("model", "leeway_window_rows")
    'max by (model) (leeway_window_rows) > -Inf'
    """
    return f"max by ({by}) ({expression}) > -Inf"


def ask(expression: str, legend: str = "") -> Query:
    """Ask for the values over the dashboard's time range."""
    query = prometheus.Dataquery().datasource(SOURCE).expr(expression).range()
    return query.legend_format(legend) if legend else query


def ask_now(expression: str, legend: str = "") -> Query:
    """Ask for the values at the end of the dashboard's time range."""
    query = prometheus.Dataquery().datasource(SOURCE).expr(expression).instant()
    return query.legend_format(legend) if legend else query


def ask_rows(expression: str) -> Query:
    """Ask for the values at the end of the dashboard's time range, as rows of a table."""
    return ask_now(expression).format(PromQueryFormat.TABLE)


def ask_buckets(expression: str) -> Query:
    """Ask for the buckets of a histogram, for a heatmap."""
    return ask(expression, "{{le}}").format(PromQueryFormat.HEATMAP)
