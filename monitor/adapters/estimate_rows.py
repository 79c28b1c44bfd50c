"""Estimate rows: what was estimated of windows before their labels came, and what came of it."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from monitor.adapters import tables as t
from monitor.adapters.database import portions
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


def read_records(connection: Connection, models: Collection[str]) -> dict[str, TrackRecord]:
    """Return how good estimates were, of the models in which there is something to compare."""
    compared: dict[str, list[Compared]] = defaultdict(list)
    for some in portions(models):
        for model, value, error, measured in connection.execute(_compared(some)):
            band = (value - Z95 * error, value + Z95 * error)
            compared[model].append(Compared(value, *band, measured))
    return {model: record_of(windows) for model, windows in compared.items()}


def _compared(models: Collection[str]) -> Select[Any]:
    w, r = t.windows, t.revisions
    told, real = t.scores.alias("told"), t.scores.alias("real")
    both = and_(real.c.revision_id == told.c.revision_id, real.c.method == told.c.method)
    return (
        select(w.c.model, told.c.value, told.c.standard_error, real.c.value)
        .select_from(
            w.join(r, same_revision(w, r)).join(told, told.c.revision_id == r.c.id).join(real, both)
        )
        .where(w.c.model.in_(models), r.c.provisional.is_(False))
        .where(told.c.check == Check.ESTIMATE, told.c.value.is_not(None))
        .where(real.c.check == Check.PERFORMANCE, real.c.level.is_(None))
        .where(real.c.value.is_not(None))
    )
