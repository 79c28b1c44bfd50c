"""Requests and runs on a SQL database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, update

from monitor.adapters.database import exclusive, insert_row, reading
from monitor.adapters.tables import requests
from monitor.errors import NotFoundError, NotPossibleError
from retrain.adapters.tables import runs
from retrain.ports import Outcome, Request, RequestKind


class SqlRuns:
    """The `retrain.ports.Runs` on SQLAlchemy Core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ask(self, model: str, kind: RequestKind, trigger: str, why: str, at: datetime) -> int:
        """Ask for something; NotPossibleError while the same is asked for already."""
        c = requests.c
        same = select(c.id).where(c.model == model, c.kind == kind, c.finished_at.is_(None))
        with self._engine.begin() as connection:
            exclusive(connection, "requests", model)
            if connection.execute(same).first() is not None:
                raise NotPossibleError(f"a {kind} of {model!r} is asked for already; wait for it")
            return insert_row(
                connection, requests, model=model, kind=kind, trigger=trigger, why=why, asked_at=at
            )

    def claim(self, kind: RequestKind, by: str, at: datetime) -> Request | None:
        """Take the oldest open request; no other process gets it."""
        c = requests.c
        oldest = (
            select(requests)
            .where(c.kind == kind, c.claimed_at.is_(None), c.finished_at.is_(None))
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
            mine = update(requests).where(c.id == row["id"])
            connection.execute(mine.values(claimed_at=at, claimed_by=by))
        return Request(row["id"], row["model"], kind, row["trigger"], row["why"], row["asked_at"])

    def release(self, at: datetime, why: str) -> int:
        """End the runs that a worker left behind when it died; returns how many there were.

        Their requests are finished with them: the champion is untouched, and the next breach asks
        again.
        """
        c = requests.c
        with self._engine.begin() as connection:
            open_runs = connection.execute(
                update(runs)
                .where(runs.c.ended_at.is_(None))
                .values(ended_at=at, outcome=Outcome.FAILED, reason=why)
            )
            connection.execute(
                update(requests)
                .where(c.claimed_at.is_not(None), c.finished_at.is_(None))
                .values(finished_at=at)
            )
        return int(open_runs.rowcount)

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
            )

    def progress(self, run: int, share: float, text: str) -> None:
        """Note how far a run is; NotPossibleError when it was ended by someone else."""
        mine = update(runs).where(runs.c.id == run, runs.c.ended_at.is_(None))
        with self._engine.begin() as connection:
            noted = connection.execute(mine.values(progress=share, doing=text))
        if not noted.rowcount:
            raise NotPossibleError(f"run {run} was ended meanwhile: its worker was taken for dead")

    def finish(
        self, run: int, outcome: Outcome, reason: str, details: Mapping[str, Any], at: datetime
    ) -> None:
        """End a run and its request, with all that a person may ask about it.

        A run that was ended already keeps its outcome.
        """
        mine = runs.c.id == run
        with self._engine.begin() as connection:
            connection.execute(
                update(runs)
                .where(mine, runs.c.ended_at.is_(None))
                .values(
                    ended_at=at,
                    outcome=outcome,
                    reason=reason,
                    details=dict(details),
                    progress=1.0,
                    doing="",
                )
            )
            request = select(runs.c.request_id).where(mine).scalar_subquery()
            connection.execute(
                update(requests).where(requests.c.id == request).values(finished_at=at)
            )

    def open_requests(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return what is asked for and not done yet, oldest first."""
        c = requests.c
        query = select(requests).where(c.model == model, c.finished_at.is_(None)).order_by(c.id)
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
