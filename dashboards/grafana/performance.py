"""Performance: PromQL for how good the champion is."""

from dashboards.grafana.query import JOB, series
from monitor.checks.performance import default_metric
from monitor.schema import Task


def of_champion(metric: str, kind: str, *matchers: str) -> str:
    """Return a performance metric of the versions that are champion now.

    Parameters
    ----------
    metric : str
        ``leeway_performance``, or an end of its band.
    kind : str
        ``realized``, ``estimated`` or ``reference``.
    matchers : str
        What else narrows it.
    """
    values = series(metric, *matchers, f'kind="{kind}"')
    champion = series("leeway_champion_info", JOB)
    return f"{values} and on (model, version) {champion}"


def deciding(kind: str, *matchers: str) -> str:
    """Return, by model, the metric that decides unless leeway.yaml says otherwise."""
    defaults = (f'metric="{default_metric(task)}"' for task in Task)
    found = [
        f"max by (model, metric) ({of_champion('leeway_performance', kind, *matchers, one)})"
        for one in defaults
    ]
    # NaN goes last: a model whose ROC AUC is not known yet must not fall back to its accuracy.
    return f"({' or on (model) '.join(found)}) > -Inf"
