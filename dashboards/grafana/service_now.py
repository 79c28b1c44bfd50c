"""The top of the Service dashboard."""

from grafana_foundation_sdk.builders import stat

from dashboards.grafana.panel import number, steps
from dashboards.grafana.query import JOB, MODELS, PROCESSES, ask_now, newest, series


def now() -> list[stat.Panel]:
    """Return the panels that say whether Leeway works."""
    requests = series("leeway_http_requests_total", *PROCESSES, over="$__range")
    faults = series("leeway_http_requests_total", *PROCESSES, 'status=~"5.."', over="$__range")
    judged = newest("model", series("leeway_cycle_last_success_timestamp_seconds", *MODELS))
    broken = series("leeway_check_status", *MODELS, 'check="cycle"')
    failed = series("leeway_deliveries_total", JOB, 'outcome="failed"', over="$__range")
    refused = series("leeway_rows_refused_total", *MODELS, over="$__range")
    calm = steps("green", (1, "red"))
    return [
        _count(
            "Processes down",
            "Leeway's processes that Prometheus cannot reach. While one is down, what it does is "
            "not done.",
            f"count({series('up', *PROCESSES)} == 0) or sum({series('up', *PROCESSES)} == bool 0)",
        ).thresholds(calm),
        _count(
            "Models that cannot be judged",
            "Models whose last cycle failed. Leeway's page of the model says why.",
            f"sum(max by (model) ({broken}) == bool 4)",
        ).thresholds(calm),
        _count(
            "Longest without a verdict",
            "How long ago the model that has waited longest was last judged. Compare it with the "
            "length of its windows.",
            f"time() - min({judged})",
        ).unit("s"),
        _count(
            "Requests answered with an error",
            "Share of the requests within the dashboard's range that Leeway answered with a fault "
            "of its own (5xx). No data: there was no request.",
            f"sum(increase({faults})) / sum(increase({requests})) "
            f"or 0 * (sum(increase({requests})) > 0)",
        )
        .unit("percentunit")
        .decimals(2),
        _count(
            "Rows refused",
            "Rows that could not be stored within the dashboard's range.",
            f"round(sum(max by (model, reason) (increase({refused}))))",
        ).thresholds(steps("green", (1, "yellow"))),
        _count(
            "Messages not delivered",
            "Attempts to tell people that failed within the dashboard's range. Leeway tries "
            "again. No data: no message was ever sent.",
            f"round(sum(max by (channel) (increase({failed}))))",
        ).thresholds(calm),
    ]


def _count(title: str, description: str, expression: str) -> stat.Panel:
    return number(title, description, ask_now(expression)).unit("none").decimals(0)
