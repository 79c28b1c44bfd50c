"""Settings become the policies that the watch and the retraining go by."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leeway.config import ModelConfig
from leeway.policies import retrained, watched
from monitor.action import Trigger
from monitor.checks.calibrated import AlertBudget
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy
from monitor.checks.quality import QualityPolicy
from monitor.decision import RetrainPolicy
from monitor.errors import ConfigError
from monitor.schema import Kind, Schema, Task
from monitor.window import LabelPolicy, WindowPolicy

DAY = timedelta(days=1)
SCHEMA = Schema(Task.REGRESSION, {"x": Kind.NUMERIC}, "y")


def configured(**more: object):
    plain = {"reference": Path("ref.parquet"), "columns": {"target": "y"}}
    return ModelConfig.model_validate({**plain, **more})


def test_every_setting_of_the_watch_reaches_its_policy():
    found = watched(
        "late",
        configured(
            window={
                "every": "PT6H",
                "lateness": "PT30M",
                "anchor": "2013-01-01T06:00:00Z",
                "min_rows": 50,
            },
            drift={"methods": {"x": "psi"}, "thresholds": {"x": 0.2}, "share_drifted": 0.3},
            quality={"null_jump": 0.2, "unseen": 0.4, "out_of_range": 0.1, "schema_change": 0.5},
            performance={"metric": "rmse", "max_drop": 0.1},
            labels={"horizon": "P30D", "mature": 0.8},
            retrain={
                "when": ["drift"],
                "every": "P14D",
                "cooldown": "P1D",
                "min_labels": 100,
                "new_rows": 5000,
            },
        ),
        SCHEMA,
    )
    anchor = datetime(2013, 1, 1, 6, tzinfo=UTC)
    assert found.verdict.window == WindowPolicy(
        timedelta(hours=6), None, timedelta(minutes=30), anchor, 50
    )
    assert found.verdict.labels == LabelPolicy(30 * DAY, 0.8)
    assert found.verdict.drift == DriftPolicy({"x": "psi"}, {"x": 0.2}, 0.3, budget=None)
    assert found.verdict.performance == PerformancePolicy("rmse", 0.1)
    assert found.quality == QualityPolicy(0.2, 0.4, 0.1, 0.5)
    assert found.retrain == RetrainPolicy(frozenset({Trigger.DRIFT}), 14 * DAY, DAY, 100, 5000)
    assert found.name == "late"


def budget(**drift: object):
    window = drift.pop("window", {"every": "P7D"})
    return watched("late", configured(drift=drift, window=window), SCHEMA).verdict.drift.budget


def test_a_budget_is_counted_in_time_and_for_windows_by_count_in_windows():
    assert budget() == AlertBudget(1, 30 * DAY, 0.02)
    assert budget(window={"rows": 500}) == AlertBudget(1, 50, 0.02)
    asked = {"alerts": 2, "per": "P7D"}
    assert budget(alert_budget=asked, materiality=0.1) == AlertBudget(2, 7 * DAY, 0.1)
    assert budget(alert_budget={"per": 20}, window={"rows": 500}) == AlertBudget(1, 20, 0.02)
    with pytest.raises(ConfigError, match="windows by count have no time"):
        budget(alert_budget={"per": "P7D"}, window={"rows": 500})


def test_limits_set_by_hand_judge_unless_a_budget_is_asked_for_too():
    assert budget(alert_budget="off") is None
    assert budget(thresholds={"x": 0.2}) is None
    assert budget(share_drifted=0.3) is None
    assert budget(methods={"x": "psi"}) == AlertBudget()
    assert budget(thresholds={"x": 0.2}, alert_budget={}) == AlertBudget()


def test_every_setting_of_a_run_reaches_its_policy():
    retrain = {
        "budget": "PT5M",
        "max_fits": 40,
        "candidates": ["tree"],
        "preprocess": {"missing": ["median"], "outliers": ["clip"]},
        "minimum_gain": 0.01,
        "cost": 250,
        "approval": True,
        "seed": 3,
    }
    model = configured(
        window={"rows": 300, "anchor": "2013-01-01T06:00:00Z"},
        performance={"metric": "rmse", "segments": ["x"]},
        retrain=retrain,
    )
    found = retrained("late", model, replace(SCHEMA, features={"x": Kind.CATEGORICAL}))
    assert found.name == "late"
    assert (found.minimum_gain, found.cost, found.approval, found.seed) == (0.01, 250, True, 3)
    assert found.segments == ("x",)
    assert found.anchor == datetime(2013, 1, 1, 6, tzinfo=UTC)
    search = found.search
    assert (search.metric, search.window) == ("rmse", 300)
    assert (search.algorithms, search.max_fits) == (("tree",), 40)
    assert search.budget == timedelta(minutes=5)
    assert (search.allowed.missing, search.allowed.outliers) == (("median",), ("clip",))


def test_defaults_of_the_file_are_those_of_the_policies_they_become():
    found = watched("late", configured(), Schema(Task.BINARY, {}, "y", classes=("0", "1")))
    assert found.verdict.window == WindowPolicy(every=7 * DAY)
    assert found.verdict.labels == LabelPolicy()
    assert found.verdict.drift == DriftPolicy()
    assert found.verdict.performance == PerformancePolicy("roc_auc")
    assert found.quality == QualityPolicy()
    assert found.retrain == RetrainPolicy()


@pytest.mark.parametrize(
    ("task", "metric"),
    [(Task.BINARY, "roc_auc"), (Task.MULTICLASS, "accuracy"), (Task.REGRESSION, "mae")],
)
def test_the_metric_that_decides_follows_from_the_task(task, metric):
    schema = Schema(task, {}, "y")
    assert watched("late", configured(), schema).verdict.performance.metric == metric
    assert retrained("late", configured(), schema).search.metric == metric
