"""Lane: the short way in for rows, past a framework that costs more than storing them does."""

from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Receive, Scope, Send

from leeway.problems import answer
from monitor.arrival import arrived
from monitor.errors import LeewayError
from monitor.reception import Reception

PREFIX = "/v1/models/"


class IngestLane:
    """Answers requests with rows as the routes of `monitor.api` do, at a third of the cost.

    Parameters
    ----------
    app : ASGI application
        Answers everything else.
    receptions : mapping of str to Reception
        Who takes rows in, by the last part of the path.
    """

    def __init__(self, app: ASGIApp, receptions: Mapping[str, Reception]) -> None:
        self.app = app
        self._receptions = receptions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take rows in, or hand on."""
        model, reception = self._place(scope)
        if reception is None:
            await self.app(scope, receive, send)
            return
        # For `leeway.request_metrics`: the router, which would say it, is not asked.
        scope["leeway.route"] = f"{PREFIX}{{model}}/{scope['path'].rpartition('/')[2]}"
        try:
            body = await _body(receive)
            if body is None:
                return  # the client is gone
            taken = await reception.take(arrived(model, body, scope["headers"]))
        except (LeewayError, DBAPIError) as error:
            await answer(error)(scope, receive, send)
            return
        document = taken.document()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(document)),
        ]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": document})

    def _place(self, scope: Scope) -> tuple[str, Reception | None]:
        if scope["type"] != "http" or scope["method"] != "POST":
            return "", None
        path: str = scope["path"]
        model, _, kind = path.removeprefix(PREFIX).partition("/")
        return model, self._receptions.get(kind) if path.startswith(PREFIX) else None


async def _body(receive: Receive) -> bytes | None:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
