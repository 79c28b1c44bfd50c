"""The gate on a SQL database: it survives a restart, and every process sees the same."""

from datetime import datetime

from sqlalchemy import Engine, delete, insert, select

from monitor.adapters.database import exclusive, reading
from retrain.adapters import tables as t
from retrain.ports import Entry


class SqlGate:
    """The `retrain.ports.Gate` on SQLAlchemy Core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def inside(self, model: str) -> Entry | None:
        """Return who is in the gate."""
        query = select(t.gates).where(t.gates.c.model == model)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return Entry(row["version"], row["champion"], row["run"], row["looks"]) if row else None

    def put(self, model: str, entry: Entry, at: datetime) -> None:
        """Let a challenger in, or note another look at it."""
        with self._engine.begin() as connection:
            exclusive(connection, "gates", model)
            connection.execute(delete(t.gates).where(t.gates.c.model == model))
            values = {"model": model, "entered_at": at, **vars(entry)}
            connection.execute(insert(t.gates).values(values))

    def clear(self, model: str) -> None:
        """Let whoever is in the gate out."""
        with self._engine.begin() as connection:
            connection.execute(delete(t.gates).where(t.gates.c.model == model))
