"""What comes together in rows: seen where no column moves, and nothing else is taken for it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from monitor.checks.multivariate import ATTRIBUTION, multivariate_scores
from monitor.checks.score import Check
from monitor.dependence import Dependence, apart, dependence, places
from monitor.reference import Reference
from monitor.sample import Outcomes, Sample
from monitor.schema import Kind, Schema, Task

N_WINDOWS, WINDOW_ROWS = 13, 700
NAMES = ("x", "y", "z", "count", "level")
SCHEMA = Schema(
    Task.REGRESSION,
    {**dict.fromkeys(NAMES[:4], Kind.NUMERIC), "level": Kind.CATEGORICAL},
    "target",
    "p",
)
LEVELS = {**dict.fromkeys(NAMES[:4]), "level": ("a", "b", "c"), "p": None}


def rows(n_rows, seed, *, together=0.0, shift=0.0):
    """Draw encoded rows; x and y belong together as far as is said, and everything shifts."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(n_rows, 5))
    found[:, 1] = together * found[:, 0] + np.sqrt(1 - together**2) * found[:, 1]
    found[:, 3] = rng.poisson(2 + shift, n_rows)
    found[:, 4] = rng.choice(3, n_rows, p=[0.5 - 0.2 * shift, 0.3 + 0.2 * shift, 0.2])
    found[:, :3] += shift
    return found


@pytest.fixture(scope="module")
def reference():
    """A reference whose windows all shift a little."""
    rng = np.random.default_rng(0)
    parts = [rows(WINDOW_ROWS, n, shift=rng.uniform(0, 0.3)) for n in range(N_WINDOWS)]
    features = np.concatenate(parts)
    target = features[:, 0]
    windows = np.repeat(np.arange(N_WINDOWS), WINDOW_ROWS)
    sample = Sample(LEVELS, np.column_stack([features, target]), Outcomes(target, target), windows)
    learned = dependence(sample, NAMES, 0)
    return Reference(SCHEMA, {}, {}, len(features), sample=sample, dependence=learned)


def window(n_rows, seed, **how: float):
    found = rows(n_rows, seed, **how)
    columns = dict(zip(NAMES, found.T, strict=True))
    columns["level"] = np.array(["a", "b", "c"])[columns["level"].astype(int)]
    return pa.table({**columns, "p": np.zeros(n_rows)})


def test_columns_that_come_together_otherwise_are_found_and_named_though_none_moved(reference):
    found, *parts = multivariate_scores(window(2000, 99, together=0.6), reference)
    assert found.value > found.threshold
    assert (found.n_current, found.n_reference) == (WINDOW_ROWS, 4000)
    said, _, named = found.detail.partition(", most of all in ")
    first, second = parts[:2]
    assert {first.column, second.column} == {"x", "y"}
    told = f"{first.column} ({first.value:.3f}), {second.column} ({second.value:.3f})"
    assert said == "what comes together has changed"
    assert named.startswith(told)
    assert named.endswith(": by so much ROC AUC falls without it")


def test_each_column_has_its_part_in_how_well_rows_are_told_apart(reference):
    found, *parts = multivariate_scores(window(2000, 99, together=0.6), reference)
    assert {one.column for one in parts} == set(NAMES)
    assert [one.value for one in parts] == sorted((one.value for one in parts), reverse=True)
    assert {(one.method, one.threshold, one.n_current) for one in parts} == {
        (ATTRIBUTION, None, 500)
    }
    of_pair, of_others = ([one.value for one in some] for some in (parts[:2], parts[2:]))
    assert min(of_pair) > 0.5 * (found.value - 0.5)  # without either nothing is left of the pair
    assert max(map(abs, of_others)) < 0.25 * min(of_pair)


def test_columns_that_move_each_by_itself_are_not_taken_for_it(reference):
    (found,) = multivariate_scores(window(2000, 99, shift=1.0), reference)
    assert found.value < found.threshold
    assert found.detail == ""


def test_calm_windows_stay_within_the_limit(reference):
    found = [multivariate_scores(window(1000, 200 + n), reference)[0] for n in range(20)]
    assert sum(one.value > one.threshold for one in found) <= 1
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.02)


def test_equal_and_missing_values_have_places_of_chance_in_their_order():
    column = np.array([[2.0], [1.0], [1.0], [np.nan]] * 50)
    found = places(column, np.random.default_rng(0))[:, 0]
    ones, twos, missing = (
        found[np.isclose(column[:, 0], one, equal_nan=True)] for one in (1.0, 2.0, np.nan)
    )
    assert ones.max() < twos.min() < twos.max() < missing.min()
    assert np.unique(ones).size == ones.size


def test_the_same_rows_get_the_same_answer():
    one, other = (apart(reference=rows(900, 0), current=rows(300, 1)).auc for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("changes", "n_rows", "reason"),
    [
        ({"sample": None}, 900, "keeps no labelled rows"),
        ({"dependence": None}, 900, "no columns that could be compared together"),
        ({"dependence": Dependence(700, 5)}, 900, "uncalibrated: the reference has 5 windows, 8"),
        ({"dependence": Dependence(60, 13)}, 900, "uncalibrated: the reference has 60 labelled"),
        ({}, 300, "300 rows came, 350 are needed"),
    ],
)
def test_where_nothing_can_be_compared_the_reason_is_said(reference, changes, n_rows, reason):
    (found,) = multivariate_scores(window(n_rows, 99), replace(reference, **changes))
    assert (found.value, found.failed) == (None, False)
    assert reason in found.detail


def test_a_comparison_that_crashes_is_an_error_that_says_why(reference):
    broken = replace(reference, dependence=Dependence(700, 13, ("many",) * 13))
    (found,) = multivariate_scores(window(900, 99), broken)
    assert (found.check, found.failed) == (Check.MULTIVARIATE, True)
    assert found.detail.startswith("columns could not be compared together: ")


def test_few_windows_or_rows_are_not_learned_from(reference):
    few = dependence(reference.sample.take(np.arange(5 * WINDOW_ROWS)), NAMES, 0)
    assert (few.n_windows, few.logits) == (5, ())
    thin = dependence(reference.sample.take(np.arange(0, N_WINDOWS * WINDOW_ROWS, 10)), NAMES, 0)
    assert (thin.n_rows, thin.logits) == (70, ())
