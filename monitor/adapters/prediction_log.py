"""Prediction log: the port `Log` on SQLite and a folder of Parquet files."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from filelock import FileLock, Timeout

from monitor.adapters.log_files import find, remove_orphans, seal_inbox
from monitor.adapters.log_tables import (
    Stream,
    Stretch,
    counters,
    covering,
    files,
    inbox,
    instant,
    micros,
    of_stream,
    open_database,
    schema_changes,
    storage,
)
from monitor.adapters.log_writer import LogWriter
from monitor.batch import (
    EVENT_AT,
    FUTURE_TOLERANCE,
    LABEL,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    ROW,
    Batch,
    ChangeKind,
    Receipt,
    RowKind,
    SchemaChange,
)
from monitor.errors import NotFoundError
from monitor.window import Counts, Extent, Window

_ALWAYS_READ = (PREDICTION_ID, EVENT_AT, RECEIVED_AT, MODEL_VERSION, ROW)


@dataclass(frozen=True)
class LogStats:
    """What the log keeps of one model and kind.

    Parameters
    ----------
    n_rows : int
        Rows ever acknowledged.
    n_inbox_rows : int
        Rows of these that are not sealed.
    n_files, n_bytes : int
        Parquet files, and their size.
    """

    n_rows: int
    n_inbox_rows: int
    n_files: int
    n_bytes: int


class PredictionLog:
    """The prediction log in a local folder; implements the port `Log`.

    Several processes may have it open, and each of them may write. Close it: its writer thread
    finishes what waits.

    Parameters
    ----------
    folder : Path
        Made where it is missing. Holds ``log.db``, and Parquet files under
        ``rows/model=<model>/kind=<kind>/date=<event date, or date of receipt of labels>/``.
    max_waiting_rows : int
        Beyond this many waiting rows `append` refuses with StorageError.

    Raises
    ------
    StorageError
        When the log cannot be opened, or was written by a newer version.
    """

    def __init__(self, folder: Path, *, max_waiting_rows: int = 1_000_000) -> None:
        with storage(f"open {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._seal_lock = folder / "seal.lock"
        self._engine = open_database(folder / "log.db")
        with suppress(Timeout), FileLock(self._seal_lock, timeout=0):
            remove_orphans(self._engine, self._folder)
        self._writer = LogWriter(self._engine, folder, max_waiting_rows=max_waiting_rows)

    def close(self) -> None:
        """Write what waits and close the database."""
        self._writer.close()
        self._engine.dispose()

    def append(self, batches: Sequence[Batch]) -> Future[Receipt]:
        """Write the batches of one request, all or none; done when they are on disk.

        A batch whose request id is known for its model and kind is left out; the receipt says
        `repeated` when all were. It counts the rows of the first batch's kind: labels that came
        inside prediction rows are not counted again.
        """
        return self._writer.submit(batches)

    @storage("say how far it reaches")
    def extent(self, model: str, kind: RowKind = RowKind.PREDICTION) -> Extent:
        """Say how far the log of a model reaches."""
        with self._engine.begin() as connection:
            mine = sa.select(counters).where(of_stream(counters, (model, kind)))
            row = connection.execute(mine).first()
        if row is None:
            return Extent()
        return Extent(row.n_rows, instant(row.first_event_at), instant(row.last_event_at))

    @storage("find rows")
    def locate(self, model: str, rows: tuple[int, int]) -> Window:
        """Return a row range of predictions as a window, with its times of receipt.

        Raises
        ------
        NotFoundError
            When its first or last row is not in the log.
        """
        stream = (model, RowKind.PREDICTION)
        ends = [Stretch(ROW, row, row + 1) for row in (rows[0], rows[1] - 1)]
        with self._engine.begin() as connection:
            sources = [find(connection, self._folder, stream, stretch) for stretch in ends]
        times = [source.read([RECEIVED_AT]).column(RECEIVED_AT) for source in sources]
        if not all(len(time) for time in times):
            raise NotFoundError("window", f"{model}/rows-{rows[0]}")
        start, end = (instant(time[0].cast(pa.int64()).as_py()) for time in times)
        return Window(start, end, rows)

    @storage("count rows")
    def count(self, model: str, windows: Sequence[Window], horizon: timedelta) -> list[Counts]:
        """Count each window's rows, and those with a label within the horizon.

        Predictions and labels are read once for all windows, ids and times only.
        """
        if len({window.rows is None for window in windows}) != 1:
            # None at all, or a model that went over from windows by time to windows by count.
            return [one for window in windows for one in self.count(model, [window], horizon)]
        stretches = [_stretch(window) for window in windows]
        within = [_label_stretch(window, horizon) for window in windows]
        with self._engine.begin() as connection:
            stream = (model, RowKind.PREDICTION)
            logged = find(connection, self._folder, stream, covering(stretches))
            stream = (model, RowKind.LABEL)
            labels = find(connection, self._folder, stream, covering(within))
        rows = logged.read([PREDICTION_ID, EVENT_AT, ROW])
        known = labels.read([PREDICTION_ID, RECEIVED_AT, LABEL])
        came = _labelled(rows, known, RECEIVED_AT)
        return [
            _counts(came.filter(stretch.holds()), labelled)
            for stretch, labelled in zip(stretches, within, strict=True)
        ]

    @storage("read rows")
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
        ``_label`` is joined, null where no label came: of the labels received from the window's
        start until a horizon after its end. Of a prediction id that is
        repeated in the window, or of a label, the first acknowledged counts.
        """
        wanted = list(dict.fromkeys([*columns, *_ALWAYS_READ]))
        if horizon is not None and LABEL in wanted:
            wanted.remove(LABEL)
        return self._load(model, window, wanted, horizon)[1]

    @storage("read schema changes")
    def changes(self, model: str, window: Window) -> Sequence[SchemaChange]:
        """Return the schema changes of a window's batches, added up by column and kind."""
        name, change = schema_changes.c.column_name, schema_changes.c.change
        added_up = (
            sa.select(name, change, sa.func.sum(schema_changes.c.n_rows))
            .where(
                of_stream(schema_changes, (model, RowKind.PREDICTION)),
                _stretch(window).overlaps(schema_changes),
            )
            .group_by(name, change)
            .order_by(name, change)
        )
        with self._engine.begin() as connection:
            rows = connection.execute(added_up).all()
        return [
            SchemaChange(column, ChangeKind(kind), int(n_rows)) for column, kind, n_rows in rows
        ]

    @storage("seal the inbox")
    def seal(self) -> int:
        """Move what the inbox holds to Parquet; returns the number of rows moved.

        It may be killed at any moment: the rows are in the inbox or in the files, never in both
        or neither. While another process seals nothing is done.
        """
        try:
            with FileLock(self._seal_lock, timeout=0):
                remove_orphans(self._engine, self._folder)
                return seal_inbox(self._engine, self._folder)
        except Timeout:
            return 0

    @storage("count rows")
    def totals(self) -> Mapping[Stream, int]:
        """Return the rows ever acknowledged, by model and kind; nothing lowers them."""
        with self._engine.begin() as connection:
            return _by_stream(connection, counters, sa.func.sum(counters.c.n_rows))

    @storage("read its catalog")
    def stats(self) -> Mapping[Stream, LogStats]:
        """Return what is kept of each model and kind."""
        with self._engine.begin() as connection:
            counted = _by_stream(connection, counters, sa.func.sum(counters.c.n_rows))
            waiting = _by_stream(connection, inbox, sa.func.sum(inbox.c.n_rows))
            n_files = _by_stream(connection, files, sa.func.count(files.c.id))
            n_bytes = _by_stream(connection, files, sa.func.sum(files.c.bytes))
        return {
            stream: LogStats(
                n_rows, waiting.get(stream, 0), n_files.get(stream, 0), n_bytes.get(stream, 0)
            )
            for stream, n_rows in counted.items()
        }

    @storage("verify its files")
    def verify(self) -> list[str]:
        """Read every file again; returns a sentence for each that is not what was written."""
        with self._engine.begin() as connection:
            catalog = connection.execute(sa.select(files).order_by(files.c.id)).all()
        problems = []
        for file in catalog:
            path = self._folder / file.path
            if not path.is_file():
                problems.append(f"{file.path}: missing, {file.n_rows} rows are lost")
                continue
            with path.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            if sha256 != file.sha256:
                problems.append(f"{file.path}: altered, sha256 is {sha256}, not {file.sha256}")
        return problems

    def _load(
        self, model: str, window: Window, columns: Sequence[str], horizon: timedelta | None
    ) -> tuple[int, pa.Table]:
        """Return how many rows a window has, and the first of each prediction id, labelled."""
        with self._engine.begin() as connection:
            stream = (model, RowKind.PREDICTION)
            logged = find(connection, self._folder, stream, _stretch(window))
            if horizon is not None:
                stream = (model, RowKind.LABEL)
                labels = find(connection, self._folder, stream, _label_stretch(window, horizon))
        rows = logged.read(columns)
        kept = _first_of_each(rows)
        if horizon is not None:
            kept = _labelled(kept, labels.read([PREDICTION_ID, LABEL]), LABEL)
        return rows.num_rows, kept


def _by_stream(
    connection: sa.Connection, table: sa.Table, number: sa.ColumnElement[int]
) -> dict[Stream, int]:
    """Return a number for each model and kind that a table has."""
    owner = (table.c.model, table.c.kind)
    rows = connection.execute(sa.select(*owner, number).group_by(*owner))
    return {(model, RowKind(kind)): int(value) for model, kind, value in rows}


def _stretch(window: Window) -> Stretch:
    if window.rows is not None:
        return Stretch(ROW, *window.rows)
    return Stretch(EVENT_AT, micros(window.start), micros(window.end))


def _counts(rows: pa.Table, labelled: Stretch) -> Counts:
    """Count a window's rows, of which each has the time its label was received."""
    kept = _first_of_each(rows)
    n_labels = kept.filter(labelled.holds()).num_rows
    return Counts(kept.num_rows, n_labels, rows.num_rows - kept.num_rows)


def _label_stretch(window: Window, horizon: timedelta) -> Stretch:
    # Nobody knows a label before the event; clocks may differ as much as event times may.
    start = micros(window.start - FUTURE_TOLERANCE)
    return Stretch(RECEIVED_AT, start, micros(window.end + horizon))


def _first_of_each(rows: pa.Table) -> pa.Table:
    """Leave out the rows, in order, whose prediction id has come before."""
    ids = rows.column(PREDICTION_ID)
    first_place = pc.index_in(ids, value_set=ids)
    return rows.filter(pc.equal(first_place, pa.array(np.arange(rows.num_rows, dtype=np.int32))))


def _labelled(rows: pa.Table, labels: pa.Table, column: str) -> pa.Table:
    """Join a column of labels, in order of acknowledgement: `index_in` finds an id's first."""
    known = labels.filter(pc.field(LABEL).is_valid())
    places = pc.index_in(rows.column(PREDICTION_ID), value_set=known.column(PREDICTION_ID))
    return rows.append_column(column, known.column(column).take(places))
