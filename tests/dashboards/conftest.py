"""A real state database, filled by real cycles whose scores are made by hand."""

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi import FastAPI
from httpx import Response
from sqlalchemy import Engine

from dashboards.pages.routes import PageServices, routes
from leeway import problems
from leeway.database import upgrade
from monitor.action import Trigger
from monitor.adapters.database import open_database
from monitor.adapters.history import History
from monitor.adapters.sql_store import SqlStore
from monitor.alert import Judged
from monitor.change import Change
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy, performance_scores
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import TableColumns
from monitor.decision import RetrainPolicy, decide
from monitor.diagnosis import diagnose
from monitor.maturity import MATURE
from monitor.model_state import ModelState
from monitor.record import CycleRecord
from monitor.reference import Estimate, prepare
from monitor.schema import Kind, Schema, Task
from monitor.verdict import Basis, VerdictPolicy, judge
from monitor.window import Counts, LabelPolicy, Window, WindowPolicy
from retrain.adapters.sql_registry import SqlRegistry
from retrain.adapters.sql_runs import SqlRuns
from retrain.adapters.sql_shadows import SqlShadows
from retrain.bundle import Bundle, Lineage
from retrain.candidates import recipes
from retrain.record import Ended, Outcome, RequestKind, Shown

with warnings.catch_warnings():
    # Starlette would rather have httpx2; nothing else we use knows it.
    warnings.filterwarnings("ignore", "Using `httpx` with `starlette.testclient`")
    from fastapi.testclient import TestClient

MONDAY = datetime(2013, 1, 7, tzinfo=UTC)
ON_BREACHES = RetrainPolicy(when=frozenset(Trigger) - {Trigger.GAIN})
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
WEEK = timedelta(days=7)
REFERENCE = {"roc_auc": Estimate(0.703, 0.004, 4000)}
COLUMNS = ("temp", "dewp", "humid", "wind", "hour", "carrier")
POLICY = VerdictPolicy(
    WindowPolicy(every=WEEK), LabelPolicy(), DriftPolicy(), PerformancePolicy("roc_auc")
)


RECIPE = {
    "name": "hist_gradient_boosting slow",
    "params": {"max_iter": 100, "learning_rate": 0.06, "min_samples_leaf": 40},
    "preprocessing": {"missing": "keep", "outliers": "none", "encoding": "native"},
    "training_range": 13,
    "fading": False,
}
TRIED = {"recipe": RECIPE, "reason": "", "standard_error": 0.0048, "seconds": 0.3, "n_fits": 2}
DROPPED = {"status": "dropped", "reason": "behind in the first heat, 0.6282"}
KNOWN: dict[str, object] = {
    "parts": [
        {"name": "reference.parquet", "n_rows": 4000, "sha256": "04726a8d" * 8, "as_of": None},
        {
            "name": "2013-01-07T00:00:00Z",
            "n_rows": 480,
            "sha256": "dd5c2b4f" * 8,
            "as_of": "2013-01-14T00:00:00+00:00",
        },
    ],
    "rows": {"training": 4000, "holdout": 480},
    "training": {"from": "2012-10-01 00:00:00+00:00", "until": "2013-01-06 23:57:00+00:00"},
    "holdout": {"from": "2013-01-07 00:02:00+00:00", "until": "2013-01-13 23:55:00+00:00"},
    "trials": [
        {**TRIED, **DROPPED, "won": False, "score": None},
        {**TRIED, "won": True, "status": "finished", "score": 0.6977},
    ],
    "winner": RECIPE["name"],
    "challenger_recipe": RECIPE["name"],
    "recipe": RECIPE,
    "look": 2,
    "comparison": {
        "metric": "roc_auc",
        "passed": True,
        "champion": 0.672,
        "challenger": 0.703,
        "gain": 0.031,
        "standard_error": 0.0062,
        "lower_bound": 0.0097,
        "confidence": 0.9971951,
        "minimum_gain": 0.0,
        "n_blocks": 14,
        "unit": "days",
        "n_rows": 952,
    },
    "segments": [
        {
            "column": "carrier",
            "level": "UA",
            "n_rows": 240,
            "gain": -0.0031,
            "standard_error": 0.004,
            "p": 0.22,
        }
    ],
    "notes": {"left_out": {"tail": "names the row"}, "leakage": [], "calibration": "calibrated"},
}
"""What a run has noted of itself, in the shape of a real one."""


def week(number: int) -> tuple[datetime, datetime]:
    start = MONDAY + number * WEEK
    return start, start + WEEK


def words(html: str) -> str:
    """Return the text of a document; cells of a table stand apart."""
    apart = re.sub(r"</t[dh]>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", apart)).split())


def scored(
    drifted: Sequence[str], missing: Sequence[str], auc: float | None, failure: str | None
) -> list[Score]:
    """Score all columns and a metric; of the columns named the first is the furthest off."""
    beyond = {name: 0.31 - 0.05 * rank for rank, name in enumerate(drifted)}
    above, below, numeric = BreachWhen.ABOVE, BreachWhen.BELOW, Kind.NUMERIC
    scores: list[Score] = []
    for name in dict.fromkeys((*COLUMNS, *drifted, *missing)):
        moved, share = beyond.get(name, 0.02), 0.98 if name in missing else 0.0
        scores += [
            Score(Check.DRIFT, name, "wasserstein", moved, 0.1, above, 4000, 480, numeric),
            Score(Check.QUALITY, name, "missing", share, 0.1, above, 4000, 480, numeric, None, 0.0),
        ]
    if auc is not None:
        reached = {"roc_auc": Estimate(auc, 0.006, 470)}
        scores += performance_scores(reached, REFERENCE, POLICY.performance)
    if failure is not None:
        none = Score(Check.PERFORMANCE, None, "roc_auc", None, None, below, 0, 480)
        scores.append(replace(none, detail=failure, failed=True))
    return scores


@dataclass(frozen=True)
class Deployed:
    """A database with models, filled as the cycle and the worker fill it."""

    engine: Engine
    folder: Path

    @property
    def store(self) -> SqlStore:
        return SqlStore(self.engine)

    @property
    def registry(self) -> SqlRegistry:
        return SqlRegistry(self.engine, self.folder)

    @property
    def runs(self) -> SqlRuns:
        return SqlRuns(self.engine)

    @property
    def shadows(self) -> SqlShadows:
        return SqlShadows(self.engine)

    def app(self) -> FastAPI:
        """Mount the pages as the whole application does."""
        history = History(self.engine)
        policies = {one["model"]: PerformancePolicy("roc_auc") for one in history.models()}
        app = FastAPI()
        problems.install(app)
        app.include_router(
            routes(
                PageServices(
                    *(history, self.registry, self.runs, self.shadows, policies),
                    lambda _model: "",
                    RUNBOOKS,
                )
            )
        )
        return app

    def show(self, path: str) -> Response:
        """Ask for a page."""
        answer: Response = TestClient(self.app()).get(path)
        return answer

    def said(self, path: str = "/") -> str:
        """Return what a person reads on a page."""
        return words(self.show(path).text)

    def lead(self, path: str = "/") -> str:
        """Return the first sentence of a page about a model."""
        found = re.search(r'<p class="lead">(.*?)</p>', self.show(path).text, re.DOTALL)
        assert found is not None
        return words(found[1])

    def recorded(self) -> Sequence[dict[str, Any]]:
        """Return the windows of the first model, as the history has them."""
        history = History(self.engine)
        return history.windows(history.models()[0]["model"])

    def model(self, name: str) -> str:
        """Register a model and its version 1."""
        self.store.register(name, MONDAY)
        self.version(name, MONDAY, "first version")
        return name

    def version(self, name: str, at: datetime, why: str, run: int | None = None) -> int:
        schema = Schema(Task.REGRESSION, {"temp": Kind.NUMERIC}, "late")
        rows = TableColumns(pa.table({"temp": [1.0, 2.0, 3.0]}))
        reference = prepare(rows, schema, performance=REFERENCE)
        lineage = Lineage(why, None, run, 4000, None, at, "0" * 64, 0, {})
        recipe = asdict(recipes(["hist_gradient_boosting"], Task.REGRESSION)[0])
        number = self.registry.register(
            Bundle(name, reference, None, recipe, REFERENCE, lineage), at
        )
        self.registry.promote(name, number, at, why)
        return number

    def judge(
        self,
        model: str,
        number: int,
        *,
        drifted: Sequence[str] = (),
        missing: Sequence[str] = (),
        auc: float | None = None,
        failure: str | None = None,
        n_rows: int = 480,
        n_labels: int | None = None,
        revision: int = 1,
        by_rows: bool = False,
        more: Sequence[Score] = (),
        change: Change | None = None,
    ) -> str:
        """Record the cycle of a week; its scores are made up, all that follows is real."""
        start, end = week(number)
        window = Window(start, end, (number * 500, number * 500 + 500) if by_rows else None)
        labels = 0 if auc is None and failure is None else n_rows - 10
        counts = Counts(n_rows, labels if n_labels is None else n_labels)
        scores = [*scored(drifted, missing, auc, failure), *more]
        basis = Basis(n_rows, enough_rows=100, provisional=counts.maturity < MATURE)
        verdict = judge(scores, basis, POLICY, target="late")
        champion, now = self.registry.champion(model), end + timedelta(hours=6 + revision)
        judged = Judged(window, revision, champion, verdict, diagnose(verdict, change=change))
        standing = self.store.standing(model, since=MONDAY)
        decision = decide(judged, ModelState(champion, **vars(standing)), ON_BREACHES, now)
        record = CycleRecord(model, judged, counts, decision, (), now, 0.4)
        assert self.store.record(record, ["log"])
        return window.key

    def retrain(self, model: str, at: datetime, outcome: Outcome, reason: str) -> None:
        """Carry out what is asked for, or a person's request, to an outcome made by hand."""
        if not self.runs.open_requests(model):
            self.runs.ask(model, RequestKind.RETRAIN, "by hand", "asked for by a person", at)
        request = self.runs.claim(RequestKind.RETRAIN, "worker", at)
        assert request is not None
        run = self.runs.start(request, self.registry.champion(model), at)
        details: dict[str, object] = dict(KNOWN)
        if outcome is Outcome.PROMOTED:
            details |= {"version": self.version(model, at, request.why, run)}
        self.runs.finish(Ended(run, outcome, reason, details), at + timedelta(minutes=7))

    def trial(self, model: str, at: datetime, reason: str) -> None:
        """Carry out a trial that opens no run."""
        self.runs.ask(model, RequestKind.TRIAL, "gain", "would a run pay?", at)
        request = self.runs.claim(RequestKind.TRIAL, "worker", at)
        assert request is not None
        shown = Shown(pays=False, n_fits=0, reason=reason, details={})
        self.runs.tried(request, self.registry.champion(model), shown, at)

    def year(self, model: str, n_weeks: int = 44) -> None:
        """Record a year as it may be: calm, a warning, drift and a promotion, a broken feed."""
        self.model(model)
        wave = (0, 4, 1, -3, 2, -1, 3, -4)
        for number in range(n_weeks):
            turn, auc = number % 44, 0.703 + 0.002 * wave[number % 8]
            drifted: Sequence[str] = ("hour",) if turn in (6, 7, 12) else ()
            if 18 <= turn <= 20:
                drifted, auc = ("dewp", "temp", "humid", "wind"), auc - 0.03 - 0.02 * (turn - 18)
            self.judge(
                model,
                number,
                drifted=drifted,
                missing=("humid",) if turn == 30 else (),
                auc=auc,
                n_rows=20 if turn == 35 else 480,
            )
            if self.runs.open_requests(model):
                promoted = "+0.031 ROC AUC on 952 rows, better in 97 % of resamples"
                refused = "no better than the champion: +0.002 ROC AUC"
                outcome = Outcome.REFUSED if turn == 18 else Outcome.PROMOTED
                at = week(number)[1] + timedelta(hours=8)
                self.retrain(model, at, outcome, refused if turn == 18 else promoted)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    engine = open_database(tmp_path / "state.db")
    upgrade(engine)
    yield Deployed(engine, tmp_path / "models")
    engine.dispose()
