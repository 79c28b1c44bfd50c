"""The store on a SQL database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from monitor.accepted import Accepted
from monitor.action import Ask
from monitor.adapters import tables as t
from monitor.adapters.cycle_rows import has_answered, judged_window, write_cycle
from monitor.adapters.database import excluded, put_rows, reading
from monitor.adapters.drift_rows import read_moved
from monitor.adapters.estimate_rows import read_estimate
from monitor.adapters.incident_rows import (
    close_incident,
    is_open,
    read_accepted,
    refused,
    was_searched,
)
from monitor.adapters.label_rows import count_new_labels, note_counted, read_arrivals
from monitor.adapters.performance_rows import read_measured
from monitor.adapters.probation_rows import read_trial
from monitor.adapters.profile_rows import drop_profiles
from monitor.alert import Opening
from monitor.batch import Refused
from monitor.checks.score import Check, Score, Status
from monitor.errors import NotFoundError
from monitor.maturity import Arrivals
from monitor.probation import Probation, Trial
from monitor.record import CycleRecord, Delivery, Standing
from monitor.reference import Estimate
from monitor.window import Counts, JudgedWindow, Seen, Window

FIRST_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(hours=1)
"""A delivery that fails is tried again after a doubling pause between these."""


class SqlStore:
    """The `monitor.ports.Store` on SQLAlchemy Core.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(self, model: str, at: datetime) -> None:
        """Make a model known; one that is known already stays as it is."""
        with self._engine.begin() as connection:
            row = {"name": model, "registered_at": at, "paused": False}
            put_rows(connection, t.models, [row])

    def pause(self, model: str, *, paused: bool) -> None:
        """Hold back retraining, or let it go on."""
        with self._engine.begin() as connection:
            connection.execute(
                update(t.models).where(t.models.c.name == model).values(paused=paused)
            )

    def close_incident(self, model: str, number: int | None, at: datetime, why: str) -> int:
        """Close an incident by a person's word; its rows may be trained on, and retraining goes on.

        Returns its number; without one the incident that is open is closed.

        Raises
        ------
        NotFoundError, NotPossibleError
            If the model has no such incident, or it has ended already.
        """
        with self._engine.begin() as connection:
            return close_incident(connection, model, number, at, why)

    def accepted(self, model: str, version: int) -> Accepted:
        """Return what a person has said is right of what was judged against a version."""
        with reading(self._engine) as connection:
            return read_accepted(connection, model, version)

    def has_searched(self, model: str, window: Window, n_rows: int) -> bool:
        """Say whether as many rows of a window were searched for what broke, without a crash."""
        with reading(self._engine) as connection:
            return was_searched(connection, model, window.key, n_rows)

    def judged(self, model: str) -> Mapping[str, JudgedWindow]:
        """Return the judged windows of a model by key, oldest first."""
        # When their labels came is read of a few: there may be thousands of windows.
        columns = [column for column in t.windows.c if column is not t.windows.c.lags]
        query = select(*columns).where(t.windows.c.model == model).order_by(t.windows.c.start_at)
        with reading(self._engine) as connection:
            return {row["key"]: judged_window(row) for row in connection.execute(query).mappings()}

    def arrivals(self, model: str, windows: Sequence[Window]) -> Sequence[Arrivals]:
        """Return when the labels of judged windows came."""
        with reading(self._engine) as connection:
            return read_arrivals(connection, model, windows)

    def standing(self, model: str, *, since: datetime) -> Standing:
        """Return what the next decision rests on."""
        with reading(self._engine) as connection:
            row = _model(connection, model)
            asked = select(func.max(t.requests.c.asked_at)).where(
                t.requests.c.model == model, t.requests.c.kind == Ask.RETRAIN
            )
            pending = select(t.requests.c.id).where(
                t.requests.c.model == model,
                t.requests.c.finished_at.is_(None),
                t.requests.c.kind != Ask.TRIAL,  # a trial is no run, and holds none up
            )
            last_run_at = connection.execute(asked).scalar() or row["registered_at"]
            n_windows, n_labels, n_after = count_new_labels(connection, model, since, last_run_at)
            return Standing(
                open_alerts=_open_alerts(connection, model),
                last_run_at=last_run_at,
                n_new_windows=n_windows,
                n_new_labels=n_labels,
                n_since_run=n_after,
                incident_open=is_open(connection, model),
                run_pending=connection.execute(pending).first() is not None,
                paused=row["paused"],
            )

    def has_answered(self, model: str, version: int) -> bool:
        """Say whether a fall of performance has opened a run under a champion."""
        with reading(self._engine) as connection:
            return has_answered(connection, model, version)

    def trial(self, probation: Probation) -> Trial | None:
        """Return a probation with its evidence so far; None when it has ended."""
        with reading(self._engine) as connection:
            return read_trial(connection, probation)

    def moved_before(self, model: str, window: Window, version: int) -> Collection[str]:
        """Return the columns that had moved in one of the two windows before."""
        with reading(self._engine) as connection:
            return read_moved(connection, model, window, version)

    def measured(self, model: str, window: Window, version: int, metric: str) -> list[Estimate]:
        """Return a metric in the final windows before one, as far back as the version served."""
        with reading(self._engine) as connection:
            return read_measured(connection, model, window, version, metric)

    def estimated(self, model: str, window: Window, version: int, n_rows: int) -> Score | None:
        """Return what was estimated of as many rows of a window; labels change nothing of it."""
        with reading(self._engine) as connection:
            return read_estimate(connection, model, window, version, n_rows)

    def record(self, record: CycleRecord, channels: Sequence[str]) -> bool:
        """Record everything of a cycle at once; False when another process was first."""
        try:
            with self._engine.begin() as connection:
                write_cycle(connection, record, channels)
        except IntegrityError:
            if self._is_recorded(record):
                return False
            raise  # not a second record but one that cannot be stored: it must not pass unseen
        return True

    def _is_recorded(self, record: CycleRecord) -> bool:
        r, judged = t.revisions.c, record.judged
        same = select(r.id).where(
            r.model == record.model,
            r.window_key == judged.window.key,
            r.revision == judged.revision,
        )
        with reading(self._engine) as connection:
            return connection.execute(same).first() is not None

    def counted(self, model: str, window: Window, seen: Seen, counts: Counts) -> None:
        """Note that a window was counted and stays as it was judged."""
        with self._engine.begin() as connection:
            note_counted(connection, model, window, seen, counts)

    def fail(self, model: str, error: str, at: datetime) -> None:
        """Note that a cycle could not be run."""
        with self._engine.begin() as connection:
            connection.execute(
                update(t.models)
                .where(t.models.c.name == model)
                .values(last_error=error, last_error_at=at)
            )

    def undelivered(self, now: datetime) -> Sequence[Delivery]:
        """Return the messages whose next attempt is due.

        What is told of an alert keeps its order: that it is over waits for that it began. So does
        the news of a model: who serves it elsewhere must end with the version that was last named.
        """
        o, before = t.outbox.c, t.outbox.alias("before")
        waits = exists().where(
            or_(before.c.alert_id == o.alert_id, before.c.model == o.model),
            before.c.channel == o.channel,
            before.c.id < o.id,
            before.c.delivered_at.is_(None),
            before.c.next_attempt_at > now,
        )
        query = select(t.outbox).where(o.next_attempt_at <= now, ~waits).order_by(o.id)
        with reading(self._engine) as connection:
            return [
                Delivery(r["id"], r["channel"], r["title"], r["body"], r["attempts"])
                for r in connection.execute(query).mappings()
            ]

    def delivered(self, delivery: Delivery, now: datetime, error: str | None) -> None:
        """Note an attempt; with an error it is tried again later."""
        pause = min(FIRST_RETRY * 2**delivery.attempts, LONGEST_RETRY)
        outcome: dict[str, Any] = (
            {"delivered_at": now, "next_attempt_at": None}
            if error is None
            else {"next_attempt_at": now + pause}
        )
        with self._engine.begin() as connection:
            connection.execute(
                update(t.outbox)
                .where(t.outbox.c.id == delivery.id)
                .values(attempts=delivery.attempts + 1, last_error=error, **outcome)
            )
            if error is not None:
                _postpone(connection, delivery.channel, now + FIRST_RETRY)

    def drop_profiles(self, kept_since: Mapping[str, datetime]) -> int:
        """Drop the profiles of windows whose rows the log no longer keeps; returns how many."""
        with self._engine.begin() as connection:
            return sum(drop_profiles(connection, *one) for one in kept_since.items())

    def refuse(self, model: str, reason: str, n_rows: int, at: datetime) -> None:
        """Count rows that were refused, by the minute."""
        minute = at.replace(second=0, microsecond=0)
        row = {"model": model, "reason": reason, "minute_at": minute, "n_rows": n_rows}
        more = {"n_rows": t.refusals.c.n_rows + excluded(t.refusals, "n_rows")}
        with self._engine.begin() as connection:
            put_rows(connection, t.refusals, [row], more)

    def refused(self, model: str, window: Window) -> Refused:
        """Return what was refused while a window was open."""
        with reading(self._engine) as connection:
            return refused(connection, model, window)


def _model(connection: Connection, model: str) -> Mapping[str, Any]:
    row = connection.execute(select(t.models).where(t.models.c.name == model)).mappings().first()
    if row is None:
        raise NotFoundError("model", model)
    return dict(row)


def _postpone(connection: Connection, channel: str, until: datetime) -> None:
    """Leave a channel that has refused one message alone for a while."""
    o = t.outbox.c
    due = (o.channel == channel, o.next_attempt_at < until)
    connection.execute(update(t.outbox).where(*due).values(next_attempt_at=until))


def _open_alerts(connection: Connection, model: str) -> dict[Check, Opening]:
    a, o = t.alerts.c, t.outbox.c
    told_at = select(func.max(o.created_at)).where(o.alert_id == a.id).scalar_subquery()
    query = select(t.alerts, told_at.label("told_at")).where(a.model == model, a.ended_at.is_(None))
    return {
        Check(r["check"]): Opening(
            *(r["id"], r["window_key"], r["window_start"], r["told_at"]),
            breaches=_breaches(connection, r),
        )
        for r in connection.execute(query).mappings().all()
    }


def _breaches(connection: Connection, alert: RowMapping) -> dict[str, datetime]:
    """Return the newest two windows that breach an alert's check in their latest revision."""
    w, r = t.windows.c, t.revisions.c
    latest = and_(r.model == w.model, r.window_key == w.key, r.revision == w.revision)
    query = (
        select(w.key, w.start_at)
        .join_from(t.windows, t.revisions, latest)
        .where(
            w.model == alert["model"],
            w.start_at >= alert["window_start"],
            r.checks[alert["check"]].as_string().in_((Status.BREACH, Status.ERROR)),
            # A broken feed only echoes in the other checks.
            or_(w.incident.is_(False), alert["check"] == Check.QUALITY),
        )
        .order_by(w.start_at.desc())
        .limit(2)
    )
    return {key: start for key, start in connection.execute(query)}  # noqa: C416 - a Row is typed as no pair
