"""Ports: all the world the core needs, on one page."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa

from monitor.accepted import Accepted
from monitor.batch import Batch, Receipt, Refused, RowKind, SchemaChange
from monitor.checks.score import Score
from monitor.errors import LeewayError
from monitor.maturity import Arrivals
from monitor.piece import Piece, Position
from monitor.probation import Probation, Trial
from monitor.record import CycleRecord, Delivery, Standing
from monitor.reference import Estimate, Reference
from monitor.window import Counts, Extent, JudgedWindow, Seen, Window

SHADOW, SHADOW_CHANCES = "_shadow", "_shadow_chances"
"""Columns of `Log.pairs`: what the version that did not serve predicted."""


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

    def append_together(
        self, requests: Sequence[Sequence[Batch]]
    ) -> Future[Sequence[Receipt | LeewayError]]:
        """Write the batches of several requests at the cost of little more than one.

        What comes of each request is as of `append`; the future raises what concerns them all.
        """
        ...

    def extent(self, model: str, kind: RowKind = RowKind.PREDICTION) -> Extent:
        """Say how far the log of a model reaches."""
        ...

    def locate(self, model: str, rows: tuple[int, int]) -> Window:
        """Return a row range of predictions as a window, with its times of receipt."""
        ...

    def count(self, model: str, windows: Sequence[Window], horizon: timedelta) -> list[Counts]:
        """Count each window's rows, and those with a label within the horizon."""
        ...

    def touched(self, model: str, judged: Sequence[JudgedWindow]) -> Sequence[JudgedWindow]:
        """Return the judged windows to which something has come since they were counted."""
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

    def pairs(
        self, model: str, window: Window, column: str, by: tuple[int, int], *, horizon: timedelta
    ) -> pa.Table:
        """Read a window's labelled rows that two versions predicted, in the order of labels.

        The first version answered them, the other one predicted them beside. The columns are
        ``_label``, the one asked for and ``_chances``, and `SHADOW` and `SHADOW_CHANCES`.
        """
        ...

    def changes(self, model: str, window: Window) -> Sequence[SchemaChange]:
        """Return the schema changes of a window's batches, added up by column and kind."""
        ...

    def seal(self) -> int:
        """Move what the inbox holds to Parquet; returns the number of rows moved."""
        ...


@dataclass(frozen=True)
class Champion:
    """The version that serves, as the watch needs it.

    Parameters
    ----------
    version : int
        Its number, from 1.
    reference : Reference
        What its windows are compared with.
    trained_until : datetime or None
        Event time of the newest row that it was fitted on, or that spoke for a version which was
        rolled back; None without a clock.
    probation : Probation or None
        Set after a promotion over a version that can still predict.
    challenger : int or None
        The version that is in the gate, or has passed it and waits for a person.
    waits_since : datetime or None
        Since when it waits for a person, if it does.
    """

    version: int
    reference: Reference
    trained_until: datetime | None
    probation: Probation | None = None
    challenger: int | None = None
    waits_since: datetime | None = None


class References(Protocol):
    """The champion and its reference at a time."""

    def at(self, model: str, instant: datetime) -> Champion:
        """Return who was champion just before an instant; NotFoundError without any version."""
        ...


class Store(Protocol):
    """Verdicts, decisions, alerts and requests; each method is one transaction."""

    def judged(self, model: str) -> Mapping[str, JudgedWindow]:
        """Return the judged windows of a model by key, oldest first."""
        ...

    def arrivals(self, model: str, windows: Sequence[Window]) -> Sequence[Arrivals]:
        """Return when the labels of judged windows came."""
        ...

    def standing(self, model: str, *, since: datetime) -> Standing:
        """Return what the next decision rests on; new labels are counted since a time."""
        ...

    def has_answered(self, model: str, version: int) -> bool:
        """Say whether a fall of performance has opened a run under a champion."""
        ...

    def trial(self, probation: Probation) -> Trial | None:
        """Return a probation with its evidence so far; None when it has ended."""
        ...

    def refused(self, model: str, window: Window) -> Refused:
        """Return what was refused while a window was open, by time of receipt."""
        ...

    def moved_before(self, model: str, window: Window, version: int) -> Collection[str]:
        """Return the columns that had moved in one of the two windows before.

        By their calibrated score; of windows that were judged against this version, incidents left
        out.
        """
        ...

    def measured(self, model: str, window: Window, version: int, metric: str) -> Sequence[Estimate]:
        """Return a metric in the windows before one whose performance is final, oldest first.

        Incidents are left out, and so is what comes before another version that served.
        """
        ...

    def estimated(self, model: str, window: Window, version: int, n_rows: int) -> Score | None:
        """Return what was estimated of as many rows of a window; labels change nothing of it."""
        ...

    def accepted(self, model: str, version: int) -> Accepted:
        """Return what a person has said is right of what was judged against a version, and why.

        It is what was beyond its limit in the incidents that a person has closed.
        """
        ...

    def has_searched(self, model: str, window: Window, n_rows: int) -> bool:
        """Say whether as many rows of a window were searched for what broke, without a crash."""
        ...

    def record(self, record: CycleRecord, channels: Sequence[str]) -> bool:
        """Record everything of a cycle at once; False when another process was first."""
        ...

    def counted(self, model: str, window: Window, seen: Seen, counts: Counts) -> None:
        """Note that a window was counted and stays as it was judged."""
        ...

    def refuse(self, model: str, reason: str, n_rows: int, at: datetime) -> None:
        """Count rows that were refused, by the minute."""
        ...

    def fail(self, model: str, error: str, at: datetime) -> None:
        """Note that a cycle could not be run."""
        ...

    def undelivered(self, now: datetime) -> Sequence[Delivery]:
        """Return the messages whose next attempt is due."""
        ...

    def delivered(self, delivery: Delivery, now: datetime, error: str | None) -> None:
        """Note an attempt; with an error it is tried again later."""
        ...


class Source(Protocol):
    """Rows that are somewhere already: predictions of one model, or labels."""

    def pieces(self, cursors: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield what is new since the cursors, by place, in order.

        The next piece is asked for when the one before is on disk. Raises SourceError when the
        source is away.
        """
        ...


@dataclass(frozen=True)
class Stream:
    """What one source brings: rows of one kind for one model.

    Parameters
    ----------
    model : str
        Whose rows they are.
    kind : RowKind
        What they are.
    source : str
        Which source they come from; another one begins anew.
    """

    model: str
    kind: RowKind
    source: str


class Cursors(Protocol):
    """How far each source has been read; each method is one transaction."""

    def load(self, stream: Stream) -> Mapping[str, Position]:
        """Return the positions by place."""
        ...

    def intend(self, stream: Stream, place: str, position: Position) -> None:
        """Note a request before it is made, with its pending cursor."""
        ...

    def settle(self, stream: Stream, place: str, position: Position) -> None:
        """Note where a place stands, with nothing pending."""
        ...

    def note(self, model: str, error: str | None, at: datetime) -> None:
        """Note how the collection of a model went, where status and metrics show it."""
        ...


class Notifier(Protocol):
    """A way to reach people."""

    @property
    def channel(self) -> str:
        """Name of the channel, without secrets."""
        ...

    def notify(self, title: str, body: str) -> None:
        """Send a message; raises LeewayError when it was not taken."""
        ...


class Leader(Protocol):
    """Leadership of a deployment, which one process has at a time."""

    def hold(self) -> bool:
        """Take it if it is free; say whether this process has it now."""
        ...

    def release(self) -> None:
        """Let another process have it."""
        ...
