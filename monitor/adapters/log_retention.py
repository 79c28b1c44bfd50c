"""Log retention: old files and request ids that the log need not know any longer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from monitor.adapters.log_tables import files, micros, requests, schema_changes, touched
from monitor.adapters.log_touched import LENGTHS
from monitor.batch import EVENT_AT

REPEATABLE_AFTER = timedelta(days=7)
"""How long after the horizon a request id is still known: who waits longer sends rows twice."""


@dataclass(frozen=True)
class Keeping:
    """How long the log keeps what it has, and waits for what it has not.

    Parameters
    ----------
    horizon : callable
        How long a model's windows are open for labels, and so its rows kept, at least.
    age : timedelta or None
        Rows whose event is older are dropped; None keeps them.
    n_bytes : int or None
        Size of all files from which the oldest are dropped; None keeps them.
    now : callable
        The present.
    """

    horizon: Callable[[str], timedelta] = lambda _model: timedelta(days=90)
    age: timedelta | None = None
    n_bytes: int | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def retire(
    connection: sa.Connection,
    closed: Mapping[str, datetime],
    *,
    oldest: datetime | None,
    n_bytes: int | None,
) -> int:
    """Take old files out of the catalog, whole ones, oldest first; returns how many.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        It has the lock by which nobody else seals.
    closed : mapping of str to datetime
        Rows whose event is not older stay in any case, by model.
    oldest : datetime or None
        Rows whose event is older go.
    n_bytes : int or None
        Size of all files together beyond which the oldest go.
    """
    f = files.c
    ends = {model: micros(instant) for model, instant in closed.items()}
    by_age = sa.select(f.id, f.model, f.bytes, f.last_event_at).order_by(f.last_event_at, f.id)
    with connection.begin():
        total = connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(f.bytes), 0))) or 0
        going = []
        for file in connection.execute(by_age):
            too_old = oldest is not None and file.last_event_at < micros(oldest)
            too_much = n_bytes is not None and total > n_bytes
            if file.last_event_at >= ends[file.model] or not (too_old or too_much):
                continue
            going.append({"gone": file.id})
            total -= file.bytes
        if going:
            connection.execute(sa.delete(files).where(f.id == sa.bindparam("gone")), going)
        if oldest is not None:
            _forget_before(connection, min([oldest, *closed.values()]))
    return len(going)


def _forget_before(connection: sa.Connection, oldest: datetime) -> None:
    """Forget what is known of rows that are gone by their age."""
    t, c = touched.c, schema_changes.c
    hour = micros(oldest) // LENGTHS[EVENT_AT]
    old_hours = sa.and_(t.column_name == EVENT_AT, t.bucket < hour)
    connection.execute(sa.delete(touched).where(old_hours))
    connection.execute(sa.delete(schema_changes).where(c.last_event_at < micros(oldest)))


def forget_requests(connection: sa.Connection, closed: Mapping[str, datetime]) -> None:
    """Forget request ids that are older than the horizon and `REPEATABLE_AFTER`, by model."""
    r = requests.c
    with connection.begin():
        for model, instant in closed.items():
            old = r.received_at < micros(instant - REPEATABLE_AFTER)
            connection.execute(sa.delete(requests).where(r.model == model, old))
