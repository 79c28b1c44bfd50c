"""The storage's part of the Service dashboard."""

from dashboards.grafana.board import PanelBuilder
from dashboards.grafana.link import IN_SERIES, of_model
from dashboards.grafana.panel import lines, ranked
from dashboards.grafana.query import JOB, MODELS, ask, newest, series


def storage() -> list[PanelBuilder]:
    """Return what lies on the disk, and what room there is."""
    free, size = (f"max({series(f'leeway_disk_{one}_bytes', JOB)})" for one in ("free", "size"))
    panels = [
        lines(
            "Disk",
            "Free space where the prediction log is stored, and the size of that disk. When there "
            "is none left, no row is taken in.",
            ask(free, "free"),
            ask(size, "size"),
        ).unit("bytes"),
        lines(
            "Prediction log",
            "Size of the sealed prediction log, by model. Nothing is removed by itself.",
            ask(newest("model", series("leeway_log_bytes", *MODELS)), "{{model}}"),
        ).unit("bytes"),
        lines(
            "Rows not sealed yet",
            "Rows that are safely on disk and wait to be packed, by model. Sealing empties this "
            "every minute; a line that only climbs means that it does not.",
            ask(newest("model", series("leeway_log_inbox_rows", *MODELS)), "{{model}}"),
        ).unit("short"),
    ]  # fmt: skip
    disk, *of_models = (panel.min(0).span(8).height(7) for panel in panels)
    return [disk, *(ranked(one).data_links(of_model(IN_SERIES)) for one in of_models)]
