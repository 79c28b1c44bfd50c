"""Cycles that estimate several classes: from the chances in the log, or from the classes alone."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leeway.policies import retrained
from monitor import intake
from monitor.adapters.history import History
from monitor.adapters.reference_files import open_reference, save_reference
from monitor.batch import CHANCES
from monitor.body import Body
from monitor.checks.estimate import Current, as_numbers, estimate
from monitor.checks.fall import PerformancePolicy
from monitor.checks.performance import performance
from monitor.checks.score import Check
from monitor.checks.unlabelled import estimate_score
from monitor.columns import TableColumns
from monitor.sample import encode
from monitor.window import Window
from retrain.adapters.labelled_rows import labelled_reference, read_table
from retrain.foreign import foreign_version

N_REFERENCE = 12
NAMES = np.array(["early", "late", "on time"])


def of_classes(frame, *, noise=1.0, seed=0):
    """Make three classes of made-up rows, which x tells the better the less noise there is."""
    rng = np.random.default_rng(seed)
    places = np.digitize(frame["x"] + noise * rng.normal(size=len(frame)), [-1.2, 0.8])
    return frame.assign(late=NAMES[[0, 2, 1]][places])


@dataclass
class Weeks:
    """Lives through weeks of a model of three classes."""

    app: object
    made_up: object
    week_start: object

    def live(self, number, *, with_chances=True, **how: float):
        """Log a week's predictions without labels, end it, and judge it."""
        rows = of_classes(self.made_up(number), seed=number + 1, **how)
        self.app.clock.set(self.week_start(number + 1))
        features = rows.drop(columns="late")
        if with_chances:
            self.app.predict(features, f"week {number}")
        else:
            self.log(features.assign(prediction=self.said(features)), number)
        (judged,) = self.app.deployment.watcher().check("late")
        return rows, judged

    def said(self, features):
        served = self.app.serving.champion("late")
        return served.predict(pa.Table.from_pandas(features)).to_pylist()

    def log(self, rows, number):
        """Log rows as someone does who serves the model elsewhere."""
        body = Body({one: pa.chunked_array([pa.array(rows[one])]) for one in rows}, len(rows))
        request = intake.Request("late", f"week {number}", "digest", self.app.clock.now(), 1)
        batches = intake.predictions(
            body, self.app.deployment.schema("late"), request, predict=None
        )
        self.app.deployment.log.append(batches).result(60)

    def rows(self, number):
        """Read what the log has of a week."""
        schema = self.app.deployment.champion("late").reference.schema
        week = Window(self.week_start(number), self.week_start(number + 1))
        names = [*schema.features, schema.prediction, CHANCES]
        return self.app.deployment.log.read("late", week, names)


@pytest.fixture
def metric(request):
    """The metric that decides; a test may ask for another one."""
    return getattr(request, "param", "f1")


@pytest.fixture
def weeks(new_home, learned, made_up, week_start, metric):
    text = learned.config.read_text().replace("binary", "multiclass")
    text = text.replace("retrain:", f"performance: {{metric: {metric}}}\n    retrain:")
    new_home.config.write_text(text)
    reference = of_classes(made_up(-N_REFERENCE, N_REFERENCE))
    reference.to_parquet(new_home.folder / "reference.parquet")
    new_home.clock.set(week_start(0))
    with new_home.opened() as app:
        yield Weeks(app, made_up, week_start)


def estimate_of(judged):
    (score,) = (s for s in judged.verdict.scores if s.check is Check.ESTIMATE)
    return score


@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall", "f1"], indirect=True)
def test_every_metric_is_estimated_from_logged_chances_beside_what_is_measured(weeks, metric):
    rows, judged = weeks.live(0)
    told = estimate_of(judged)
    assert judged.verdict.checks[Check.ESTIMATE] == "OK"
    weeks.app.label(rows, "labels")
    weeks.app.deployment.watcher().check("late")
    history = History(weeks.app.deployment.engine)
    windows, found = history.windows("late"), history.track_record("late")
    real = performance(
        rows["late"].to_numpy(object),
        np.array(weeks.said(rows.drop(columns="late")), dtype=object),
        weeks.app.deployment.schema("late"),
    )[metric]
    assert windows[0]["estimate"]["value"] == told.value
    assert windows[0]["metrics"][metric] == pytest.approx(real.value)
    assert (found.n_windows, found.n_inside) == (1, 1)
    assert found.mean_absolute_error == pytest.approx(abs(told.value - real.value))
    assert 0.5 * real.standard_error < told.standard_error < 4 * real.standard_error


def of_classes_alone(rows, reference):
    """Estimate the accuracy of rows as that of a model that says no chances."""
    said = as_numbers(rows["prediction"].to_numpy(), reference.schema, are_labels=False)
    features = encode(TableColumns(rows), reference.sample.levels, np.arange(len(rows)))
    current = Current(features, said)
    return estimate(reference.sample.without_chances(), current, reference.schema, "accuracy")


@pytest.mark.parametrize("metric", ["accuracy"], indirect=True)
def test_rows_that_were_logged_with_classes_alone_have_their_accuracy_estimated(weeks):
    _, judged = weeks.live(0, with_chances=False)
    told, reference = estimate_of(judged), weeks.app.deployment.champion("late").reference
    alone = of_classes_alone(weeks.rows(0), reference)
    assert told.value == pytest.approx(alone.value)
    scale = reference.back_test.classes_alone.scale
    assert told.standard_error == pytest.approx(alone.standard_error * scale)
    assert len(reference.back_test.classes_alone.errors) == N_REFERENCE


@pytest.mark.parametrize("metric", ["accuracy"], indirect=True)
def test_one_row_without_chances_makes_an_estimate_of_classes_alone(weeks):
    weeks.live(0)
    rows, reference = weeks.rows(0), weeks.app.deployment.champion("late").reference
    given = rows[CHANCES].to_pylist()
    place = rows.column_names.index(CHANCES)
    holed = rows.set_column(place, CHANCES, pa.array([None, *given[1:]], pa.list_(pa.float64())))
    policy, alone = PerformancePolicy("accuracy"), of_classes_alone(rows, reference)
    assert estimate_score(holed, reference, 1, policy).value == pytest.approx(alone.value)
    assert estimate_score(rows, reference, 1, policy).value != pytest.approx(alone.value)


def test_other_metrics_of_rows_with_classes_alone_say_what_is_missing(weeks):
    _, judged = weeks.live(0, with_chances=False)
    assert judged.verdict.checks[Check.ESTIMATE] == "NO_DATA"
    assert estimate_of(judged).detail == (
        "not estimated: F1 of several classes needs how likely each was, which not all of these "
        "rows were logged with"
    )


def test_a_reference_of_classes_alone_says_what_is_missing(new_home, learned, made_up, week_start):
    """The model is served elsewhere, and its reference has predictions without chances."""
    text = learned.config.read_text().replace("binary", "multiclass")
    text = text.replace("target: late,", "target: late, prediction: said,")
    new_home.config.write_text(text.replace("retrain:", "performance: {metric: f1}\n    retrain:"))
    reference = of_classes(made_up(-N_REFERENCE, N_REFERENCE))
    reference.assign(said=reference["late"].to_numpy()[::-1]).to_parquet(
        new_home.folder / "reference.parquet"
    )
    new_home.clock.set(week_start(0))
    with new_home.opened() as app:
        reference = app.deployment.champion("late").reference
    assert reference.sample.outcomes.chances is None
    assert reference.back_test.against("f1") == (
        "fewer than 8 of 12 reference windows could be back-tested: F1 of several classes needs "
        "how likely each was, which the reference does not have"
    )


def test_inputs_that_moved_are_told_before_labels_come(weeks):
    """Where x is small nearly all are on time, and the rare classes are told badly."""
    rows = pd.concat(of_classes(weeks.made_up(number), seed=number) for number in range(8))
    near = rows[rows["x"].abs() < 1].head(600)
    weeks.app.clock.set(weeks.week_start(8))
    served = weeks.app.serving.champion("late")
    reference = served.bundle.reference
    made = served.columns(pa.Table.from_pandas(near))
    logged = pa.table({"x": near["x"], "y": near["y"], "g": near["g"], "_model_version": [1] * 600})
    for name, column in made.items():
        logged = logged.append_column(name, column)
    found = estimate_score(logged, reference, 1, PerformancePolicy("f1"))
    real = performance(
        near["late"].to_numpy(object), logged["prediction"].to_numpy(), served.schema
    )
    before = reference.performance["f1"].value
    assert abs(found.value - real["f1"].value) < 1.96 * found.standard_error
    assert abs(found.value - real["f1"].value) < 0.5 * abs(before - real["f1"].value)


def test_chances_are_kept_with_a_version_and_older_versions_have_none(weeks, tmp_path):
    bundle = weeks.app.deployment.registry.load("late", 1)
    kept = open_reference(json.loads(json.dumps(record(bundle.reference, tmp_path))), tmp_path)
    told = bundle.reference.sample.outcomes.chances
    assert told.shape == (bundle.reference.sample.n_rows, 3)
    assert kept.sample.outcomes.chances.tolist() == told.tolist()
    assert kept.back_test == bundle.reference.back_test
    older = replace(bundle.reference, sample=bundle.reference.sample.without_chances())
    (tmp_path / "older").mkdir()
    document = record(older, tmp_path / "older")
    del document["back_test"]["classes_alone"]
    old = open_reference(json.loads(json.dumps(document)), tmp_path / "older")
    assert old.sample.outcomes.chances is None
    assert old.sample.features.tolist() == kept.sample.features.tolist()
    assert old.back_test == replace(kept.back_test, classes_alone=None)


def record(reference, folder):
    """Save a reference without its times, which JSON has not."""
    return save_reference(replace(reference, start=None, end=None, calibration=None), folder)


def test_a_model_of_others_brings_its_chances_with_it(weeks):
    deployment = weeks.app.deployment
    bundle, one = deployment.registry.load("late", 1), deployment.config.models["late"]
    schema = bundle.reference.schema
    rows = labelled_reference(read_table(one.reference), schema)
    model = retrained("late", one, schema)
    made = foreign_version(bundle.pipeline, rows, model, before=bundle.reference, why="brought")
    outcomes = made.reference.sample.outcomes
    assert outcomes.chances.sum(axis=1) == pytest.approx(1)
    assert outcomes.chances.argmax(axis=1).tolist() == outcomes.predictions.tolist()
    assert made.reference.back_test.against("f1") == ""
