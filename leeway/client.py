"""Client: log predictions and labels from Python, or ask the champion."""

import io
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from monitor.errors import LeewayError

ARROW_STREAM = "application/vnd.apache.arrow.stream"


class ClientError(LeewayError):
    """The server refused a request, or could not be reached."""


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
    """

    version: int
    ids: list[str]
    values: list[Any]


class Client:
    """A connection to a Leeway server.

    Parameters
    ----------
    url : str
        Where the server is: ``http://127.0.0.1:8000``.
    api_key : str or None
        LEEWAY_API_KEY of the server.
    timeout_seconds : float
        How long an answer is waited for.
    """

    def __init__(self, url: str, api_key: str | None = None, timeout_seconds: float = 60) -> None:
        headers = {"X-API-Key": api_key} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_seconds)

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
        """Close the connection."""
        self._http.close()

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
        return Predictions(answer["version"], answer["prediction_ids"], answer["predictions"])

    def log_predictions(
        self, model: str, frame: pd.DataFrame, *, request_id: str | None = None
    ) -> list[str]:
        """Log predictions made elsewhere; they are on disk when this returns.

        Returns
        -------
        list of str
            The prediction ids, one a row.

        Raises
        ------
        ClientError
            If the server refused the rows or cannot be reached.
        """
        answer = self._post(f"/v1/models/{model}/predictions", frame, request_id)
        return list(answer["prediction_ids"])

    def log_labels(self, model: str, frame: pd.DataFrame, *, request_id: str | None = None) -> int:
        """Log labels: a column with the prediction ids, and one with the labels.

        Returns
        -------
        int
            Labels acknowledged.

        Raises
        ------
        ClientError
            If the server refused the rows or cannot be reached.
        """
        return int(self._post(f"/v1/models/{model}/labels", frame, request_id)["acknowledged"])

    def get(self, path: str) -> Any:
        """Return a JSON document of the server, by its path."""
        return self._checked("GET", path)

    def post(self, path: str, document: dict[str, Any] | None = None) -> Any:
        """Ask the server for something, by its path."""
        return self._checked("POST", path, json=document)

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
            is_problem = "json" in response.headers.get("content-type", "")
            detail = response.json().get("detail") if is_problem else response.text[:200]
            raise ClientError(f"{method} {path}: {response.status_code}: {detail}")
        return response.json()


def _stream(frame: pd.DataFrame) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
