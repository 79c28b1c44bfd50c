"""Run rows: the end of a run, with everything that it leaves behind."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
    union_all,
    update,
)

from monitor.adapters.incident_rows import incident_open
from monitor.adapters.tables import requests
from retrain.adapters import tables as t
from retrain.adapters.challenger_rows import let_in, let_out
from retrain.record import Ended, Outcome, RequestKind


def has_run() -> ColumnElement[bool]:
    """Return the condition that a request has a run."""
    return exists().where(t.runs.c.request_id == requests.c.id)


def is_held() -> ColumnElement[bool]:
    """Return the condition that a request waits until an incident is over.

    What a window's decision has asked for does: it was decided before the feed broke. What a
    person asks for is of no window, and a version that does harm is taken back whatever comes.
    """
    c = requests.c
    asked = and_(c.window_key.is_not(None), c.kind != RequestKind.ROLL_BACK)
    return and_(asked, c.finished_at.is_(None), c.claimed_at.is_(None), incident_open(c.model))


def end_run(connection: Connection, ended: Ended, at: datetime) -> str | None:
    """End a run and its request; return its model, None if somebody else has ended it already."""
    mine = t.runs.c.id == ended.run
    model: str = connection.execute(select(t.runs.c.model).where(mine)).scalar_one()
    said: dict[str, Any] = {"outcome": ended.outcome, "reason": ended.reason}
    # How far one that failed had come, with what, and what was known by then, stays on record.
    if ended.outcome is not Outcome.FAILED:
        said |= {"progress": 1.0, "doing": "", "details": dict(ended.details)}
    unended = update(t.runs).where(mine, t.runs.c.ended_at.is_(None))
    result = connection.execute(unended.values(ended_at=at, **said))
    request = select(t.runs.c.request_id).where(mine).scalar_subquery()
    connection.execute(update(requests).where(requests.c.id == request).values(finished_at=at))
    if result.rowcount and ended.outcome is not Outcome.FAILED:
        let_out(connection, model)
        if ended.inside is not None:
            let_in(connection, model, ended.inside, at)
    withdraw(connection, ended.run)
    return model if result.rowcount else None


def withdraw(connection: Connection, run: int) -> None:
    """Take back what a failed run has registered, but for what a person has promoted since.

    Whose worker was killed between registering a version and saying what it is for has made one
    that no record explains. Somebody may have seen it, and caches go by its number: that is spent.
    """
    r, v, m = t.runs.c, t.versions.c, t.moves.c
    failed = select(r.model).where(r.id == run, r.outcome == Outcome.FAILED).scalar_subquery()
    moved = select(m.version).where(m.model == v.model)
    made = v.lineage["run"].as_integer() == run
    unexplained = and_(v.model == failed, made, v.number.not_in(moved))
    spent = select(v.model, v.number).where(unexplained)
    connection.execute(insert(t.withdrawn).from_select(["model", "number"], spent))
    connection.execute(delete(t.versions).where(unexplained))


def next_number(connection: Connection, model: str) -> int:
    """Return the number of a model's next version: none of it has had that before."""
    v, w = t.versions.c, t.withdrawn.c
    given = union_all(
        select(v.number).where(v.model == model), select(w.number).where(w.model == model)
    ).subquery()
    newest = connection.execute(select(func.max(given.c.number))).scalar()
    return (newest or 0) + 1
