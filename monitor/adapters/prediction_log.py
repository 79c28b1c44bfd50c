"""Prediction log: the port `Log` on a SQL database and a folder of Parquet files."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from monitor.adapters import log_catalog
from monitor.adapters.database import reading
from monitor.adapters.locks import sole
from monitor.adapters.log_catalog import LogStats
from monitor.adapters.log_export import export_rows
from monitor.adapters.log_folder import log_folder
from monitor.adapters.log_group import Outcome
from monitor.adapters.log_join import counts, first_of_each, labelled, paired
from monitor.adapters.log_labels import find_predictions
from monitor.adapters.log_merging import merge_files
from monitor.adapters.log_reading import LogReader, though_merged
from monitor.adapters.log_retention import Keeping, forget_requests, retire
from monitor.adapters.log_rows import Stretch, bounds, label_stretch, window_stretch
from monitor.adapters.log_sealing import remove_orphans, seal_inbox
from monitor.adapters.log_tables import (
    Stream,
    counters,
    instant,
    of_stream,
    open_log_database,
    storage,
)
from monitor.adapters.log_touched import since_judged
from monitor.adapters.log_writer import LogWriter
from monitor.batch import (
    CHANCES,
    EVENT_AT,
    LABEL,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    ROW,
    Batch,
    Receipt,
    RowKind,
    SchemaChange,
)
from monitor.errors import NotFoundError
from monitor.window import Counts, Extent, JudgedWindow, Window

_ALWAYS_READ = (PREDICTION_ID, EVENT_AT, RECEIVED_AT, MODEL_VERSION, ROW)


class PredictionLog:
    """The prediction log; implements the port `Log`.

    Several processes may have it open and write. Close it: its writer thread finishes what waits.

    Parameters
    ----------
    folder : Path
        Made where it is missing. Holds ``log.db`` and locks, where no engine is given, and Parquet
        files under ``rows/model=<model>/kind=<kind>/date=<event date>/``, where no place is.
    engine : sqlalchemy.Engine or None
        A migrated PostgreSQL database, which the log shares and does not close.
    place : str or None
        Address of an object store, as ``s3://bucket/prefix``.
    keeping : Keeping
        How long it keeps what it has.
    max_waiting_rows : int
        Beyond this many waiting rows `append` refuses with StorageError.

    Raises
    ------
    StorageError
        When the log cannot be opened, or was written by a newer version.
    """

    def __init__(
        self,
        folder: Path,
        *,
        engine: sa.Engine | None = None,
        place: str | None = None,
        keeping: Keeping | None = None,
        max_waiting_rows: int = 1_000_000,
    ) -> None:
        with storage(f"open {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files = log_folder(place or folder)
        self._keeping = keeping or Keeping()
        self._owns_engine = engine is None
        self._engine = open_log_database(folder / "log.db") if engine is None else engine
        with storage(f"open {folder}"), self._alone(wait=False) as connection:
            if connection is not None:
                remove_orphans(connection, self._files)
        self._reader = LogReader(self._engine, self._files)
        self._writer = LogWriter(self._engine, self._files, max_waiting_rows=max_waiting_rows)

    def close(self) -> None:
        """Write what waits and close the database."""
        self._writer.close()
        if self._owns_engine:
            self._engine.dispose()

    def append(self, batches: Sequence[Batch]) -> Future[Receipt]:
        """Write the batches of one request, all or none; done when they are on disk.

        A batch whose request id is known for its model and kind is left out; the receipt says
        `repeated` when all were. It counts the rows of the first batch's kind, without the labels
        that came inside prediction rows.
        """
        return self._writer.submit(batches)

    def append_together(self, requests: Sequence[Sequence[Batch]]) -> Future[Sequence[Outcome]]:
        """Write the batches of several requests at little more than the cost of one.

        What comes of each is as of `append`; the future raises StorageError when none was written.
        """
        return self._writer.submit_together(requests)

    @storage("say how far it reaches")
    def extent(self, model: str, kind: RowKind = RowKind.PREDICTION) -> Extent:
        """Say how far the log of a model reaches."""
        with reading(self._engine) as connection:
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
        ends = [Stretch(ROW, row, row + 1) for row in (rows[0], rows[1] - 1)]
        stream = (model, RowKind.PREDICTION)
        times = [self._reader.read(stream, end, [RECEIVED_AT]).column(RECEIVED_AT) for end in ends]
        if not all(len(time) for time in times):
            raise NotFoundError("window", f"{model}/rows-{rows[0]}")
        start, end = (instant(time[0].cast(pa.int64()).as_py()) for time in times)
        return Window(start, end, rows)

    @storage("count rows")
    def count(self, model: str, windows: Sequence[Window], horizon: timedelta) -> list[Counts]:
        """Count each window's rows, and those with a label within the horizon."""
        found = []
        for window in windows:
            stream = (model, RowKind.PREDICTION)
            rows = self._reader.read(stream, window_stretch(window), [PREDICTION_ID, EVENT_AT])
            came = label_stretch(window, horizon)
            labels = self._reader.labels(model, rows, came, [PREDICTION_ID, RECEIVED_AT, LABEL])
            found.append(counts(labelled(rows, labels, RECEIVED_AT), came, window.end))
        return found

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
        start until a horizon after its end. Of a prediction id that is repeated in the window, or
        of a label, the first acknowledged counts.
        """
        wanted = list(dict.fromkeys([*columns, *_ALWAYS_READ]))
        if horizon is not None and LABEL in wanted:
            wanted.remove(LABEL)
        rows = self._reader.read((model, RowKind.PREDICTION), window_stretch(window), wanted)
        kept = first_of_each(rows)
        if horizon is None:
            return kept
        came = label_stretch(window, horizon)
        labels = self._reader.labels(model, rows, came, [PREDICTION_ID, LABEL])
        return labelled(kept, labels, LABEL)

    @storage("pair rows")
    def pairs(
        self, model: str, window: Window, column: str, by: tuple[int, int], *, horizon: timedelta
    ) -> pa.Table:
        """Read a window's labelled rows that two versions predicted, in the order of labels."""
        names = [PREDICTION_ID, EVENT_AT, MODEL_VERSION, column, CHANCES]
        rows = self._reader.read((model, RowKind.PREDICTION), window_stretch(window), names)
        first, last = bounds(rows.column(EVENT_AT)) if rows.num_rows else (0, -1)
        # Of their own they have numbers, not those of the rows that they shadow.
        same = Stretch(EVENT_AT, first, last + 1)
        shadows = self._reader.read((model, RowKind.SHADOW), same, names)
        came = label_stretch(window, horizon)
        labels = self._reader.labels(model, rows, came, [PREDICTION_ID, LABEL])
        return paired(rows, shadows, labels, column, by)

    @storage("read schema changes")
    def changes(self, model: str, window: Window) -> Sequence[SchemaChange]:
        """Return the schema changes of a window's batches, added up by column and kind."""
        with reading(self._engine) as connection:
            return log_catalog.changes(connection, model, window_stretch(window))

    @storage("find what has come")
    def touched(self, model: str, judged: Sequence[JudgedWindow]) -> list[JudgedWindow]:
        """Return the judged windows to which something has come since they were counted.

        It reads marks, not rows; only the ids of new labels are looked up.
        """
        though_merged(lambda: find_predictions(self._engine, self._files, model))
        with reading(self._engine) as connection:
            return since_judged(connection, model, judged)

    @storage("seal the inbox")
    def seal(self) -> int:
        """Move what the inbox holds to Parquet; returns the number of rows moved.

        Large bodies, which are past the inbox already, become Parquet too, and small files of one
        date are merged.

        It may be killed at any moment: the rows are in the inbox or in the files, never in both
        or neither. While another process seals nothing is done.
        """
        with self._alone(wait=False) as connection:
            if connection is None:
                return 0
            remove_orphans(connection, self._files)
            try:
                return seal_inbox(connection, self._files, self._closed())
            finally:
                merge_files(connection, self._files)

    @storage("retire old rows")
    def retire(self) -> int:
        """Take what need not be kept out of the catalog; returns the number of files.

        They are removed at the next sealing: who is reading them has time to end.
        """
        with self._alone(wait=False) as connection:
            if connection is None:
                return 0
            closed, keeping = self._closed(), self._keeping
            forget_requests(connection, closed)
            oldest = None if keeping.age is None else keeping.now() - keeping.age
            return retire(connection, closed, oldest=oldest, n_bytes=keeping.n_bytes)

    @storage("count rows")
    def totals(self) -> Mapping[Stream, int]:
        """Return the rows ever acknowledged, by model and kind; nothing lowers them."""
        with reading(self._engine) as connection:
            return log_catalog.totals(connection)

    @storage("count waiting labels")
    def waiting_labels(self, model: str) -> int:
        """Return how many labels of a model wait for their predictions."""
        with reading(self._engine) as connection:
            return log_catalog.waiting_labels(connection).get(model, 0)

    @storage("read its catalog")
    def stats(self) -> Mapping[Stream, LogStats]:
        """Return what is kept of each model and kind."""
        with reading(self._engine) as connection:
            return log_catalog.stats(connection)

    @storage("find its oldest rows")
    def kept_since(self) -> Mapping[str, datetime]:
        """Return, by model, the event time of the oldest prediction that is kept."""
        with reading(self._engine) as connection:
            found = log_catalog.kept_since(connection)
        return {model: instant(first) for model, first in found.items()}

    @storage("verify its files")
    def verify(self) -> list[str]:
        """Read every file again; returns a sentence for each that is not what was written."""
        return log_catalog.verify(self._engine, self._files)

    @storage("export its rows")
    def export(self, model: str, file: Path, horizon: timedelta) -> int:
        """Write all rows of a model to one Parquet file, with their labels; returns how many."""
        read = partial(self.read, model, horizon=horizon)
        return export_rows(self._engine, self._files, model, read, file)

    def _alone(self, *, wait: bool) -> AbstractContextManager[sa.Connection | None]:
        """Be the only process that seals."""
        return sole(self._engine, self._folder / "seal.lock", wait=wait)

    def _closed(self) -> dict[str, datetime]:
        """Return, by model, when the oldest window that is still open has ended."""
        now = self._keeping.now()
        return {model: now - self._keeping.horizon(model) for model, _kind in self.totals()}
