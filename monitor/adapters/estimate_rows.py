"""Estimate rows: what was estimated of windows before their labels came, and what came of it."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select

from monitor.adapters import tables as t
from monitor.adapters.window_rows import same_revision
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.reference import Z95
from monitor.track_record import Compared, TrackRecord, record_of
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


def read_record(connection: Connection, model: str) -> TrackRecord | None:
    """Return how good a model's estimates were; None while there is nothing to compare."""
    return record_of(
        Compared(value, value - Z95 * error, value + Z95 * error, measured)
        for value, error, measured in connection.execute(_COMPARED, {"of": model})
    )


def _compared() -> Select[Any]:
    w, r = t.windows, t.revisions
    told, real = t.scores.alias("told"), t.scores.alias("real")
    both = and_(real.c.revision_id == told.c.revision_id, real.c.method == told.c.method)
    return (
        select(told.c.value, told.c.standard_error, real.c.value)
        .select_from(
            w.join(r, same_revision(w, r)).join(told, told.c.revision_id == r.c.id).join(real, both)
        )
        .where(w.c.model == bindparam("of"), r.c.provisional.is_(False))
        .where(told.c.check == Check.ESTIMATE, told.c.value.is_not(None))
        .where(real.c.check == Check.PERFORMANCE, real.c.level.is_(None))
        .where(real.c.value.is_not(None))
    )


_COMPARED = _compared()
"""Made once: a scrape after every model was judged anew asks it of each."""
