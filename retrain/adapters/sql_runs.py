"""Requests and runs on a SQL database."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from monitor.adapters.database import exclusive, insert_row, reading
from monitor.adapters.tables import requests
from monitor.errors import NotFoundError, NotPossibleError
from retrain.adapters.challenger_rows import inside, settle, waiting
from retrain.adapters.news import NOBODY, News
from retrain.adapters.run_rows import end_run, has_run, is_held
from retrain.adapters.tables import runs, trials
from retrain.record import BY_HAND, Ended, Entry, Outcome, Request, RequestKind, Shown
from retrain.waiting import Waiting

DEFAULT_LEASE = timedelta(seconds=30)
RUNNING = (RequestKind.RETRAIN, RequestKind.LOOK)
"""Kinds that are carried out as a run, of which a model has one at a time."""

MAX_CLAIMS = 3
"""Workers that may begin a request and fall silent before its run is on record."""


class SqlRuns:
    """The `retrain.ports.Runs` on SQLAlchemy Core.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    lease : timedelta
        How long a worker may be silent before it is taken for dead.
    now : callable
        The time of the machines, which leases go by.
    news : News
        Who is told that a version waits for a person.
    """

    def __init__(
        self,
        engine: Engine,
        lease: timedelta = DEFAULT_LEASE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        news: News = NOBODY,
    ) -> None:
        self._engine = engine
        self._news = news
        self._lease = lease
        self._now = now

    def ask(self, model: str, kind: RequestKind, trigger: str, why: str, at: datetime) -> int:
        """Ask for something; NotPossibleError while the same is asked for already.

        What waits for the end of an incident gives way to a person's word, which does not.
        """
        c = requests.c
        same = select(c.id).where(c.model == model, c.kind == kind, c.finished_at.is_(None))
        with self._engine.begin() as connection:
            exclusive(connection, "requests", model)
            if trigger == BY_HAND:
                held = update(requests).where(c.model == model, c.kind == kind, is_held())
                connection.execute(held.values(finished_at=at))
            if connection.execute(same).first() is not None:
                raise NotPossibleError(f"a {kind} of {model!r} is asked for already; wait for it")
            return insert_row(
                connection, requests, model=model, kind=kind, trigger=trigger, why=why, asked_at=at
            )

    def claim(self, kind: RequestKind, by: str, at: datetime) -> Request | None:
        """Take the oldest open request; while its lease is renewed no other process gets it.

        A model has one run at a time: what would be a second one waits for the first. While an
        incident is open, what a window has asked for waits.
        """
        c, now = requests.c, self._now()
        left = and_(_silent(now), c.n_claims < MAX_CLAIMS, ~has_run())
        oldest = (
            select(requests)
            .where(c.kind == kind, c.finished_at.is_(None), or_(c.claimed_at.is_(None), left))
            .where(~is_held(), ~_is_running(now) if kind in RUNNING else true())
            .order_by(c.id)
            .limit(1)
        )
        with reading(self._engine) as connection:
            if connection.execute(oldest).first() is None:
                return None  # an idle poll takes no write lock
        with self._engine.begin() as connection:
            # SQLite leaves it out, where who writes is alone.
            free = oldest.with_for_update(skip_locked=True)
            row = connection.execute(free).mappings().first()
            if row is None:
                return None
            # Two workers may have found a run each, of one model: the second sees the first's.
            exclusive(connection, "requests", row["model"])
            if connection.execute(oldest.where(c.id == row["id"])).first() is None:
                return None
            mine = update(requests).where(c.id == row["id"])
            held = {"lease_until": now + self._lease, "n_claims": c.n_claims + 1}
            connection.execute(mine.values(claimed_at=at, claimed_by=by, **held))
        return Request(row["id"], row["model"], kind, row["trigger"], row["why"], row["asked_at"])

    def renew(self, request: Request, by: str) -> bool:
        """Say that its worker is alive; False when another one has it."""
        c = requests.c
        mine = update(requests).where(c.id == request.id, c.claimed_by == by)
        with self._engine.begin() as connection:
            held = connection.execute(mine.values(lease_until=self._now() + self._lease))
        return bool(held.rowcount)

    def give_up(self, request: Request, why: str, at: datetime) -> None:
        """End a request and its run, if it has one, as failed."""
        with self._engine.begin() as connection:
            _end(connection, request.id, why, at)

    def release(self, at: datetime, why: str) -> int:
        """End the runs whose workers are silent; returns how many there were.

        A request that has no run yet can be claimed again, but not for ever: what ends every
        worker that begins it is given up.
        """
        c = requests.c
        hopeless = or_(has_run(), c.n_claims >= MAX_CLAIMS)
        left = select(c.id, c.claimed_by).where(
            c.finished_at.is_(None), c.claimed_at.is_not(None), _silent(self._now()), hopeless
        )
        with reading(self._engine) as connection:
            if connection.execute(left).first() is None:
                return 0
        n_ended = 0
        with self._engine.begin() as connection:
            for row in connection.execute(left.with_for_update(skip_locked=True)).all():
                n_ended += _end(connection, row.id, f"{why} ({row.claimed_by})", at)
        return n_ended

    def start(self, request: Request, champion: int, at: datetime) -> int:
        """Begin the run of a request and return its number."""
        with self._engine.begin() as connection:
            return insert_row(
                connection,
                runs,
                model=request.model,
                request_id=request.id,
                trigger=request.trigger,
                why=request.why,
                champion=champion,
                started_at=at,
                progress=0.0,
                doing="collecting rows",
                details={},
            )

    def progress(self, run: int, share: float, text: str) -> None:
        """Note how far a run is; NotPossibleError when it was ended by someone else."""
        self._note(run, progress=share, doing=text)

    def note(self, run: int, details: Mapping[str, Any]) -> None:
        """Note what is known of a run so far; raises as `progress` does."""
        self._note(run, details=dict(details))

    def _note(self, run: int, **values: Any) -> None:
        mine = update(runs).where(runs.c.id == run, runs.c.ended_at.is_(None))
        with self._engine.begin() as connection:
            noted = connection.execute(mine.values(**values))
        if not noted.rowcount:
            raise NotPossibleError(f"run {run} was ended meanwhile: its worker was taken for dead")

    def tried(self, request: Request, champion: int, shown: Shown, at: datetime) -> None:
        """Record what a trial has shown; where a run would pay, ask for it, all at once.

        A run that was asked for since the trial was takes its place, however it ended.
        """
        c, mine = requests.c, update(requests).where(requests.c.id == request.id)
        window = select(c.window_key).where(c.id == request.id)
        with self._engine.begin() as connection:
            asked = {
                "model": request.model,
                "kind": RequestKind.RETRAIN,
                "trigger": "gain",
                "window_key": connection.execute(window).scalar(),
            }
            connection.execute(mine.values(finished_at=at))
            values = {"request_id": request.id, "model": request.model, "champion": champion}
            connection.execute(insert(trials).values(**values, at=at, **vars(shown)))
            is_newer = or_(c.finished_at.is_(None), c.id > request.id)
            same = select(c.id).where(
                c.model == request.model, c.kind == RequestKind.RETRAIN, is_newer
            )
            if shown.pays and connection.execute(same).first() is None:
                insert_row(connection, requests, **asked, why=shown.reason, asked_at=at)

    def trials(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what every trial of a model has shown, oldest first."""
        query = select(trials).where(trials.c.model == model).order_by(trials.c.request_id)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def newest_trial(self, model: str) -> Mapping[str, Any] | None:
        """Return what the newest trial of a model has shown; None before any."""
        c = trials.c
        query = select(trials).where(c.model == model).order_by(c.request_id.desc()).limit(1)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def finish(self, ended: Ended, at: datetime) -> None:
        """End a run and its request; one that somebody else has ended stays as it is."""
        with self._engine.begin() as connection:
            model = end_run(connection, ended, at)
            waits = model and waiting(connection, model)
            if model and waits and waits.run == ended.run:
                self._news.waits(connection, model, waits, ended.reason)

    def inside(self, model: str) -> Entry | None:
        """Return the challenger in the gate."""
        with reading(self._engine) as connection:
            return inside(connection, model)

    def requests(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what was ever asked for, oldest first."""
        query = select(requests).where(requests.c.model == model).order_by(requests.c.id)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def waiting(self, model: str) -> Waiting | None:
        """Return the version that waits for a person; None where none does."""
        with reading(self._engine) as connection:
            return waiting(connection, model)

    def decline(self, waits: Waiting, why: str) -> None:
        """End a wait without a promotion; the version stays registered."""
        with self._engine.begin() as connection:
            settle(connection, waits, Outcome.CANCELLED, f"declined: {why}")

    def open_requests(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what is asked for and not done yet, oldest first; held, what an incident holds."""
        c = requests.c
        shown = select(requests, is_held().label("held"))
        query = shown.where(c.model == model, c.finished_at.is_(None)).order_by(c.id)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def runs(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return every run of a model, oldest first."""
        query = select(runs).where(runs.c.model == model).order_by(runs.c.id)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def run(self, model: str, number: int) -> Mapping[str, Any]:
        """Return one run of a model."""
        query = select(runs).where(runs.c.model == model, runs.c.id == number)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFoundError("run", f"{number} of {model}")
        return dict(row)


def _silent(now: datetime) -> ColumnElement[bool]:
    c = requests.c
    return func.coalesce(c.lease_until, c.claimed_at) < now


def _is_running(now: datetime) -> ColumnElement[bool]:
    """Tell whether a worker that is alive carries out another run of the same model."""
    c, other = requests.c, requests.alias("other")
    alive = func.coalesce(other.c.lease_until, other.c.claimed_at) >= now
    return exists().where(
        other.c.model == c.model,
        other.c.id != c.id,
        other.c.kind.in_(RUNNING),
        other.c.finished_at.is_(None),
        other.c.claimed_at.is_not(None),
        alive,
    )


def _end(connection: Connection, request: int, why: str, at: datetime) -> int:
    """End a request and its run; the champion is untouched, and the next breach asks again."""
    run = connection.execute(select(runs.c.id).where(runs.c.request_id == request)).scalar()
    if run is None:
        done = update(requests).where(requests.c.id == request)
        connection.execute(done.values(finished_at=at))
        return 0
    return int(end_run(connection, Ended(run, Outcome.FAILED, why, {}), at) is not None)
