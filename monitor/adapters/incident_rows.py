"""Incident rows: what becomes of an incident by a person's word, and what needs no new search."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from monitor.accepted import Accepted, signs_of
from monitor.adapters import tables as t
from monitor.batch import Refused
from monitor.checks.score import Check, Status
from monitor.errors import NotFoundError, NotPossibleError
from monitor.incident import FEED
from monitor.message import Message, closed
from monitor.window import Window

CLOSED = "closed"
"""How an alert ended that a person has closed."""

_WORD = "; closed: "
"""What stands between an alert's sentence and why a person has closed it."""


def incident_open(model: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that an incident of a model is open, from its alert until that ends.

    A window that was not judged says neither that the feed is broken nor that it is sound. A check
    that crashed opens such an alert, too; without a window that is an incident it is none.
    """
    a, w = t.alerts.alias("incident_alert").c, t.windows.alias("incident_window").c
    broken = exists().where(w.model == a.model, w.start_at >= a.window_start, w.incident)
    still = (a.model == model, a.check == Check.QUALITY, a.ended_at.is_(None))
    return exists().where(*still, broken)


def is_open(connection: Connection, model: str) -> bool:
    """Say whether an incident of a model is open."""
    return bool(connection.execute(select(incident_open(literal(model)))).scalar())


def close_incident(
    connection: Connection, model: str, number: int | None, at: datetime, why: str
) -> int:
    """Close an incident: its rows are as they should be, whatever the checks say.

    Returns the incident's number; without one the incident that is open is closed.

    Raises
    ------
    NotFoundError
        If the model has no such incident.
    NotPossibleError
        If it is no incident or has ended already, or none is open.
    """
    a, w = t.alerts.c, t.windows.c
    alert = _to_close(connection, model, number)
    ended = {"ended_at": at, "ended_how": CLOSED, "sentence": f"{alert['sentence']}{_WORD}{why}"}
    connection.execute(update(t.alerts).where(a.id == alert["id"]).values(ended))
    since = (w.model == model, w.start_at >= alert["window_start"])
    connection.execute(update(t.windows).where(*since).values(incident=False))
    _tell(connection, alert["id"], closed(model, alert["sentence"], why), at)
    return int(alert["id"])


def _tell(connection: Connection, number: int, message: Message, at: datetime) -> None:
    """Tell where the incident was told."""
    o = t.outbox.c
    heard = select(o.channel).where(o.alert_id == number).distinct().order_by(o.channel)
    told = {"alert_id": number, "change": CLOSED, "title": message.title, "body": message.body}
    rows = [
        {**told, "channel": channel, "created_at": at, "next_attempt_at": at, "attempts": 0}
        for channel in connection.execute(heard).scalars()
    ]
    if rows:
        connection.execute(insert(t.outbox), rows)


def _to_close(connection: Connection, model: str, number: int | None) -> RowMapping:
    a = t.alerts.c
    open_one = (a.check == Check.QUALITY, a.ended_at.is_(None))
    asked = open_one if number is None else (a.id == number,)
    query = select(t.alerts).where(a.model == model, *asked)
    alert = connection.execute(query).mappings().first()
    if alert is None and number is None:
        raise NotPossibleError(f"no incident of {model} is open; there is nothing to close")
    if alert is None:
        raise NotFoundError("incident", f"{number} of {model}")
    if alert["check"] != Check.QUALITY:
        what = f"alert {number} of {model} is about {alert['check']}, no incident"
        raise NotPossibleError(f"{what}; it ends by itself with a window that is within bounds")
    if alert["ended_at"] is not None:
        raise NotPossibleError(f"incident {number} of {model} was {alert['ended_how']} before")
    return alert


def closed_because(alert: Mapping[str, Any]) -> str | None:
    """Return why a person has closed an incident; None where nobody has."""
    return _why(alert["sentence"]) if alert["ended_how"] == CLOSED else None


def _why(sentence: str) -> str:
    return sentence.rpartition(_WORD)[2]


def read_accepted(connection: Connection, model: str, version: int) -> Accepted:
    """Return what was beyond its limit in incidents that a person has closed, and why they did.

    Of each window what its newest revision said by then, if it was judged against this version.
    """
    a, w, r, s = t.alerts.c, t.windows.c, t.revisions.c, t.scores.c
    later = t.revisions.alias("later")
    of_window = (r.model == w.model, r.window_key == w.key, r.judged_at <= a.ended_at)
    outdated = exists().where(
        later.c.model == r.model,
        later.c.window_key == r.window_key,
        later.c.revision > r.revision,
        later.c.judged_at < a.ended_at,  # at the same time, of a clock that stands, it came after
    )
    query = (
        select(a.sentence, s.column, s.method, s.detail)
        .join_from(t.alerts, t.windows, and_(w.model == a.model, w.start_at >= a.window_start))
        .join(t.revisions, and_(*of_window, r.champion == version, ~outdated))
        .join(t.scores, s.revision_id == r.id)
        .where(a.model == model, a.check == Check.QUALITY, a.ended_how == CLOSED)
        .where(s.check == Check.QUALITY, s.status.in_((Status.BREACH, Status.WARNING)))
        .order_by(a.id)
    )
    return {
        sign: _why(one.sentence)
        for one in connection.execute(query)
        for sign in signs_of(one.column, one.method, one.detail)
    }


def refused(connection: Connection, model: str, window: Window) -> Refused:
    """Return what was refused while a window was open."""
    c = t.refusals.c
    n_rows = func.sum(c.n_rows)
    query = (
        select(c.reason, n_rows.label("n_rows"), func.min(c.minute_at).label("since"))
        .where(c.model == model, c.minute_at >= window.start, c.minute_at < window.end)
        .group_by(c.reason)
        .order_by(n_rows.desc(), c.reason)
    )
    found = connection.execute(query).all()
    if not found:
        return Refused()
    reasons = tuple(one.reason for one in found)
    return Refused(sum(int(one.n_rows) for one in found), reasons, min(one.since for one in found))


def was_searched(connection: Connection, model: str, key: str, n_rows: int) -> bool:
    """Say whether the newest revision of a window has searched as many rows without a crash."""
    r, s = t.revisions.c, t.scores.c
    mine = select(r.id, r.n_rows).where(r.model == model, r.window_key == key)
    newest = connection.execute(mine.order_by(r.revision.desc()).limit(1)).first()
    if newest is None or newest.n_rows != n_rows:
        return False
    crashed = (s.revision_id == newest.id, s.method == FEED, s.status == Status.ERROR)
    return connection.execute(select(s.method).where(*crashed).limit(1)).first() is None
