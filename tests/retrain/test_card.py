"""A version's card says what it is, of what it was made and how good it is."""

from dataclasses import replace

import pytest

from monitor.reference import Estimate
from monitor.schema import Kind, Schema, Task
from retrain.bundle import Notes
from retrain.card import card


@pytest.fixture
def bundle(app):
    """The bundle of a trained version."""
    return app.deployment.registry.load("late", 1)


def noted(bundle, **notes: object):
    return replace(bundle, lineage=replace(bundle.lineage, notes=Notes(**notes)))


def test_a_card_tells_what_how_of_which_rows_and_how_good(bundle):
    text, lineage = card(bundle), bundle.lineage
    since, until = lineage.trained_from, lineage.trained_until
    for line in (
        "# late",
        "Predicts how likely `late` is `1`.",
        "- why: first version",
        "- recipe: logistic (`logistic`)",
        "- params: l2 10.0",
        "- preprocessing: missing median, outliers clip, scaling standard, encoding one_hot",
        "- learned from all rows",
        f"- rows: 1120, SHA-256 {bundle.lineage.data_sha256}",
        f"- from {since.isoformat()} until {until.isoformat()}",
        "- `g`: categorical",
        f"- scikit-learn {bundle.lineage.versions['scikit-learn']}",
        f"- probabilities: {bundle.lineage.notes.calibration}",
    ):
        assert f"{line}\n" in text
    reached = bundle.gate["roc_auc"]
    margin = f"{1.96 * reached.standard_error:.2g}"
    assert f"- ROC AUC: {reached.value:.4g} ± {margin} ({reached.n} rows)\n" in text


def test_what_was_noticed_is_on_the_card(bundle):
    text = card(noted(bundle, left_out={"u": "it has one value"}, leakage=("'x' alone tells",)))
    assert "- `u` is left out: it has one value\n" in text
    assert "- leakage alarm: 'x' alone tells: is it known when a prediction is made?\n" in text
    text = card(noted(bundle, odd_windows={"2026-01-05 00:00": ["x", "g"]}))
    odd = "- `x`, `g`: drift is judged without the reference window of 2026-01-05 00:00"
    assert f"{odd}: it stands out\n" in text


@pytest.mark.parametrize(
    ("task", "classes", "said"),
    [
        (Task.REGRESSION, (), "Predicts the number `y`."),
        (Task.MULTICLASS, ("a", "b", "c"), "Predicts `y`: `a`, `b`, `c`."),
    ],
)
def test_every_task_has_a_card(bundle, task, classes, said):
    schema = Schema(task, {"x": Kind.NUMERIC}, "y", classes=classes)
    made = replace(bundle, reference=replace(bundle.reference, schema=schema), recipe={}, gate={})
    text = card(made)
    assert said in text
    assert "- elsewhere: Leeway has no recipe of it" in text
    assert ("probabilities" in text) == (task is Task.MULTICLASS)


def test_a_range_weights_and_calibration_are_told(bundle):
    recipe = {**bundle.recipe, "training_range": 8, "fading": True}
    recipe["calibration"] = {"slope": 0.5, "intercept": -0.25}
    told = card(replace(bundle, recipe=recipe, lineage=replace(bundle.lineage, parent=1, run=3)))
    assert (
        "- learned from the newest 8 windows, each weighing 1 / (1 + its age in windows / 4)"
        in told
    )
    assert "- in place of version 1, by run 3" in told
    assert "- log-odds of its probabilities: 0.5 times the model's, -0.25\n" in told


def test_no_name_makes_a_heading_of_its_own(bundle):
    evil = Schema(Task.BINARY, {"x\n# y`": Kind.NUMERIC}, "y", classes=("no", "yes"))
    gate = {"accuracy": Estimate(0.5, 0.1, 10)}
    text = card(replace(bundle, reference=replace(bundle.reference, schema=evil), gate=gate))
    assert "- `x # y'`: numeric\n" in text


def test_the_api_and_the_bundle_have_the_card(app, bundle):
    with app.http() as http:
        answer = http.get("/v1/models/late/versions/1/card")
        missing = http.get("/v1/models/late/versions/9/card")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text == card(bundle)
    file = app.deployment.registry.model_file("late", 1).path.with_name("card.md")
    assert file.read_text(encoding="utf-8") == answer.text
    assert missing.status_code == 404
