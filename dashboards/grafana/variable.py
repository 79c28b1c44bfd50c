"""Variable: what a person chooses at the top of a dashboard."""

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.models.dashboard import (
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.grafana.query import SOURCE

LEEWAY_URL = "http://127.0.0.1:8000"
"""Where Leeway's pages are unless the person says otherwise:
the default of `url` in leeway.yaml."""


def data_source() -> d.DatasourceVariable:
    """Return the choice of a Prometheus."""
    chosen = d.DatasourceVariable("datasource").label("Data source").type("prometheus")
    return chosen.description("The Prometheus that scrapes Leeway.")


def deployment() -> d.QueryVariable:
    """Return the choice of a deployment: one, for the numbers of two must never be mixed."""
    chosen = labels("job", "leeway_check_status", "Deployment")
    return chosen.description("The scrape job of one Leeway deployment.")


def one_model() -> d.QueryVariable:
    """Return the choice of one model."""
    chosen = labels("model", 'leeway_check_status{job="$job"}', "Model")
    return chosen.description("The model to look at.")


def models() -> d.QueryVariable:
    """Return the choice of some models."""
    return several(one_model().description("The models to look at."))


def columns() -> d.QueryVariable:
    """Return the choice of some columns of the model."""
    chosen = labels("column", 'leeway_drift_score{job="$job", model="$model"}', "Column")
    return several(chosen.description("The columns to look at."))


def metric() -> d.QueryVariable:
    """Return the choice of a performance metric of one model."""
    return _metric('leeway_performance{job="$job", model="$model"}')


def metric_of_models() -> d.QueryVariable:
    """Return the choice of a performance metric of some models."""
    return _metric('leeway_performance{job="$job", model=~"$model"}')


def _metric(of: str) -> d.QueryVariable:
    """Choose ROC AUC where there is one; otherwise the first by name, which is accuracy or MAE."""
    chosen = labels("metric", of, "Metric")
    chosen = chosen.description("The measure of performance to look at.")
    return chosen.current(VariableOption(text="roc_auc", value="roc_auc", selected=True))


def instances() -> d.QueryVariable:
    """Return the choice of some processes."""
    chosen = labels("instance", 'up{job=~"${job}(-processes)?"}', "Process")
    return several(chosen.description("The server processes to look at."))


def leeway_url() -> d.TextBoxVariable:
    """Return the address of Leeway's own pages; metrics do not say it."""
    chosen = d.TextBoxVariable("leeway").label("Leeway at").default_value(LEEWAY_URL)
    chosen = chosen.description("Where Leeway's own pages are, for the links to them.")
    return chosen.current(VariableOption(text=LEEWAY_URL, value=LEEWAY_URL, selected=True))


def labels(name: str, of: str, title: str) -> d.QueryVariable:
    """Return the choice of one value of a label."""
    asked = f"label_values({of}, {name})"
    query: dict[str, object] = {"qryType": 1, "query": asked, "refId": "PrometheusVariableQuery"}
    chosen = d.QueryVariable(name).label(title).datasource(SOURCE).definition(asked).query(query)
    chosen = chosen.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    chosen = chosen.sort(VariableSort.ALPHABETICAL_ASC).allow_custom_value(allow_custom_value=False)
    return chosen.multi(multi=False).include_all(include_all=False)


def several(chosen: d.QueryVariable) -> d.QueryVariable:
    """Let a person choose several values, all of them at first."""
    everything = VariableOption(text=["All"], value=["$__all"], selected=True)
    chosen = chosen.multi(multi=True).include_all(include_all=True)
    return chosen.all_value(".+").current(everything)
