"""Logged predictions are what the champion predicts of the logged features, or it is said."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from monitor.batch import LABEL, MODEL_VERSION
from monitor.schema import Kind, Schema, Task
from retrain.candidates import fit, recipes
from retrain.dataset import from_table
from retrain.prediction import predict
from retrain.skew import MAX_ROWS, skew_of
from retrain.version import with_logged

N_ROWS = 400
CLASSES = {Task.BINARY: ("a", "b"), Task.MULTICLASS: ("a", "b", "c"), Task.REGRESSION: ()}


@pytest.fixture(params=Task)
def served(app, request):
    """A champion, its schema, and rows that it has predicted as version 3."""
    task, rng = request.param, np.random.default_rng(0)
    schema = Schema(task, {"x": Kind.NUMERIC}, "y", classes=CLASSES[task])
    x = rng.normal(size=N_ROWS)
    target = x if task is Task.REGRESSION else rng.choice(schema.classes, N_ROWS)
    table = pa.table({"x": x, LABEL: target})
    model = fit(
        recipes(["tree"], task)[0], from_table(table, schema, LABEL), schema, window=N_ROWS, seed=0
    )
    made = predict(model, from_table(table, schema, LABEL).features, schema)
    logged = table.append_column("prediction", pa.array(made)).append_column(
        MODEL_VERSION, pa.array([3] * N_ROWS)
    )
    bundle = replace(app.deployment.registry.load("late", 1), pipeline=model)
    return bundle, schema, from_table(logged, with_logged(schema), LABEL)


def changed(rows, column, places, value):
    features = rows.features.copy()
    features.loc[places, column] = value
    return replace(rows, features=features)


def test_what_was_served_is_predicted_again(served):
    bundle, schema, rows = served
    found = skew_of(bundle, 3, rows, schema, tolerance=1e-6)
    assert (found.n_rows, found.n_off, found.largest, found.sentence) == (N_ROWS, 0, 0.0, "")


def test_logged_predictions_that_differ_are_counted(served):
    bundle, schema, rows = served
    other = "z" if schema.task is Task.MULTICLASS else 1e9
    found = skew_of(bundle, 3, changed(rows, "prediction", [0, 7], other), schema, tolerance=1e-6)
    assert (found.n_rows, found.n_off) == (N_ROWS, 2)
    assert found.largest == pytest.approx(1)
    assert found.sentence.startswith("2 of 400 logged predictions of the champion are not what its")


def test_other_versions_predictions_and_rows_without_one_say_nothing(served):
    bundle, schema, rows = served
    assert skew_of(bundle, 4, rows, schema, tolerance=1e-6).n_rows == 0
    few = changed(rows, "prediction", range(100), None)
    assert skew_of(bundle, 3, few, schema, tolerance=1e-6).n_rows == N_ROWS - 100
    assert skew_of(replace(bundle, pipeline=None), 3, rows, schema, tolerance=1e-6).n_rows == 0
    assert N_ROWS < MAX_ROWS
