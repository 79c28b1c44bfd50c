"""The traffic's part of the Service dashboard: rows in, predictions out, messages to people."""

from dashboards.grafana.board import PanelBuilder
from dashboards.grafana.panel import bars, lines, ranked, setting
from dashboards.grafana.query import JOB, MODELS, PROCESSES, RATE, Query, ask, series


def ingest() -> list[PanelBuilder]:
    """Return the rows that come in, and those that do not."""
    return [
        ranked(
            lines(
                "Predictions logged",
                "Prediction rows a second that Leeway has safely on disk, by model.",
                _rows("leeway_predictions_logged_total", "model"),
            ).unit("rowsps").min(0).span(8)
        ),
        ranked(
            lines(
                "Labels logged",
                "Outcomes (labels) a second that Leeway has safely on disk, by model. Without "
                "them nothing can be said of performance, and nothing retrained.",
                _rows("leeway_labels_logged_total", "model"),
            ).unit("rowsps").min(0).span(8)
        ),
        ranked(
            lines(
                "Rows refused",
                "Rows a second that could not be stored, by reason: unparseable, a bad time, a bad "
                "id, a bad label, or a schema that this model refuses.",
                _rows("leeway_rows_refused_total", "model, reason", " {{reason}}"),
            ).unit("rowsps").min(0).span(8)
        ),
    ]  # fmt: skip


def _rows(metric: str, by: str, more: str = "") -> Query:
    rate = f"max by ({by}) (rate({series(metric, *MODELS, over=RATE)}))"
    return ask(rate, "{{model}}" + more)


def predict() -> list[PanelBuilder]:
    """Return how long predict requests take, and how many there are."""
    requests = series("leeway_predict_duration_seconds_count", *MODELS, over=RATE)
    return [
        lines(
            "Duration of predict requests",
            "Half, 95 % and 99 % of the predict requests were answered within this time. A gap: "
            "there was no request.",
            *(_quantile(share) for share in (0.5, 0.95, 0.99)),
        ).unit("s").min(0),
        ranked(
            lines(
                "Predict requests",
                "Predict requests a second, by model, over all processes.",
                ask(f"sum by (model) (rate({requests}))", "{{model}}"),
            ).unit("reqps").min(0)
        ),
    ]  # fmt: skip


def _quantile(share: float) -> Query:
    buckets = series("leeway_predict_duration_seconds_bucket", *MODELS, over=RATE)
    # Each process counts its own requests, so here a sum is right. NaN is: there was none.
    within = f"histogram_quantile({share}, sum by (le) (rate({buckets})))"
    return ask(f"{within} >= 0", f"{share:.0%} within")


def requests() -> list[PanelBuilder]:
    """Return the requests of all kinds."""
    counted = series("leeway_http_requests_total", *PROCESSES, over=RATE)
    taken = series("leeway_http_request_duration_seconds_bucket", *PROCESSES, over=RATE)
    slow = f"histogram_quantile(0.95, sum by (le, method, route) (rate({taken}))) >= 0"
    return [
        bars(
            "Requests by answer",
            "Requests a second by status. 2xx: fine. 4xx: the caller's fault. 5xx: Leeway's.",
            ask(f"sum by (status) (rate({counted})) > 0", "{{status}}"),
        ).unit("reqps").min(0),
        ranked(
            lines(
                "Duration of requests by route",
                "95 % of the requests to a route were answered within this time.",
                ask(slow, "{{method}} {{route}}"),
            ).unit("s").min(0)
        ),
    ]  # fmt: skip


def deliveries() -> list[PanelBuilder]:
    """Return the messages to people."""
    sent = series("leeway_deliveries_total", JOB, over=RATE)
    panel = bars(
        "Messages by channel",
        "Attempts to deliver a message, by channel. failed: the channel did not take it; Leeway "
        "tries again, ever more slowly, without an end.",
        ask(f"max by (channel, outcome) (round(increase({sent}))) > 0", "{{channel}} {{outcome}}"),
    )
    red = setting("color", {"mode": "fixed", "fixedColor": "red"})
    panel = panel.unit("none").decimals(0).min(0)
    waiting = f"max by (channel) ({series('leeway_deliveries_waiting', JOB)})"
    return [
        panel.override_by_regexp(".* failed$", [red]),
        lines(
            "Messages waiting",
            "Messages that a channel has not taken yet. A line that does not come down: nobody is "
            "being told.",
            ask(waiting, "{{channel}}"),
        ).unit("none").decimals(0).min(0),
    ]  # fmt: skip
