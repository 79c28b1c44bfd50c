"""Machine doors: what other programs ask of every process: metrics, health, readiness."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

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
    return metrics


def add_machine_doors(
    app: FastAPI, metrics: CollectorRegistry, ready: Callable[[], object]
) -> None:
    """Add the routes, and count all requests.

    Parameters
    ----------
    app : FastAPI
        The application, with everything else it has.
    metrics : CollectorRegistry
        What ``/metrics`` shows.
    ready : callable
        Raises a LeewayError while the process cannot do its work.
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
        ready()
        return {"status": "ready"}

    app.add_middleware(RequestMetrics, registry=metrics)


@contextmanager
def answering(app: FastAPI, host: str, port: int) -> Iterator[None]:
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
