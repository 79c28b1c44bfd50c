"""Probabilities are calibrated where that surely helps, and nowhere else."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from monitor.schema import Kind, Schema, Task
from retrain.adapters.bundle_files import dump_model
from retrain.adapters.model_content import content_sha256
from retrain.calibrated import Calibration, binary_chances, class_chances, mapped
from retrain.calibration import calibration_trial
from retrain.candidates import fit, recipes
from retrain.dataset import Dataset, take
from retrain.evaluation import evaluate
from retrain.prediction import predict
from retrain.recipe import Recipe

BINARY = Schema(Task.BINARY, {"x": Kind.NUMERIC}, "y", classes=("no", "yes"))
OF_THREE = replace(BINARY, task=Task.MULTICLASS, classes=("a", "b", "c"))
HOUR = np.timedelta64(1, "h")


def dataset(x, target):
    event_at = np.datetime64("2026-01-01", "us") + np.arange(len(x)) * HOUR
    return Dataset(pd.DataFrame({"x": x}), np.asarray(target, dtype=object), event_at)


def drawn(n_rows=1500, *, seed=0):
    """Draw log-odds, and labels that come true as often as they say, in three folds."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n_rows) * 1.5
    came = rng.random(n_rows) < 1 / (1 + np.exp(-odds))
    return odds, dataset(odds, np.where(came, "yes", "no")), np.arange(n_rows) * 3 // n_rows


def told(odds):
    return binary_chances(1 / (1 + np.exp(-odds)))


def test_a_model_that_is_too_sure_is_calibrated_by_what_it_overdoes():
    odds, rows, folds = drawn()
    found = calibration_trial(rows, told(3 * odds + 1), folds, BINARY, "roc_auc")
    assert found.chosen.slope == pytest.approx(1 / 3, rel=0.15)
    assert found.chosen.intercept == pytest.approx(-1 / 3, abs=0.15)
    assert found.after < found.before
    assert found.n_rows == 1000
    assert found.reason == (
        f"calibrated: Brier score {found.after:.4g}, {found.before:.4g} without, on 1000 later rows"
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_model_that_says_how_sure_it_is_stays_as_it_is(seed):
    odds, rows, folds = drawn(seed=seed)
    found = calibration_trial(rows, told(odds), folds, BINARY, "roc_auc")
    assert found.chosen is None
    assert "does not surely help" in found.reason


def test_what_would_cost_the_metric_that_decides_is_left_alone():
    odds, rows, folds = drawn()
    # Who says yes too readily finds more of them: recall decides, and calibration would end it.
    assert "costs recall" in calibration_trial(rows, told(odds + 2), folds, BINARY, "recall").reason


def test_of_several_classes_the_likeliest_stays_the_likeliest():
    rng = np.random.default_rng(0)
    odds = rng.normal(size=(1500, 3)) * 1.5
    chances = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    came = (chances.cumsum(axis=1) < rng.random((1500, 1))).sum(axis=1)
    sure = np.exp(3 * odds) / np.exp(3 * odds).sum(axis=1, keepdims=True)
    rows = dataset(odds[:, 0], np.array(["a", "b", "c"])[came])
    found = calibration_trial(rows, sure, np.arange(1500) * 3 // 1500, OF_THREE, "accuracy")
    assert found.chosen.slope == pytest.approx(1 / 3, rel=0.15)
    assert (mapped(sure, found.chosen).argmax(axis=1) == sure.argmax(axis=1)).all()


def test_one_fold_or_few_rows_calibrate_nothing():
    odds, rows, folds = drawn()
    one = calibration_trial(rows, told(3 * odds), folds * 0, BINARY, "roc_auc")
    assert (one.chosen, one.before) == (None, None)
    few = slice(0, 150)
    made = calibration_trial(take(rows, few), told(3 * odds)[few], folds[::10], BINARY, "roc_auc")
    assert made.chosen is None


def test_the_map_is_that_of_scikit_learn():
    odds, rows, _ = drawn(4000)
    came = (rows.target == "yes").astype(int)
    model = LogisticRegression().fit(odds[:, None], came ^ (np.arange(4000) % 3 == 0))
    theirs = CalibratedClassifierCV(FrozenEstimator(model)).fit(odds[:, None], came)
    chances = model.predict_proba(odds[:, None])
    ours = calibration_trial(rows, chances, np.arange(4000) // 2000, BINARY, "roc_auc").chosen
    expected = theirs.predict_proba(odds[:, None])
    # Platt's smoothed labels, and chances of 0 taken for one of 10 000, make little difference.
    assert mapped(chances, ours) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("classes", [("no", "yes"), ("yes", "no")])
def test_a_fitted_model_maps_the_chance_of_the_positive_class(classes):
    _, rows, _ = drawn(400)
    schema = replace(BINARY, classes=classes)
    recipe = recipes(["logistic"], Task.BINARY)[0]
    mapping = Calibration(0.5, 0.8)
    plain, made = (
        fit(one, rows, schema, window=len(rows), seed=0)
        for one in (recipe, replace(recipe, calibration=mapping))
    )
    before = predict(plain, rows.features, schema)
    expected = mapped(binary_chances(before), mapping)[:, 1]
    assert predict(made, rows.features, schema) == pytest.approx(expected)
    assert evaluate(rows.target, expected, np.zeros(400), schema)["roc_auc"].overall.value > 0.8


def test_a_calibrated_recipe_out_of_its_record_makes_the_same_model_bit_for_bit():
    _, rows, _ = drawn(400)
    recipe = replace(recipes(["tree"], Task.BINARY)[0], calibration=Calibration(0.1 + 0.2, 1 / 3))
    again = Recipe.from_document(json.loads(json.dumps(asdict(recipe))))
    digests = {
        content_sha256(dump_model(fit(one, rows, BINARY, window=len(rows), seed=0)))
        for one in (recipe, again)
    }
    other = replace(recipe, calibration=Calibration(0.3))
    changed = content_sha256(dump_model(fit(other, rows, BINARY, window=len(rows), seed=0)))
    assert len(digests) == 1
    assert changed not in digests


def test_the_brier_score_is_that_of_scikit_learn():
    odds, rows, folds = drawn()
    chances = told(3 * odds)
    found = calibration_trial(rows, chances, folds, BINARY, "roc_auc")
    newer = folds > 0
    theirs = brier_score_loss(rows.target[newer].astype(str), chances[newer, 1], pos_label="yes")
    assert found.before == pytest.approx(theirs)


def test_a_class_that_a_model_has_never_seen_has_no_chance():
    features = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    model = LogisticRegression().fit(features, ["a", "c", "c"])
    made = class_chances(model, features, ("a", "b", "c"))
    assert made.shape == (3, 3)
    assert (made[:, 1] == 0).all()


@pytest.mark.parametrize("kind", [int, float])
def test_a_model_from_elsewhere_may_know_its_classes_as_numbers(kind):
    schema = replace(OF_THREE, classes=("0", "1", "2"))
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"x": rng.normal(size=300)})
    known = np.digitize(features["x"], [-0.5, 0.5]).astype(kind)
    model = LogisticRegression().fit(features, known)
    made = predict(model, features, schema)
    assert set(made) == {"0", "1", "2"}
    assert list(made) == [str(int(one)) for one in model.predict(features)]
    assert class_chances(model, features, schema.classes) == pytest.approx(
        model.predict_proba(features)
    )
