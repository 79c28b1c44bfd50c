"""Problems: the one table from errors to HTTP, as RFC 9457 problem documents."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from monitor.errors import (
    BatchRefusedError,
    BodyTooLargeError,
    BundleRefusedError,
    LeewayError,
    NotFoundError,
    NotPossibleError,
    RequestConflictError,
    StorageError,
)

STATUSES: dict[type[LeewayError], HTTPStatus] = {
    BatchRefusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RequestConflictError: HTTPStatus.CONFLICT,
    NotFoundError: HTTPStatus.NOT_FOUND,
    NotPossibleError: HTTPStatus.CONFLICT,
    StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
    BundleRefusedError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""An error that is not listed is our own fault: 500."""

RETRY_SECONDS = "5"


def problem(status: HTTPStatus, detail: str, **more: object) -> JSONResponse:
    """Return a problem document; members that are None are left out."""
    document = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    known = {name: value for name, value in more.items() if value is not None}
    retry = status is HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(
        {**document, **known},
        status_code=status,
        media_type="application/problem+json",
        headers={"Retry-After": RETRY_SECONDS} if retry else None,
    )


def answer(error: LeewayError | DBAPIError) -> JSONResponse:
    """Return the problem document of an error; a database that fails is one to wait for."""
    if isinstance(error, DBAPIError):
        cause = str(error.orig).partition("\n")[0]
        error = StorageError(f"the database does not answer: {cause}; try again later")
    status = STATUSES.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    if isinstance(error, BatchRefusedError):
        return problem(status, str(error), row=error.row, field=error.field)
    return problem(status, str(error))


def install(app: FastAPI) -> None:
    """Make an application answer errors with problem documents."""

    @app.exception_handler(LeewayError)
    @app.exception_handler(DBAPIError)
    async def leeway_error(_request: Request, error: LeewayError | DBAPIError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def wrong_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {first['msg']}", field=field)

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(HTTPStatus(error.status_code), str(error.detail))
