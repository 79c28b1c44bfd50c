"""Estimate rows: what was estimated of a window before its labels came."""

from dataclasses import fields

from sqlalchemy import Connection, and_, select

from monitor.adapters import tables as t
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.window import Window


def read_estimate(
    connection: Connection, model: str, window: Window, version: int, n_rows: int
) -> Score | None:
    """Return the newest estimate of a window for a version, of as many rows; None without one."""
    r, s = t.revisions.c, t.scores.c
    mine = and_(r.model == model, r.window_key == window.key, r.champion == version)
    names = [one.name for one in fields(Score) if one.name != "failed"]
    query = (
        select(*(t.scores.c[name] for name in names))
        .join_from(t.scores, t.revisions, s.revision_id == r.id)
        .where(mine, r.n_rows == n_rows, s.check == Check.ESTIMATE, s.status != Status.ERROR)
        .order_by(r.revision.desc())
    )
    row = connection.execute(query.limit(1)).mappings().first()
    if row is None:
        return None
    known = {"check": Check.ESTIMATE, "breach_when": BreachWhen(row["breach_when"])}
    return Score(**{**row, **known, "kind": None, "status": None})
