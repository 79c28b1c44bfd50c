"""Log sealing: the inbox moves to Parquet, and files that nothing knows are removed."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import unquote

import pyarrow as pa
import sqlalchemy as sa

from monitor.adapters.database import ONE_BY_ONE, exclusive, reading
from monitor.adapters.log_arrivals import ARRIVALS, UNREGISTERED
from monitor.adapters.log_files import write_files
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_labels import find_predictions
from monitor.adapters.log_rows import decode, unify
from monitor.adapters.log_tables import Place, Stream, files, inbox, micros, of_stream, take_out
from monitor.batch import RowKind
from monitor.errors import StorageError

SEAL_BYTES = 64 << 20
"""Payloads sealed at a time, so that a long inbox does not have to fit in memory."""

_SEALABLE = {
    RowKind.PREDICTION: Place.NEW,
    RowKind.SHADOW: Place.NEW,
    RowKind.LABEL: Place.FOUND,
}


def seal_inbox(connection: sa.Connection, folder: LogFolder, closed: Mapping[str, datetime]) -> int:
    """Move to files what the inbox holds now; returns the number of rows.

    Labels are sealed under the event date of their prediction, so those whose prediction has not
    come stay; when its windows are all closed they are sealed under their date of receipt.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        It has the lock by which nobody else seals.
    folder : LogFolder
        Where the files are.
    closed : mapping of str to datetime
        Labels received before this wait no longer, by model.
    """
    n_rows = 0
    problems: list[Exception] = []
    for stream in _waiting_streams(connection.engine):
        # What keeps one model's labels from being sealed, as a damaged file does, is no reason to
        # let the inbox grow with all the others.
        try:
            n_rows += _seal_stream(connection, folder, stream, closed)
        except (StorageError, OSError, pa.ArrowException) as problem:
            problems.append(problem)
    if problems:
        raise problems[0]
    return n_rows


def _seal_stream(
    connection: sa.Connection, folder: LogFolder, stream: Stream, closed: Mapping[str, datetime]
) -> int:
    model, kind = stream
    if kind is RowKind.LABEL:
        find_predictions(connection.engine, folder, model)
        _give_up(connection, model, closed[model])
    with reading(connection.engine) as now:
        newest = sa.select(sa.func.max(inbox.c.id)).where(of_stream(inbox, stream))
        until = now.scalar(newest) or 0
    n_rows = 0
    while n_moved := _seal_some(connection, folder, stream, until):
        n_rows += n_moved
    return n_rows


def _waiting_streams(engine: sa.Engine) -> list[Stream]:
    """Return the models and kinds that have something in the inbox, predictions first."""
    c = inbox.c
    found = sa.select(c.model, c.kind).distinct().order_by(c.kind.desc(), c.model)
    with reading(engine) as connection:
        return [(model, RowKind(kind)) for model, kind in connection.execute(found)]


def _give_up(connection: sa.Connection, model: str, closed: datetime) -> None:
    c = inbox.c
    hopeless = sa.and_(
        of_stream(inbox, (model, RowKind.LABEL)),
        c.place == Place.WAITING,
        c.last_received_at < micros(closed),
    )
    with connection.begin():
        connection.execute(sa.update(inbox).where(hopeless).values(place=Place.FOUND))


def _seal_some(connection: sa.Connection, folder: LogFolder, stream: Stream, until: int) -> int:
    """Seal the oldest payloads of one model and kind, about SEAL_BYTES of them."""
    ids, payloads = _oldest(connection.engine, stream, until)
    if not ids:
        return 0
    rows = unify([decode(payload) for payload in payloads])
    written = write_files(folder, stream, rows)
    # The files are durable; from this commit on they count, and the payloads do not.
    with connection.begin():
        exclusive(connection, "log", *stream)
        connection.execute(sa.insert(files), written)
        if not take_out(connection, ids):
            raise StorageError("another process has sealed the same rows; nothing is lost")
    return int(rows.num_rows)


def _oldest(engine: sa.Engine, stream: Stream, until: int) -> tuple[list[int], list[bytes]]:
    stored = sa.select(inbox.c.id, inbox.c.payload)
    ready = inbox.c.place == _SEALABLE[stream[1]]
    mine = stored.where(of_stream(inbox, stream), ready, inbox.c.id <= until).order_by(inbox.c.id)
    ids: list[int] = []
    payloads: list[bytes] = []
    n_bytes = 0
    with (
        reading(engine) as connection,
        connection.execute(mine, execution_options=ONE_BY_ONE) as rows,
    ):
        for row in rows:
            n_bytes += len(row.payload)
            if ids and n_bytes > SEAL_BYTES:
                break
            ids.append(row.id)
            payloads.append(row.payload)
    return ids, payloads


def remove_orphans(connection: sa.Connection, folder: LogFolder) -> None:
    """Remove the files of writers that were killed before their commit, and retired ones.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        It has the lock by which nobody else seals.
    folder : LogFolder
        Where the files are.
    """
    found = folder.found()
    late = folder.found(ARRIVALS, older_than=UNREGISTERED)
    with reading(connection.engine) as now:
        known = set(now.scalars(sa.select(files.c.path)))
    for path in found - known:
        folder.remove(path)
    for path in late - known:
        # Who registers it holds the same lock, and looks whether it is there: so it is registered,
        # or never will be.
        with connection.begin():
            exclusive(connection, "log", *_stream(path))
            if not connection.scalar(sa.select(files.c.id).where(files.c.path == path)):
                folder.remove(path)


def _stream(path: str) -> tuple[str, ...]:
    """Return the model and kind of an arrival's path; one that is not ours has none."""
    parts = dict(part.split("=", 1) for part in path.split("/")[1:3] if "=" in part)
    return tuple(unquote(parts.get(name, "")) for name in ("model", "kind"))
