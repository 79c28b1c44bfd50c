"""Label rows: when the labels of judged windows came, and how many windows have theirs."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, select, update

from monitor.adapters import tables as t
from monitor.maturity import Arrivals
from monitor.window import Counts, Seen, Window


def read_arrivals(
    connection: Connection, model: str, windows: Sequence[Window]
) -> Sequence[Arrivals]:
    """Return when the labels of windows came; those nobody has counted that way are left out."""
    w, r = t.windows.c, t.revisions.c
    first = and_(r.model == w.model, r.window_key == w.key, r.revision == 1)
    by_key = {window.key: window for window in windows}
    query = (
        select(w.key, w.n_rows, w.lags, r.judged_at)
        .join_from(t.windows, t.revisions, first)
        .where(w.model == model, w.key.in_(list(by_key)), w.lags.is_not(None))
        .order_by(w.start_at)
    )
    return [
        Arrivals(by_key[key], judged_at, _counts(n_rows, lags))
        for key, n_rows, lags, judged_at in connection.execute(query)
    ]


def _counts(n_rows: int, lags: Sequence[Sequence[float]]) -> Counts:
    steps = tuple((float(age), int(n)) for age, n in lags)
    return Counts(n_rows, sum(n for _, n in steps), lags=steps)


def note_counted(
    connection: Connection, model: str, window: Window, seen: Seen, counts: Counts
) -> None:
    """Note that a window was counted and stays as it was judged."""
    w = t.windows.c
    mine = update(t.windows).where(w.model == model, w.key == window.key)
    values = {"seen_rows": seen.n_rows, "seen_labels": seen.n_labels, "lags": list(counts.lags)}
    connection.execute(mine.values(**values))


def count_new_labels(
    connection: Connection, model: str, since: datetime, run_at: datetime
) -> tuple[int, int, int]:
    """Return the sound windows since a time whose labels are mature, and their labels.

    Last come the labels of those among them that ended after a run was last asked for.
    """
    w = t.windows.c
    after = case((w.end_at > run_at, w.n_labels), else_=0)
    sums = (func.coalesce(func.sum(one), 0) for one in (w.n_labels, after))
    query = select(func.count(), *sums).where(
        w.model == model,
        w.start_at >= since,
        w.incident.is_(False),
        w.provisional.is_(False),
        w.n_labels > 0,
    )
    n_windows, n_labels, n_after = connection.execute(query).one()
    return int(n_windows), int(n_labels), int(n_after)
