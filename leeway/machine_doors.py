"""Machine doors: what other programs ask of every process: metrics, health, readiness."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp

from leeway.guard import ApiKeyGuard
from leeway.request_metrics import RequestMetrics
from monitor.adapters.exposition import CONTENT_TYPE, expose
from monitor.adapters.prometheus_exporter import Exported, MonitorCollector
from retrain.adapters.prometheus_exporter import RetrainCollector


def database_metrics(exported: Exported) -> CollectorRegistry:
    """Return what every server shows: what is recorded, and its own process."""
    metrics = CollectorRegistry()
    metrics.register(MonitorCollector(exported))
    metrics.register(RetrainCollector(exported.engine))
    ProcessCollector(registry=metrics)
    for _ in metrics.collect():
        pass  # the first look at every champion takes a second: at the start, not in a scrape
    return metrics


def add_machine_doors(
    app: FastAPI,
    metrics: CollectorRegistry,
    champion: Callable[[str], object],
    models: Iterable[str],
) -> None:
    """Add the routes.

    Parameters
    ----------
    app : FastAPI
        The application, with everything else it has.
    metrics : CollectorRegistry
        What ``/metrics`` shows.
    champion : callable
        Gives a model's champion; raises a LeewayError while it has none.
    models : iterable of str
        The models, which must have one for the process to do its work.
    """

    @app.get("/metrics", include_in_schema=False)
    def show_metrics() -> Response:
        return Response(expose(metrics.collect()), media_type=CONTENT_TYPE)

    @app.get("/healthz", tags=["health"])
    def healthy() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    def is_ready() -> dict[str, str]:
        """The database answers, and every model has a champion."""
        for name in models:
            champion(name)
        return {"status": "ready"}


def guarded(app: ASGIApp, api_key: str | None, metrics: CollectorRegistry) -> ASGIApp:
    """Let in only requests with the key, where there is one, and count all of them."""
    return RequestMetrics(ApiKeyGuard(app, api_key) if api_key else app, metrics)


@contextmanager
def answering(app: ASGIApp, host: str, port: int) -> Iterator[None]:
    """Answer in a thread while the main thread works."""
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="machine doors", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
