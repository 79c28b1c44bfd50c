"""The cycles' part of the Service dashboard."""

from dashboards.grafana.board import PanelBuilder
from dashboards.grafana.link import IN_SERIES, of_model
from dashboards.grafana.panel import buckets, lines, ranked
from dashboards.grafana.query import JOB, MODELS, RATE, ask, ask_buckets, newest, series


def cycles() -> list[PanelBuilder]:
    """Return how long cycles take, how many there are, and when each model had its last."""
    taken = series("leeway_cycle_duration_seconds_bucket", JOB, over=RATE)
    counted = series("leeway_cycle_duration_seconds_count", JOB, over=RATE)
    judged = series("leeway_cycle_last_success_timestamp_seconds", *MODELS)
    return [
        buckets(
            "Duration of cycles",
            "How long judging a window took: the darker, the more windows took so long.",
            ask_buckets(f"max by (le) (increase({taken}))"),
        ).span(8),
        lines(
            "Windows judged and waiting",
            "Windows that were judged, as a rate an hour (late labels judge a window again), and "
            "windows that have ended and wait. Those that wait should be gone within a minute.",
            ask(f"3600 * max(rate({counted}))", "judged an hour"),
            ask(newest("model", series("leeway_windows_due", *MODELS)), "{{model}} waiting"),
        ).unit("none").min(0).span(8),
        ranked(
            lines(
                "Time since the last verdict",
                "How long each model has been without a verdict. It climbs until a window ends and "
                "is judged; it should not climb beyond the length of a window.",
                ask(f"time() - ({newest('model', judged)})", "{{model}}"),
            ).unit("s").min(0).data_links(of_model(IN_SERIES)).span(8)
        ),
    ]  # fmt: skip
