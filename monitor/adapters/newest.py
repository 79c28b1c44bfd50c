"""Newest: what was last recorded of every model, in a handful of queries whatever their number."""

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
)

from monitor.adapters import tables as t
from monitor.adapters.database import reading
from monitor.adapters.incident_rows import incident_open

WHEN_LABELLED = "performance"
"""The check whose scores wait for labels: they are of the newest window that has them."""


class NewestScore(NamedTuple):
    """One score, as the metrics show it; there are many, and they are kept between scrapes."""

    check: str
    column: str | None
    method: str
    value: float | None
    threshold: float | None
    breach_when: str
    status: str
    standard_error: float | None
    reference_value: float | None
    rank: int | None = None


@dataclass(frozen=True)
class NewestWindow:
    """A judged window in its latest revision.

    Parameters
    ----------
    revision_id : int
        Its row.
    champion : int
        The version it was judged against.
    start, end : datetime
        Its stretch of time.
    end_row : int or None
        The row after its last, for a window by count.
    n_rows, n_labels : int
        Rows, and those with a label.
    checks : mapping of str to str
        The status of each check.
    share_drifted : float or None
        Drifted columns over compared columns.
    provisional : bool
        Its labels are still waited for.
    scores : tuple of NewestScore
        Its scores, but for those of segments.
    """

    revision_id: int
    champion: int
    start: datetime
    end: datetime
    end_row: int | None
    n_rows: int
    n_labels: int
    checks: Mapping[str, str]
    share_drifted: float | None
    provisional: bool
    scores: tuple[NewestScore, ...] = ()


@dataclass(frozen=True)
class Newest:
    """What was last recorded of one model.

    Parameters
    ----------
    model : str
        The model.
    paused, failed, incident : bool
        A person has paused retraining; the last cycle, or collection, could not be run; an incident
        is open.
    last_success_at : datetime or None
        When a window was last judged.
    window : NewestWindow or None
        The newest judged window.
    labelled : tuple of NewestWindow
        The newest with performance, and the newest with performance of another version.
    final : NewestWindow or None
        The newest whose performance is final.
    """

    model: str
    paused: bool
    failed: bool
    incident: bool
    last_success_at: datetime | None
    window: NewestWindow | None
    labelled: tuple[NewestWindow, ...]
    final: NewestWindow | None


class NewestReader:
    """Reads what was last recorded; the scores of a revision never change and are read once.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._scores: dict[int, tuple[NewestScore, ...]] = {}
        self._lock = threading.Lock()

    def read(self) -> list[Newest]:
        """Return every model, by name."""
        with self._lock, reading(self._engine) as connection:
            models = connection.execute(_models()).all()
            newest = _windows(connection, _newest())
            labelled = _windows(connection, _newest(_SCORED))
            before = _windows(connection, _before())
            final = _windows(connection, _newest(_SCORED, _FINAL))
            every = (newest, labelled, before, final)
            shown = [window for by in every for window in by.values()]
            scores = self._read_scores(connection, {one.revision_id for one in shown})
        scored = {one.revision_id: replace(one, scores=scores[one.revision_id]) for one in shown}
        return [
            Newest(
                model=row.name,
                paused=row.paused,
                failed=row.error is not None,
                incident=bool(row.incident),
                last_success_at=row.last_success_at,
                window=scored[newest[row.name].revision_id] if row.name in newest else None,
                labelled=tuple(
                    scored[by[row.name].revision_id] for by in (labelled, before) if row.name in by
                ),
                final=scored[final[row.name].revision_id] if row.name in final else None,
            )
            for row in models
        ]

    def _read_scores(
        self, connection: Connection, revisions: Collection[int]
    ) -> Mapping[int, tuple[NewestScore, ...]]:
        """Return the scores of revisions: those that are not known yet are read."""
        found: dict[int, list[NewestScore]] = defaultdict(list)
        missing = sorted(set(revisions) - self._scores.keys())
        for first in range(0, len(missing), _AT_ONCE):
            wanted = _S.revision_id.in_(missing[first : first + _AT_ONCE])
            query = select(_S.revision_id, *_SCORE_COLUMNS).where(wanted, _S.level.is_(None))
            for revision, *score in connection.execute(query):
                found[revision].append(NewestScore(*score))
        self._scores = {
            one: self._scores[one] if one in self._scores else tuple(found[one])
            for one in revisions
        }
        return self._scores


_AT_ONCE = 500
"""Revisions in one query; every database takes as many parameters."""

_S = t.scores.c
_SCORE_COLUMNS = tuple(t.scores.c[name] for name in NewestScore._fields)

# The candidates for a model's newest window, in a subquery of their own.
_W, _R = t.windows.alias("candidate"), t.revisions.alias("candidate_revision")

# A status says it without a look at the scores, of which a window has hundreds; but a metric that
# has no limit has no status.
_SCORED = and_(
    _W.c.n_labels > 0,
    or_(
        _R.c.checks[WHEN_LABELLED].as_string() != "NO_DATA",
        exists().where(_S.revision_id == _R.c.id, _S.check == WHEN_LABELLED, _S.level.is_(None)),
    ),
)
_FINAL = _R.c.provisional.is_(False)


def _models() -> Select[Any]:
    """Select the models with what went wrong last: in a cycle, a collection or the feed."""
    error = func.coalesce(t.models.c.last_error, t.collections.c.error).label("error")
    collected = t.models.outerjoin(t.collections, t.collections.c.model == t.models.c.name)
    incident = incident_open(t.models.c.name).label("incident")
    return select(t.models, error, incident).select_from(collected).order_by(t.models.c.name)


def _newest(*conditions: ColumnElement[bool], of: ColumnElement[str] = t.models.c.name) -> Any:
    """Select each model's newest window that fulfils conditions, with its latest revision.

    The subquery walks a model's windows backwards on their index, and stops at the first.
    """
    w, r, models = t.windows, t.revisions, of.table
    key = select(_W.c.key).join_from(_W, _R, same_revision(_W, _R))
    key = key.where(_W.c.model == of, *conditions).limit(1)
    key = key.order_by(_W.c.start_at.desc(), _W.c.first_row.desc()).correlate(models)
    mine = and_(w.c.model == of, w.c.key == key.scalar_subquery())
    joined = models.join(w, mine).join(r, same_revision(w, r))
    return select(*_WINDOW_COLUMNS).select_from(joined)


def _before() -> Any:
    """Select each model's newest window with performance of another version than the newest's."""
    newest = _newest(_SCORED).subquery("labelled")
    return _newest(_R.c.champion != newest.c.champion, _SCORED, of=newest.c.model)


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


def _windows(connection: Connection, query: Any) -> dict[str, NewestWindow]:
    return {model: NewestWindow(*window) for model, *window in connection.execute(query)}
