"""Newest: what was last recorded of every model, in a handful of queries whatever their number."""

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, select

from monitor.adapters import tables as t
from monitor.adapters.database import portions, reading
from monitor.adapters.window_rows import (
    FINAL,
    SCORED,
    broken_windows,
    models,
    newest,
    newest_before,
    open_alerts,
)


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


class Broken(NamedTuple):
    """One column that is broken, or whole rows where `column` is empty.

    `since` is the event time of the first broken row, in whichever window of the incident it is.
    """

    column: str
    sign: str
    since: datetime | None

    @property
    def place(self) -> str:
        """What is broken, however it shows; of whole rows, how it shows."""
        return self.column or self.sign


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
    n_judged : int
        Revisions of its windows: with more of them anything else here may be different.
    window : NewestWindow or None
        The newest judged window.
    labelled : tuple of NewestWindow
        The newest with performance, and the newest with performance of another version.
    final : NewestWindow or None
        The newest whose performance is final.
    alerts : mapping of str to NewestWindow or None
        The alerts that are open, by check: the newest window that breaches it, or in which the
        check crashed; None where its windows have been found to be an incident since.
    broken : tuple of Broken
        What is broken in the newest window of an open incident.
    """

    model: str
    paused: bool
    failed: bool
    incident: bool
    last_success_at: datetime | None
    n_judged: int
    window: NewestWindow | None
    labelled: tuple[NewestWindow, ...]
    final: NewestWindow | None
    alerts: Mapping[str, NewestWindow | None]
    broken: tuple[Broken, ...]


class _Known(NamedTuple):
    """The windows of a model that tell how it is now, and how many revisions it had then."""

    n_judged: int
    windows: tuple[NewestWindow | None, ...]


class NewestReader:
    """Reads what was last recorded; the scores of a revision never change and are read once.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._windows: dict[str, _Known] = {}
        self._scores: dict[int, tuple[NewestScore, ...]] = {}
        self._broken: dict[int, tuple[Broken, ...]] = {}
        self._lock = threading.Lock()

    def read(self) -> list[Newest]:
        """Return every model, by name."""
        with self._lock, reading(self._engine) as connection:
            rows = connection.execute(models()).all()
            self._read_windows(connection, {row.name: row.n_judged for row in rows})
            alerts = _alerts(connection)
            of_alerts = [one for by_check in alerts.values() for one in by_check.values() if one]
            kept = [one for known in self._windows.values() for one in known.windows if one]
            shown = [*kept, *of_alerts]
            scores = self._read_scores(connection, {one.revision_id for one in shown})
            broken = self._read_broken(connection)

        def scored(window: NewestWindow | None) -> NewestWindow | None:
            return replace(window, scores=scores[window.revision_id]) if window else None

        found = []
        for row in rows:
            window, labelled, before, final = map(scored, self._windows[row.name].windows)
            told = {check: scored(one) for check, one in alerts.get(row.name, {}).items()}
            found.append(
                Newest(
                    model=row.name,
                    paused=row.paused,
                    failed=row.error is not None,
                    incident=bool(row.incident),
                    last_success_at=row.last_success_at,
                    n_judged=row.n_judged,
                    window=window,
                    labelled=tuple(one for one in (labelled, before) if one is not None),
                    final=final,
                    alerts=told,
                    broken=broken.get(row.name, ()),
                )
            )
        return found

    def _read_windows(self, connection: Connection, n_judged: Mapping[str, int]) -> None:
        """Read the windows of models with new revisions; among thousands each takes a while."""
        known = {model: one for model, one in self._windows.items() if model in n_judged}
        anew = [
            name for name, n in n_judged.items() if name not in known or known[name].n_judged != n
        ]
        for some in portions(anew):
            queries = (
                newest(some),
                newest(some, SCORED),
                newest_before(some),
                newest(some, SCORED, FINAL),
            )
            found = [_windows(connection, query) for query in queries]
            for model in some:
                known[model] = _Known(n_judged[model], tuple(by.get(model) for by in found))
        self._windows = known

    def _read_scores(
        self, connection: Connection, revisions: Collection[int]
    ) -> Mapping[int, tuple[NewestScore, ...]]:
        """Return the scores of revisions: those that are not known yet are read."""
        found: dict[int, list[NewestScore]] = defaultdict(list)
        for missing in portions(set(revisions) - self._scores.keys()):
            wanted = _S.revision_id.in_(missing)
            query = select(_S.revision_id, *_SCORE_COLUMNS).where(wanted, _S.level.is_(None))
            for revision, *score in connection.execute(query).all():
                found[revision].append(NewestScore(*score))
        self._scores = {
            one: self._scores[one] if one in self._scores else tuple(found[one])
            for one in revisions
        }
        return self._scores

    def _read_broken(self, connection: Connection) -> Mapping[str, tuple[Broken, ...]]:
        """Return what is broken, by model; the findings of a revision are read once, too."""
        by_model: dict[str, list[int]] = defaultdict(list)
        for model, revision in connection.execute(broken_windows()):
            by_model[model].append(revision)
        revisions = [one for found in by_model.values() for one in found]
        self._broken = {one: self._broken[one] for one in revisions if one in self._broken}
        r = t.revisions.c
        for missing in portions(set(revisions) - self._broken.keys()):
            wanted = r.id.in_(missing)
            for revision, findings in connection.execute(select(r.id, r.findings).where(wanted)):
                self._broken[revision] = tuple(map(_broken, findings))
        return {
            model: _since_when([self._broken[one] for one in newest_first])
            for model, newest_first in by_model.items()
        }


_S = t.scores.c
_SCORE_COLUMNS = tuple(t.scores.c[name] for name in NewestScore._fields)


def _windows(connection: Connection, query: Any) -> dict[str, NewestWindow]:
    return {model: NewestWindow(*window) for model, *window in connection.execute(query)}


def _alerts(connection: Connection) -> dict[str, dict[str, NewestWindow | None]]:
    found: dict[str, dict[str, NewestWindow | None]] = defaultdict(dict)
    for model, check, revision, *window in connection.execute(open_alerts()):
        found[model][check] = None if revision is None else NewestWindow(revision, *window)
    return found


def _broken(finding: Mapping[str, Any]) -> Broken:
    since = finding["since"]
    at = datetime.fromisoformat(since) if since else None
    return Broken(finding["column"], finding["sign"], at)


def _since_when(newest_first: Sequence[tuple[Broken, ...]]) -> tuple[Broken, ...]:
    """Return what is broken in the newest window, since its first row in the windows before."""
    now = {one.place: one for one in newest_first[0]}
    ongoing = set(now)
    for findings in newest_first[1:]:
        before = {one.place: one for one in findings if one.place in ongoing}
        for place, one in before.items():
            now[place] = now[place]._replace(since=one.since or now[place].since)
        ongoing = set(before)
    return tuple(now.values())
