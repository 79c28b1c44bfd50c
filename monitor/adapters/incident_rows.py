"""Incident rows: what becomes of an incident by a person's word, and what needs no new search."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from monitor.adapters import tables as t
from monitor.checks.score import Check, Status
from monitor.errors import NotFoundError, NotPossibleError
from monitor.incident import FEED

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


def was_searched(connection: Connection, model: str, key: str, n_rows: int) -> bool:
    """Say whether the newest revision of a window has searched as many rows without a crash."""
    r, s = t.revisions.c, t.scores.c
    mine = select(r.id, r.n_rows).where(r.model == model, r.window_key == key)
    newest = connection.execute(mine.order_by(r.revision.desc()).limit(1)).first()
    if newest is None or newest.n_rows != n_rows:
        return False
    crashed = (s.revision_id == newest.id, s.method == FEED, s.status == Status.ERROR)
    return connection.execute(select(s.method).where(*crashed).limit(1)).first() is None
