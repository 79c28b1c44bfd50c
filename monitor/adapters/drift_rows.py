"""Drift rows: which columns had moved before a window."""

from sqlalchemy import Connection, and_, exists, select

from monitor.adapters import tables as t
from monitor.adapters.window_rows import same_revision
from monitor.checks.calibrated import METHOD
from monitor.checks.score import Check
from monitor.window import Window

N_BEFORE = 2
"""Windows before the one at hand that may confirm it."""


def read_moved(connection: Connection, model: str, window: Window, version: int) -> set[str]:
    """Return the columns whose calibrated score was beyond its limit in one of the windows before.

    Of windows that were judged against this version, incidents left out.
    """
    w, r, s = t.windows.c, t.revisions.c, t.scores.c
    place, mine = (
        (w.start_at, window.start) if window.rows is None else (w.first_row, window.rows[0])
    )
    calibrated = and_(s.check == Check.DRIFT, s.method == METHOD, s.column.is_not(None))
    before = (
        select(r.id)
        .join_from(t.windows, t.revisions, same_revision(t.windows, t.revisions))
        .where(w.model == model, place < mine, w.incident.is_(False), r.champion == version)
        .where(exists().where(s.revision_id == r.id, calibrated))
        .order_by(place.desc())
        .limit(N_BEFORE)
    )
    moved = select(s.column).where(s.revision_id.in_(before), calibrated, s.value <= s.threshold)
    return set(connection.execute(moved).scalars())
