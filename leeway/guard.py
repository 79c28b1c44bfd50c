"""Guard: who and what is let in: the API key, and how large a body may be."""

import base64
import binascii
import contextlib
import hmac
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leeway.problems import answer, problem
from monitor.errors import BodyTooLargeError

OPEN_PATHS = ("/healthz", "/readyz")


class ApiKeyGuard:
    """Lets a request in that brings the key; health is open to all.

    The key comes as ``X-API-Key``, as a bearer token (Prometheus), or as the password of basic
    authentication (a browser asks for it).

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    api_key : str
        The key.
    """

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self.app = app
        self._api_key = api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 to a request without the key."""
        is_open = scope["type"] != "http" or scope["path"] in OPEN_PATHS
        if is_open or any(
            hmac.compare_digest(key, self._api_key) for key in _keys(dict(scope["headers"]))
        ):
            await self.app(scope, receive, send)
            return
        refusal = problem(
            HTTPStatus.UNAUTHORIZED, "send LEEWAY_API_KEY as X-API-Key or as a bearer token"
        )
        refusal.headers["WWW-Authenticate"] = 'Basic realm="Leeway"'
        await refusal(scope, receive, send)


class BodyLimit:
    """Ends a request whose body grows too large, before all of it is in memory.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    max_bytes : int
        The largest body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 to a body that says it is too large, or turns out to be."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await answer(BodyTooLargeError(self._max_bytes))(scope, receive, send)
            return
        n_bytes = 0

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._max_bytes:
                raise BodyTooLargeError(self._max_bytes)
            return message

        await self.app(scope, counted, send)


def _keys(headers: dict[bytes, bytes]) -> list[bytes]:
    given = [headers[b"x-api-key"]] if b"x-api-key" in headers else []
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        given.append(value.strip())
    if scheme.lower() == b"basic":
        with contextlib.suppress(binascii.Error):
            given.append(base64.b64decode(value, validate=True).partition(b":")[2])
    return given
