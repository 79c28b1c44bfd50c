"""Guard: the API key at the door."""

import base64
import binascii
import contextlib
import hmac
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from leeway.problems import problem

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
        self._app = app
        self._api_key = api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 to a request without the key."""
        is_open = scope["type"] != "http" or scope["path"] in OPEN_PATHS
        if is_open or any(
            hmac.compare_digest(key, self._api_key) for key in _keys(dict(scope["headers"]))
        ):
            await self._app(scope, receive, send)
            return
        refusal = problem(
            HTTPStatus.UNAUTHORIZED, "send LEEWAY_API_KEY as X-API-Key or as a bearer token"
        )
        refusal.headers["WWW-Authenticate"] = 'Basic realm="Leeway"'
        await refusal(scope, receive, send)


def _keys(headers: dict[bytes, bytes]) -> list[bytes]:
    given = [headers[b"x-api-key"]] if b"x-api-key" in headers else []
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        given.append(value.strip())
    if scheme.lower() == b"basic":
        with contextlib.suppress(binascii.Error):
            given.append(base64.b64decode(value, validate=True).partition(b":")[2])
    return given
