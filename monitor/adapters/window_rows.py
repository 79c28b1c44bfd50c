"""Window rows: which judged windows say how a model is now, for all models at once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, func, or_, select

from monitor.adapters import tables as t
from monitor.adapters.incident_rows import incident_open
from monitor.checks.score import Check, Status

WHEN_LABELLED = "performance"
"""The check whose scores wait for labels: they are of the newest window that has them."""

_S = t.scores.c

# The candidates for a model's newest window, in a subquery of their own.
_W, _R = t.windows.alias("candidate"), t.revisions.alias("candidate_revision")
_NEWEST_FIRST = (_W.c.start_at.desc(), _W.c.first_row.desc())

# A status says it without a look at the scores, of which a window has hundreds; but a metric that
# has no limit has no status.
SCORED = and_(
    _W.c.n_labels > 0,
    or_(
        _R.c.checks[WHEN_LABELLED].as_string() != "NO_DATA",
        exists().where(_S.revision_id == _R.c.id, _S.check == WHEN_LABELLED, _S.level.is_(None)),
    ),
)
FINAL = _R.c.provisional.is_(False)


def models() -> Select[Any]:
    """Select the models with what went wrong last: in a cycle, a collection or the feed."""
    error = func.coalesce(t.models.c.last_error, t.collections.c.error).label("error")
    collected = t.models.outerjoin(t.collections, t.collections.c.model == t.models.c.name)
    incident = incident_open(t.models.c.name).label("incident")
    return select(t.models, error, incident).select_from(collected).order_by(t.models.c.name)


def newest(models: Sequence[str], *conditions: ColumnElement[bool]) -> Select[Any]:
    """Select each model's newest window that fulfils conditions, with its latest revision."""
    m = t.models.c
    key = _newest_key(m.name, *conditions).correlate(t.models)
    return _at(select(m.name.label("model"), key.label("key")).where(m.name.in_(models)))


def newest_before(models: Sequence[str]) -> Select[Any]:
    """Select each model's newest window with performance of another version than the newest's."""
    one = newest(models, SCORED).subquery("labelled")
    key = _newest_key(one.c.model, SCORED, _R.c.champion != one.c.champion).correlate(one)
    return _at(select(one.c.model, key.label("key")))


def _newest_key(model: ColumnElement[str], *conditions: ColumnElement[bool]) -> Any:
    """Select the key of a window: backwards on the index of a model's windows, up to the first."""
    key = select(_W.c.key).join_from(_W, _R, same_revision(_W, _R))
    key = key.where(_W.c.model == model, *conditions).order_by(*_NEWEST_FIRST).limit(1)
    return key.scalar_subquery()


def _at(keys: Select[Any]) -> Select[Any]:
    """Select windows by model and key.

    The keys are found first, once a model: left to itself SQLite goes through all windows, and for
    each looks for its model's newest.
    """
    w, r = t.windows, t.revisions
    at = keys.cte().prefix_with("MATERIALIZED")
    joined = at.join(w, and_(w.c.model == at.c.model, w.c.key == at.c.key))
    return select(*_WINDOW_COLUMNS).select_from(joined.join(r, same_revision(w, r)))


def same_revision(windows: FromClause, revisions: FromClause) -> ColumnElement[bool]:
    """Return the condition that joins windows with their latest revision."""
    return and_(
        revisions.c.model == windows.c.model,
        revisions.c.window_key == windows.c.key,
        revisions.c.revision == windows.c.revision,
    )


_WINDOW_COLUMNS = (
    t.revisions.c.model,
    t.revisions.c.id,
    t.revisions.c.champion,
    t.windows.c.start_at,
    t.windows.c.end_at,
    t.windows.c.end_row,
    t.revisions.c.n_rows,
    t.revisions.c.n_labels,
    t.revisions.c.checks,
    t.revisions.c.share_drifted,
    t.revisions.c.provisional,
)


def open_alerts() -> Select[Any]:
    """Select the alerts that are open, each with the newest window that breaches its check.

    Where none does, that in which the check crashed. A broken feed only echoes in the other checks;
    what was opened before the feed was found broken has no such window.
    """
    a, w, r = t.alerts, t.windows, t.revisions
    key = func.coalesce(_newest_with(Status.BREACH), _newest_with(Status.ERROR))
    joined = a.outerjoin(w, and_(w.c.model == a.c.model, w.c.key == key))
    joined = joined.outerjoin(r, same_revision(w, r))
    columns = (a.c.model, a.c.check, *_WINDOW_COLUMNS[1:])
    return select(*columns).select_from(joined).where(a.c.ended_at.is_(None))


def _newest_with(status: Status) -> Any:
    """Select the newest window since an alert opened in which its check has a status."""
    a = t.alerts.c
    of_check = case(*((a.check == one, _R.c.checks[str(one)].as_string()) for one in Check))
    since = (_W.c.model == a.model, _W.c.start_at >= a.window_start, of_check == status)
    no_echo = or_(_W.c.incident.is_(False), a.check == Check.QUALITY)
    key = select(_W.c.key).join_from(_W, _R, same_revision(_W, _R)).where(*since, no_echo)
    return key.order_by(*_NEWEST_FIRST).limit(1).correlate(t.alerts).scalar_subquery()


def broken_windows() -> Select[Any]:
    """Select the revisions of all windows of the incidents that are open, the newest first."""
    a, w, r = t.alerts, t.windows, t.revisions
    of_it = and_(w.c.model == a.c.model, w.c.start_at >= a.c.window_start, w.c.incident)
    joined = a.join(w, of_it).join(r, same_revision(w, r))
    query = select(a.c.model, r.c.id).select_from(joined)
    query = query.where(a.c.check == Check.QUALITY, a.c.ended_at.is_(None))
    return query.order_by(w.c.start_at.desc(), w.c.first_row.desc())
