"""A feature that seems to know the label raises an alarm; one that only helps does not."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from monitor.schema import Kind, Schema, Task
from retrain.bundle import Notes
from retrain.candidates import fit, recipes
from retrain.dataset import from_table
from retrain.leakage import leakage
from retrain.noticed import noticed, warned

NUMBERS = ("a", "b", "c", "d", "e")
KINDS = {**dict.fromkeys(NUMBERS, Kind.NUMERIC), "it": Kind.NUMERIC, "shop": Kind.CATEGORICAL}
CLASSES = {Task.BINARY: ("0", "1"), Task.MULTICLASS: ("0", "1", "2"), Task.REGRESSION: ()}
N_ROWS = 1500


def alarms(task, leak, *, by_it=0.0, algorithm="logistic", kinds=KINDS, n_rows=N_ROWS):
    """Return the alarms of a model, where `leak` makes the feature `it` (or `shop`) of the label."""
    rng = np.random.default_rng(0)
    numbers = dict(zip(NUMBERS, rng.normal(size=(len(NUMBERS), n_rows)), strict=True))
    numbers["it"] = rng.normal(size=n_rows)
    score = (
        sum(numbers[name] for name in NUMBERS) + by_it * numbers["it"] + rng.logistic(size=n_rows)
    )
    label = {
        Task.BINARY: np.where(score > 0, "1", "0"),
        Task.MULTICLASS: np.digitize(score, [-1, 1]).astype(str),
        Task.REGRESSION: score,
    }[task]
    columns = {**numbers, "shop": rng.choice(["north", "south"], n_rows), **leak(label, rng)}
    schema = Schema(task, {name: KINDS[name] for name in kinds}, "y", classes=CLASSES[task])
    rows = from_table(pa.table({**columns, "y": label}), schema, "y")
    recipe = recipes([algorithm], task)[0]
    model = fit(recipe, rows, schema, window=n_rows, seed=0)
    return leakage(model, rows, schema, seed=0)


def honest(_label, _rng):
    return {}


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("algorithm", ["logistic", "hist_gradient_boosting"])
def test_features_that_only_help_raise_no_alarm(task, algorithm):
    assert alarms(task, honest, by_it=2.0, algorithm=algorithm) == ()


@pytest.mark.parametrize("task", Task)
def test_a_number_that_tells_the_label_alone_raises_an_alarm(task):
    def leak(label, rng) -> dict[str, np.ndarray]:
        return {"it": label.astype(float) + rng.normal(0, 0.01, len(label))}

    found = alarms(task, leak)
    score = "R²" if task is Task.REGRESSION else "ROC AUC"
    assert found[0].startswith(f"'it' alone tells the label ({score} ")
    assert not any("'a'" in one for one in found)


def test_a_number_that_is_missing_with_one_class_only_raises_an_alarm():
    found = alarms(
        Task.BINARY,
        lambda label, rng: {"it": np.where(label == "1", np.nan, rng.normal(size=N_ROWS))},
    )
    assert "'it' alone" in found[0]


def test_levels_that_tell_the_label_alone_raise_an_alarm():
    def leak(label, rng) -> dict[str, np.ndarray]:
        return {
            "shop": np.char.add(
                np.where(label == "1", "open ", "shut "), rng.choice(["a", "b"], N_ROWS)
            )
        }

    assert "'shop' alone" in alarms(Task.BINARY, leak)[0]


def test_a_feature_that_bears_most_of_what_a_model_knows_raises_an_alarm():
    (found,) = alarms(Task.REGRESSION, honest, by_it=25.0)
    assert found.startswith("'it' bears ")
    assert alarms(Task.REGRESSION, honest, by_it=10.0) == ()  # it bears most, and honestly


def test_of_few_features_one_may_bear_most():
    kinds = ("it", "a", "shop")
    assert alarms(Task.REGRESSION, honest, by_it=25.0, kinds=kinds) == ()


def test_few_rows_tell_nothing():
    assert alarms(Task.BINARY, lambda label, _rng: {"it": label.astype(float)}, n_rows=150) == ()


def test_a_label_of_one_class_in_half_of_the_rows_is_no_error():
    rng = np.random.default_rng(0)
    label = np.where(np.arange(400) % 2, "1", "0")
    schema = Schema(Task.BINARY, {"a": Kind.NUMERIC}, "y", classes=("0", "1"))
    rows = from_table(pa.table({"a": rng.normal(size=400), "y": label}), schema, "y")
    model = fit(recipes(["tree"], Task.BINARY)[0], rows, schema, window=400, seed=0)
    assert leakage(model, rows, schema, seed=0) == ()


def test_what_is_left_out_is_noted_and_an_alarm_is_told_with_the_reason():
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=400), "unit": ["km"] * 400, "y": rng.choice(["0", "1"], 400)}
    kinds = {"a": Kind.NUMERIC, "unit": Kind.CATEGORICAL}
    schema = Schema(Task.BINARY, kinds, "y", classes=("0", "1"))
    rows = from_table(pa.table(columns), schema, "y")
    recipe = recipes(["tree"], Task.BINARY)[0]
    model = fit(recipe, rows, schema, window=400, seed=0)
    notes = noticed(model, rows, recipe, schema, seed=0)
    assert notes == Notes({"unit": "it has one value"})
    assert warned("better", notes) == "better"
    alarm = warned("better", replace(notes, leakage=("'a' alone tells the label",)))
    assert alarm.startswith("better; leakage alarm: 'a' alone tells the label: is it known when")
