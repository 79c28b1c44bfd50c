"""Ports: all the world the core needs, on one page."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Protocol

import pyarrow as pa

from monitor.batch import Batch, Receipt, RowKind, SchemaChange
from monitor.reference import Reference
from monitor.window import Counts, Extent, Window


class Clock(Protocol):
    """The present; handed in, so that a history can be replayed."""

    def now(self) -> datetime:
        """Return the present as an aware UTC time."""
        ...


class Log(Protocol):
    """The prediction log: everything that was predicted, and the labels that came."""

    def append(self, batches: Sequence[Batch]) -> Future[Receipt]:
        """Write the batches of one request, all or none; done when they are on disk.

        The future raises RequestConflictError for a known request id with another digest, and
        StorageError when nothing could be written.
        """
        ...

    def extent(self, model: str, kind: RowKind = RowKind.PREDICTION) -> Extent:
        """Say how far the log of a model reaches."""
        ...

    def locate(self, model: str, rows: tuple[int, int]) -> Window:
        """Return a row range of predictions as a window, with its times of receipt."""
        ...

    def count(self, model: str, window: Window, horizon: timedelta) -> Counts:
        """Count a window's rows, and those with a label within the horizon."""
        ...

    def read(
        self,
        model: str,
        window: Window,
        columns: Sequence[str],
        *,
        horizon: timedelta | None = None,
    ) -> pa.Table:
        """Read a window's predictions in the order of acknowledgement.

        The columns asked for come with ``_prediction_id``, ``_event_at``, ``_received_at``,
        ``_model_version`` and ``_row``; a column the log does not have is null. With a horizon
        ``_label`` is joined, null where no label came. Of a repeated prediction id, or label, the
        first acknowledged counts.
        """
        ...

    def changes(self, model: str, window: Window) -> Sequence[SchemaChange]:
        """Return the schema changes of a window's batches, added up by column and kind."""
        ...

    def seal(self) -> int:
        """Move what the inbox holds to Parquet; returns the number of rows moved."""
        ...


class References(Protocol):
    """The champion's reference at a time."""

    def at(self, model: str, instant: datetime) -> tuple[int, Reference]:
        """Return the champion's version and its reference; NotFoundError before the first."""
        ...


class Notifier(Protocol):
    """A way to reach people."""

    channel: str

    def notify(self, title: str, body: str) -> None:
        """Send a message; raises DeliveryError's base, LeewayError, when it was not taken."""
        ...


JsonObject = Mapping[str, object]
