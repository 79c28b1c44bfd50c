"""Cursors: how far each source has been read, in the state database."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Table, select

from monitor.adapters import tables as t
from monitor.adapters.database import excluded, put_rows, reading
from monitor.piece import Position
from monitor.ports import Stream


class SqlCursors:
    """The `monitor.ports.Cursors` on SQLAlchemy Core.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, stream: Stream) -> Mapping[str, Position]:
        """Return the positions by place."""
        query = select(t.cursors).where(*_of(stream))
        with reading(self._engine) as connection:
            return {
                row["place"]: Position(row["n_requests"], row["cursor"], row["pending"])
                for row in connection.execute(query).mappings()
            }

    def intend(self, stream: Stream, place: str, position: Position) -> None:
        """Note a request before it is made, with its pending cursor."""
        self._put(stream, place, position)

    def settle(self, stream: Stream, place: str, position: Position) -> None:
        """Note where a place stands, with nothing pending."""
        self._put(stream, place, Position(position.n_requests, position.cursor))

    def note(self, model: str, error: str | None, at: datetime) -> None:
        """Note how the collection of a model went, where status and metrics show it."""
        row: dict[str, Any] = {"model": model, "error": error, "error_at": at if error else None}
        if error is None:
            row["collected_at"] = at
        self._write(t.collections, row)

    def _put(self, stream: Stream, place: str, position: Position) -> None:
        key = {"model": stream.model, "kind": stream.kind, "source": stream.source, "place": place}
        self._write(t.cursors, {**key, **vars(position)})

    def _write(self, table: Table, row: Mapping[str, Any]) -> None:
        """Write a row, whether it is there or not."""
        change = {name: excluded(table, name) for name in row}
        with self._engine.begin() as connection:
            put_rows(connection, table, [row], change)


def _of(stream: Stream) -> list[ColumnElement[bool]]:
    c = t.cursors.c
    return [c.model == stream.model, c.kind == stream.kind, c.source == stream.source]
