"""Importance: what a model would miss of each column."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from monitor.schema import Kind, Schema, Task
from retrain import importance as module
from retrain.dataset import Dataset
from retrain.importance import permutation_importance

N_ROWS = 1200
KINDS = {"x": Kind.NUMERIC, "little": Kind.NUMERIC, "noise": Kind.NUMERIC, "g": Kind.CATEGORICAL}


def rows(task):
    rng = np.random.default_rng(0)
    x, little, noise = rng.normal(size=(3, N_ROWS))
    g = rng.choice(["a", "b", None], N_ROWS)
    score = 2 * x + 0.2 * little + 2 * (g == "a")
    target = {
        Task.REGRESSION: score + rng.normal(0, 0.3, N_ROWS),
        Task.BINARY: np.where(score > 1, "yes", "no").astype(object),
        Task.MULTICLASS: np.array(["a", "b", "c"], dtype=object)[np.digitize(score, [0, 2])],
    }[task]
    features = pd.DataFrame({"x": x, "little": little, "noise": noise, "g": g.astype(object)})
    at = np.datetime64("2026-01-05", "us") + np.arange(N_ROWS) * np.timedelta64(60_000_000, "us")
    return Dataset(features, target, at)


CLASSES = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("a", "b", "c"), Task.REGRESSION: ()}


def asked(task):
    schema, data = Schema(task, KINDS, "y", classes=CLASSES[task]), rows(task)
    of_levels = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["g"]), remainder="passthrough"
    )
    boosting = (
        HistGradientBoostingRegressor if task is Task.REGRESSION else HistGradientBoostingClassifier
    )
    pipeline = make_pipeline(of_levels, boosting(max_iter=30, random_state=0))
    pipeline.fit(data.features, data.target)
    return permutation_importance(pipeline, data, schema, 0)


@pytest.mark.parametrize("task", Task)
def test_a_column_that_decides_is_more_important_than_one_that_hardly_does(task):
    found = asked(task)
    assert set(found) == set(KINDS)
    assert min(found["x"], found["g"]) > 3 * max(found["little"], 0.01)
    assert abs(found["noise"]) < 0.2 * found["x"]


def test_many_columns_are_asked_in_several_calls_with_the_same_answer(monkeypatch):
    at_once = asked(Task.REGRESSION)
    monkeypatch.setattr(module, "VALUES_AT_ONCE", 2000)
    assert asked(Task.REGRESSION) == at_once
