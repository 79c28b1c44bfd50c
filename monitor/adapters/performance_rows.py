"""Performance rows: what windows before the one at hand were measured at."""

from itertools import takewhile

from sqlalchemy import Connection, and_, select

from monitor.adapters import tables as t
from monitor.adapters.window_rows import same_revision
from monitor.checks.score import Check
from monitor.reference import Estimate
from monitor.window import Window

MOST_WINDOWS = 104
"""What is older has long been taken back, or has been at its ceiling ever since."""


def read_measured(
    connection: Connection, model: str, window: Window, version: int, metric: str
) -> list[Estimate]:
    """Return a metric in the final windows before one, as far back as the version served."""
    w, r, s = t.windows.c, t.revisions.c, t.scores.c
    place, mine = (
        (w.start_at, window.start) if window.rows is None else (w.first_row, window.rows[0])
    )
    measured = and_(
        s.revision_id == r.id, s.check == Check.PERFORMANCE, s.method == metric, s.level.is_(None)
    )
    query = (
        select(r.champion, s.value, s.standard_error, s.n_current)
        .join_from(t.windows, t.revisions, same_revision(t.windows, t.revisions))
        .join(t.scores, measured)
        .where(w.model == model, place < mine, w.incident.is_(False), w.provisional.is_(False))
        .where(s.value.is_not(None), s.standard_error.is_not(None))
        .order_by(place.desc())
        .limit(MOST_WINDOWS)
    )
    newest_first = connection.execute(query).all()
    # A version that served before another did begins anew when it comes back.
    own = takewhile(lambda row: row.champion == version, newest_first)
    return [Estimate(row.value, row.standard_error, row.n_current) for row in own][::-1]
