"""Incident rows: what becomes of an incident by a person's word."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from monitor.adapters import tables as t
from monitor.checks.score import Check
from monitor.errors import NotFoundError, NotPossibleError

CLOSED = "closed"
"""How an alert ended that a person has closed."""


def close_incident(connection: Connection, model: str, number: int, at: datetime, why: str) -> None:
    """Close an incident: its rows are as they should be, whatever the checks say.

    Raises
    ------
    NotFoundError
        If the model has no such incident.
    NotPossibleError
        If it has ended already.
    """
    a, w = t.alerts.c, t.windows.c
    mine = (a.id == number, a.model == model, a.check == Check.QUALITY)
    alert = connection.execute(select(t.alerts).where(*mine)).mappings().first()
    if alert is None:
        raise NotFoundError("incident", f"{number} of {model}")
    if alert["ended_at"] is not None:
        raise NotPossibleError(f"incident {number} of {model} was {alert['ended_how']} before")
    ended = {"ended_at": at, "ended_how": CLOSED}
    sentence = f"{alert['sentence']}; closed: {why}"
    connection.execute(update(t.alerts).where(*mine).values(sentence=sentence, **ended))
    since = (w.model == model, w.start_at >= alert["window_start"])
    connection.execute(update(t.windows).where(*since).values(incident=False))


def is_closed(connection: Connection, model: str, key: str) -> bool:
    """Say whether a person has closed an incident that a window is of: no revision reopens it."""
    w, a = t.windows.c, t.alerts.c
    covers = (a.model == w.model, a.window_start <= w.start_at, a.ended_at >= w.end_at)
    closed = select(a.id).where(*covers, a.check == Check.QUALITY, a.ended_how == CLOSED)
    mine = select(w.key).where(w.model == model, w.key == key, closed.exists())
    return connection.execute(mine).first() is not None
