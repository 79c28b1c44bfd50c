"""Request metrics: how many requests a process answers, how, and how fast."""

import time
from http import HTTPMethod, HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_ROUTE = "none"
"""Label of requests that no route answers: an address someone made up is no label."""

METHODS = tuple(HTTPMethod)


class RequestMetrics:
    """Counts and times the requests of a process, by route.

    Parameters
    ----------
    app : ASGI application
        What answers.
    registry : CollectorRegistry
        Where the metrics are shown.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Counter(
            "leeway_http_requests",
            "Requests that this process has answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "leeway_http_request_duration_seconds",
            "Time from a request's head to the end of its answer, in this process.",
            ["method", "route"],
            registry=registry,
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and note what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            # Set by the router or the lane; a request that was refused at the door has none.
            route = str(getattr(scope.get("route"), "path", scope.get("leeway.route", NO_ROUTE)))
            method = scope["method"] if scope["method"] in METHODS else "other"
            counter, histogram = self._series(method, route, status)
            counter.inc()
            histogram.observe(time.monotonic() - began)

    def _series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Return the series of a request; looking them up takes longer than counting."""
        key = method, route, status
        if key not in self._known:
            counter = self._requests.labels(*key)
            self._known[key] = counter, self._seconds.labels(method, route)
        return self._known[key]
