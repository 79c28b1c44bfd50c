"""Client: log predictions and labels from Python, or ask the champion."""

import threading
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import pandas as pd
import pyarrow as pa

from leeway.client.outbox import Buffering, Outbox, UnreachableError
from leeway.client.spool import Parcel, stream
from monitor.errors import LeewayError

ARROW_STREAM = "application/vnd.apache.arrow.stream"


class ClientError(LeewayError):
    """The server refused a request, or could not be reached."""


NOT_NOW = frozenset({401, 403, 408, 429, 500, 502, 503, 504})
"""Answers that may be others later: rows are sent again."""


@dataclass(frozen=True)
class Predictions:
    """What the champion predicted.

    Parameters
    ----------
    version : int
        The version that predicted.
    ids : list of str
        One a row; labels are sent with them.
    values : list
        Probabilities of the positive class, class names or numbers.
    classes : list of str or None
        Of two classes the likelier one in each row; None of a regression, and where the values
        are classes.
    positive_class : str or None
        Of two classes the one whose probabilities the values are.
    probabilities : dict of str to list of float, or None
        Of several classes how likely each is, in each row; None of others, and of a model that
        does not say.
    """

    version: int
    ids: list[str]
    values: list[Any]
    classes: list[str] | None = None
    positive_class: str | None = None
    probabilities: dict[str, list[float]] | None = None


class Client:
    """A connection to a Leeway server; any thread may use it.

    `log_predictions` and `log_labels` return at once: a thread sends the rows in batches, again
    and again under one idempotency key until the server has them. Rows in memory are bounded:
    beyond ``Buffering.max_rows`` logging waits for room, and raises when none comes free. With a
    spool, batches that the server does not take now are kept on disk and sent in order when it is
    back, if need be by the next process. Rows that the server refuses are logged, kept in the
    spool as ``.refused``, and raised by `flush` and `close`. Close the client, or use it as a
    context manager; at the end of the process it closes itself. A process that is killed loses
    the rows in memory. After a fork make a new client in the child.

    Parameters
    ----------
    url : str
        Where the server is: ``http://127.0.0.1:8000``.
    api_key : str or None
        LEEWAY_API_KEY of the server.
    timeout_seconds : float
        How long an answer is waited for.
    buffering : Buffering
        How rows wait for being sent.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        timeout_seconds: float = 60,
        buffering: Buffering | None = None,
    ) -> None:
        headers = {"X-API-Key": api_key} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_seconds)
        self._timeout_seconds = timeout_seconds
        self._buffering = buffering or Buffering()
        self._starting = threading.Lock()
        # A spool may hold what an earlier process left: it is sent even when nothing is logged.
        self._outbox = self._new_outbox() if self._buffering.spool else None

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Send what waits, and close the connection.

        Raises
        ------
        OutboxError
            If rows were refused, or could neither be sent within the timeout nor spooled.
        """
        try:
            if self._outbox is not None:
                self._outbox.close()
        finally:
            self._http.close()

    def flush(self) -> None:
        """Wait until all rows are acknowledged, or on disk in the spool.

        Raises
        ------
        OutboxError
            If rows were refused since the last call, or are still in memory after the timeout.
        """
        if self._outbox is not None:
            self._outbox.flush()

    def predict(
        self,
        model: str,
        frame: pd.DataFrame,
        *,
        request_id: str | None = None,
        durable: bool = False,
    ) -> Predictions:
        """Predict rows with the champion; they are logged.

        Parameters
        ----------
        model : str
            The model.
        frame : DataFrame, shape (n_rows, n_columns)
            Features, and the time and id columns where the model has them.
        request_id : str or None
            Repeating a request under the same id logs its rows once.
        durable : bool
            Wait until the rows are on disk; else the last second may be lost with the server.

        Raises
        ------
        ClientError
            If the server refused the rows or cannot be reached.
        """
        path = f"/v1/models/{model}/predict" + ("?durable=true" if durable else "")
        answer = self._post(path, frame, request_id)
        told = {name: answer.get(name) for name in ("classes", "positive_class", "probabilities")}
        return Predictions(
            answer["version"], answer["prediction_ids"], answer["predictions"], **told
        )

    def log_predictions(
        self,
        model: str,
        frame: pd.DataFrame,
        *,
        id: str = "prediction_id",  # noqa: A002 - the setting is called so, too
        request_id: str | None = None,
    ) -> list[str]:
        """Log predictions made elsewhere.

        Parameters
        ----------
        model : str
            The model.
        frame : DataFrame, shape (n_rows, n_columns)
            Features and predictions, and the time and id columns where the model has them.
        id : str
            The id column. A model that has one needs its ids; without one they are made here.
        request_id : str or None
            Given, the rows are on disk when this returns, and repeating them under the same id
            logs them once. Without it this returns at once.

        Returns
        -------
        list of str
            The prediction ids, one a row; labels are sent with them.

        Raises
        ------
        ClientError
            If a request id is given and the server refused the rows or cannot be reached.
        OutboxError
            If there was no room for the rows.
        """
        path = f"/v1/models/{model}/predictions"
        if request_id is not None:
            return list(self._post(path, frame, request_id)["prediction_ids"])
        if id not in frame:
            start = uuid.uuid4().hex
            frame = frame.assign(**{id: [f"{start}-{i}" for i in range(len(frame))]})
        self._leave(path, frame)
        return [str(one) for one in frame[id]]

    def log_labels(self, model: str, frame: pd.DataFrame, *, request_id: str | None = None) -> int:
        """Log labels: a column with the prediction ids, and one with the labels.

        Parameters
        ----------
        model : str
            The model.
        frame : DataFrame, shape (n_rows, 2)
            Ids and labels.
        request_id : str or None
            As for `log_predictions`.

        Returns
        -------
        int
            Labels acknowledged, or left to be sent.

        Raises
        ------
        ClientError
            If a request id is given and the server refused the rows or cannot be reached.
        OutboxError
            If there was no room for the rows.
        """
        path = f"/v1/models/{model}/labels"
        if request_id is not None:
            return int(self._post(path, frame, request_id)["acknowledged"])
        self._leave(path, frame)
        return len(frame)

    def get(self, path: str) -> Any:
        """Return a JSON document of the server, by its path."""
        return self._checked("GET", path)

    def post(self, path: str, document: dict[str, Any] | None = None) -> Any:
        """Ask the server for something, by its path."""
        return self._checked("POST", path, json=document)

    def _leave(self, path: str, frame: pd.DataFrame) -> None:
        with self._starting:
            self._outbox = self._outbox or self._new_outbox()
        self._outbox.put(path, _table(frame))

    def _new_outbox(self) -> Outbox:
        return Outbox(self._send, self._buffering, self._timeout_seconds)

    def _send(self, parcel: Parcel) -> None:
        headers = {"Content-Type": ARROW_STREAM, "Idempotency-Key": parcel.key}
        try:
            response = self._http.post(parcel.path, content=parcel.body, headers=headers)
        except httpx.HTTPError as error:
            raise UnreachableError(f"{self._http.base_url}: {error}") from error
        if response.status_code in NOT_NOW:
            seconds = response.headers.get("retry-after", "")
            wait = float(seconds) if seconds.isdigit() else 0.0
            raise UnreachableError(_refusal(response), wait)
        if response.is_error:
            raise ClientError(_refusal(response))

    def _post(self, path: str, frame: pd.DataFrame, request_id: str | None) -> Any:
        headers = {
            "Content-Type": ARROW_STREAM,
            "Idempotency-Key": request_id or uuid.uuid4().hex,
        }
        return self._checked("POST", path, content=_stream(frame), headers=headers)

    def _checked(self, method: str, path: str, **more: Any) -> Any:
        try:
            response = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise ClientError(f"{self._http.base_url}: {error}") from error
        if response.is_error:
            raise ClientError(_refusal(response))
        return response.json()


def _refusal(response: httpx.Response) -> str:
    is_problem = "json" in response.headers.get("content-type", "")
    detail = response.json().get("detail") if is_problem else response.text[:200]
    request = response.request
    return f"{request.method} {request.url.raw_path.decode()}: {response.status_code}: {detail}"


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


def _stream(frame: pd.DataFrame) -> bytes:
    return stream(_table(frame))
