"""A migrated state database, and cycles made by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from monitor.action import Action, Reason
from monitor.adapters.database import open_database
from monitor.adapters.history import History
from monitor.adapters.prediction_log import PredictionLog
from monitor.adapters.sql_store import SqlStore
from monitor.alert import Alert, AlertChange, Judged
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.decision import Decision
from monitor.diagnosis import Diagnosis, DiagnosisKind
from monitor.maturity import BEFORE_CURVE
from monitor.message import Message
from monitor.record import CycleRecord
from monitor.verdict import Verdict
from monitor.window import Counts, Window
from tests.logs import Place

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(days=7)
SCORES = (
    Score(Check.DRIFT, "x", "ks", 0.4, 0.05, BreachWhen.BELOW, 100, 50, status=Status.OK),
    Score(Check.DRIFT, "g", "z", None, 0.05, BreachWhen.BELOW, 100, 0, status=Status.NO_DATA),
    Score(
        Check.PERFORMANCE, None, "roc_auc", 0.8, 0.7, BreachWhen.BELOW, 100, 50,
        standard_error=0.02, reference_value=0.82, status=Status.OK,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Books:
    """The state database of one registered model."""

    engine: Engine
    model: str = "m"
    store: SqlStore = field(init=False)
    history: History = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", SqlStore(self.engine))
        object.__setattr__(self, "history", History(self.engine))
        self.store.register(self.model, MONDAY)

    def cycle(
        self,
        number: int = 0,
        revision: int = 1,
        *,
        alerts: Sequence[Alert] = (),
        action: Action = Action.NONE,
        kind: DiagnosisKind = DiagnosisKind.NONE,
        status: Status = Status.OK,
        scores: Sequence[Score] = SCORES,
        counts: Counts | None = None,
    ) -> CycleRecord:
        """Make the record of a week's cycle."""
        start = MONDAY + number * WEEK
        checks = {**dict.fromkeys(Check, Status.OK), Check.DRIFT: status}
        counts = counts or Counts(50, 49)
        provisional = counts.maturity < BEFORE_CURVE
        verdict = Verdict(status, checks, tuple(scores), 0.25, provisional=provisional)
        diagnosis = Diagnosis(kind, (), f"the diagnosis of week {number}")
        reason = Reason.DRIFT if action is Action.RETRAIN else Reason.ALL_WELL
        told = [a for a in alerts if a.change is not AlertChange.CONTINUED]
        return CycleRecord(
            model=self.model,
            judged=Judged(Window(start, start + WEEK), revision, 1, verdict, diagnosis),
            counts=counts,
            decision=Decision(action, reason, f"the reason of week {number}", tuple(alerts)),
            messages=[Message(a, f"{a.check} {a.change}", a.sentence) for a in told],
            at=start + WEEK,
            duration_seconds=0.3,
        )

    def record(self, record: CycleRecord, *channels: str) -> bool:
        """Record a cycle."""
        return self.store.record(record, channels or ("log",))

    def open_incident(self, number: int = 0) -> Alert:
        """Open an incident; returns its alert as the next cycles see it."""
        return self.open_alert(number, Check.QUALITY, DiagnosisKind.INCIDENT)

    def open_alert(
        self,
        number: int = 0,
        check: Check = Check.DRIFT,
        kind: DiagnosisKind = DiagnosisKind.NONE,
    ) -> Alert:
        """Open an alert; returns it as the next cycles see it."""
        opened = Alert(check, AlertChange.OPENED, f"{check} has moved")
        assert self.record(self.cycle(number, alerts=[opened], status=Status.BREACH, kind=kind))
        opening = self.store.standing(self.model, since=MONDAY).open_alerts[check]
        return replace(opened, opening=opening.id)


@pytest.fixture
def books(where: Path | str) -> Iterator[Books]:
    """An empty state database with one model."""
    engine = open_database(where)
    yield Books(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a log is: in a folder, in PostgreSQL and a folder, in a folder and a bucket."""
    if request.param == "sqlite":
        return Place(tmp_path)
    if request.param == "postgres":
        return Place(tmp_path, request.getfixturevalue("postgres_url"))
    return Place(tmp_path, bucket=request.getfixturevalue("bucket"))


@pytest.fixture
def log(place: Place) -> Iterator[PredictionLog]:
    """An open log."""
    with place.opened() as opened:
        yield opened
