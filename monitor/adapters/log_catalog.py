"""Log catalog: what the log keeps, added up, and whether its files are what was written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from monitor.adapters.database import reading
from monitor.adapters.log_folder import LogFolder
from monitor.adapters.log_rows import Stretch
from monitor.adapters.log_tables import (
    Place,
    Stream,
    counters,
    files,
    inbox,
    of_stream,
    schema_changes,
)
from monitor.batch import ChangeKind, RowKind, SchemaChange


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
    n_waiting : int
        Labels, of those in the inbox, whose prediction has not come.
    n_retired : int
        Rows whose files retention has dropped.
    """

    n_rows: int
    n_inbox_rows: int
    n_files: int
    n_bytes: int
    n_waiting: int = 0
    n_retired: int = 0


def totals(connection: sa.Connection) -> dict[Stream, int]:
    """Return the rows ever acknowledged, by model and kind; nothing lowers them."""
    return _by_stream(connection, counters, sa.func.sum(counters.c.n_rows))


def stats(connection: sa.Connection) -> dict[Stream, LogStats]:
    """Return what is kept of each model and kind."""
    counted = totals(connection)
    inside = _by_stream(connection, inbox, sa.func.sum(inbox.c.n_rows))
    waiting = waiting_labels(connection)
    n_files = _by_stream(connection, files, sa.func.count(files.c.id))
    n_bytes = _by_stream(connection, files, sa.func.sum(files.c.bytes))
    sealed = _by_stream(connection, files, sa.func.sum(files.c.n_rows))
    return {
        stream: LogStats(
            n_rows,
            inside.get(stream, 0),
            n_files.get(stream, 0),
            n_bytes.get(stream, 0),
            n_waiting=waiting.get(stream[0], 0) if stream[1] is RowKind.LABEL else 0,
            n_retired=n_rows - inside.get(stream, 0) - sealed.get(stream, 0),
        )
        for stream, n_rows in counted.items()
    }


def waiting_labels(connection: sa.Connection) -> Mapping[str, int]:
    """Return the labels whose prediction has not come, by model."""
    c = inbox.c
    counted = sa.select(c.model, sa.func.sum(c.n_rows)).where(c.place == Place.WAITING)
    return {model: int(n_rows) for model, n_rows in connection.execute(counted.group_by(c.model))}


def kept_since(connection: sa.Connection) -> Mapping[str, int]:
    """Return the event time of the oldest prediction that is kept, by model, in microseconds."""
    found: dict[str, int] = {}
    for table in (files, inbox):
        for (model, kind), first in _by_stream(
            connection, table, sa.func.min(table.c.first_event_at)
        ).items():
            if kind is RowKind.PREDICTION:
                found[model] = min(first, found.get(model, first))
    return found


def changes(connection: sa.Connection, model: str, stretch: Stretch) -> list[SchemaChange]:
    """Return the schema changes of the batches in a stretch, added up by column and kind."""
    name, change = schema_changes.c.column_name, schema_changes.c.change
    mine = of_stream(schema_changes, (model, RowKind.PREDICTION))
    added_up = (
        sa.select(name, change, sa.func.sum(schema_changes.c.n_rows))
        .where(mine, stretch.overlaps(schema_changes))
        .group_by(name, change)
        .order_by(name, change)
    )
    return [
        SchemaChange(column, ChangeKind(kind), int(n_rows))
        for column, kind, n_rows in connection.execute(added_up)
    ]


def _by_stream(
    connection: sa.Connection, table: sa.Table, number: sa.ColumnElement[int]
) -> dict[Stream, int]:
    """Return a number for each model and kind that a table has."""
    owner = (table.c.model, table.c.kind)
    rows = connection.execute(sa.select(*owner, number).group_by(*owner))
    return {(model, RowKind(kind)): int(value) for model, kind, value in rows}


def verify(engine: sa.Engine, folder: LogFolder) -> list[str]:
    """Read every file again; returns a sentence for each that is not what was written."""
    with reading(engine) as connection:
        catalog = connection.execute(sa.select(files).order_by(files.c.id)).all()
    problems = {file.path: _problem(file, folder.digest(file.path)) for file in catalog}
    with reading(engine) as connection:
        kept = set(connection.scalars(sa.select(files.c.path)))
    # What was retired meanwhile may be gone.
    return [problem for path, problem in problems.items() if problem and path in kept]


def _problem(file: sa.Row[Any], sha256: str | None) -> str | None:
    if sha256 is None:
        return f"{file.path}: missing, {file.n_rows} rows are lost"
    if sha256 != file.sha256:
        return f"{file.path}: altered, sha256 is {sha256}, not {file.sha256}"
    return None
