"""The processes' part of the Service dashboard."""

from dashboards.grafana.board import PanelBuilder
from dashboards.grafana.panel import lines, ranked
from dashboards.grafana.query import PROCESSES, RATE, ask, series

WORKER = "worker of {{instance}}"
"""The process that a server with the role `all` keeps beside itself."""


def processes() -> list[PanelBuilder]:
    """Return what each process needs."""
    cpu = series("process_cpu_seconds_total", *PROCESSES, over=RATE)
    worker_cpu = series("leeway_worker_process_cpu_seconds_total", *PROCESSES, over=RATE)
    panels = [
        lines(
            "Memory",
            "Resident memory of each process. The worker needs most, while it trains.",
            ask(series("process_resident_memory_bytes", *PROCESSES), "{{instance}}"),
            ask(series("leeway_worker_process_resident_memory_bytes", *PROCESSES), WORKER),
        ).unit("bytes").min(0),
        lines(
            "CPU",
            "Processor cores that each process keeps busy.",
            ask(f"sum by (instance) (rate({cpu}))", "{{instance}}"),
            ask(f"sum by (instance) (rate({worker_cpu}))", WORKER),
        ).unit("none").decimals(2).min(0),
        lines(
            "Open files",
            "Files and connections that each process holds open. A line that only climbs is a "
            "leak.",
            ask(series("process_open_fds", *PROCESSES), "{{instance}}"),
        ).unit("none").decimals(0).min(0),
        lines(
            "Cost of being watched",
            "How long Prometheus waits for the numbers of each process.",
            ask(series("scrape_duration_seconds", *PROCESSES), "{{instance}}"),
        ).unit("s").min(0),
    ]  # fmt: skip
    return [ranked(panel.span(12).height(7)) for panel in panels]
