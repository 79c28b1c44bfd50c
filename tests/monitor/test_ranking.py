"""Columns that moved, in the order in which they matter."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from monitor.alert import describe
from monitor.checks.calibrated import METHOD
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.ranking import Weight, ranked, weigh
from monitor.reference import Reference
from monitor.sample import Outcomes, Sample
from monitor.schema import Kind, Schema, Task
from monitor.verdict import Verdict

N_ROWS = 5000
NAMES = ("harmful", "harmless", "idle")
SCHEMA = Schema(Task.BINARY, dict.fromkeys(NAMES, Kind.NUMERIC), "y", "p", classes=("0", "1"))


def reference(importance, schema=SCHEMA):
    """Make a reference whose model is the worse the greater the first column is."""
    x = np.random.default_rng(0).normal(size=(N_ROWS, 3))
    errors = np.clip(0.3 + 0.2 * x[:, 0], 0.0, 1.0)
    outcomes = Outcomes(errors, np.zeros(N_ROWS))
    sample = Sample(dict.fromkeys(NAMES, None), x, outcomes, np.zeros(N_ROWS, dtype=np.int64))
    return Reference(schema, {}, {}, N_ROWS, sample=sample, importance=importance)


def window(**shifts: float):
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(shifts.get(name, 0.0), 1.0, 1000) for name in NAMES}
    return pa.table(columns)


def moved(name, value=0.001, **other: object):
    plain = {"status": Status.BREACH, "detail": "location +5.0 standard errors from its usual"}
    return Score(
        Check.DRIFT, name, METHOD, value, 0.1, BreachWhen.BELOW, 13, 1000, **{**plain, **other}
    )


def verdict(*scores: Score, status=Status.BREACH):
    return Verdict(status, dict.fromkeys(Check, Status.BREACH), scores, 1.0, provisional=False)


IMPORTANT = {"harmful": 0.02, "harmless": 0.06, "idle": 0.0}
ALL_MOVED = window(harmful=1.0, harmless=1.0, idle=1.0)


def test_of_columns_that_moved_as_far_that_which_costs_and_that_which_counts_come_first():
    # By drift alone the order is the other way round.
    scores = [moved("harmful", 1e-3), moved("harmless", 1e-6), moved("idle", 1e-9)]
    found = ranked(verdict(*scores), reference(IMPORTANT), ALL_MOVED)
    assert [(s.column, s.rank) for s in found.breached(Check.DRIFT)] == [
        ("harmful", 1), ("harmless", 2), ("idle", 3),
    ]  # fmt: skip
    assert describe(found, Check.DRIFT).endswith(
        "most important harmful (location +5.0 standard errors from its usual, importance 25 %, "
        "expected loss +95 %), harmless (location +5.0 standard errors from its usual, importance "
        "75 %), idle (location +5.0 standard errors from its usual, importance 0 %)"
    )


def test_the_cost_is_what_reference_rows_spread_as_the_window_lose_more():
    found = weigh(NAMES, reference(IMPORTANT), ALL_MOVED)
    kept = reference(IMPORTANT).sample
    # Ten bins do not see how far the outermost rows moved: a cost is told too small, if anything.
    before = np.mean(kept.outcomes.predictions**2)
    after = np.mean(np.clip(0.5 + 0.2 * kept.features[:, 0], 0, 1) ** 2)
    assert 0.7 * (after / before - 1) < found["harmful"].cost < after / before - 1
    assert found["harmless"].cost < 0.02
    assert found["idle"].moved == pytest.approx(0.38, abs=0.04)


def test_rows_that_move_to_where_the_model_is_better_cost_nothing():
    assert weigh(["harmful"], reference(IMPORTANT), window(harmful=-1.0))["harmful"].cost == 0


@pytest.mark.parametrize(
    "unknown",
    [reference(None), replace(reference(IMPORTANT), sample=None)],
    ids=["no model to ask", "no labelled rows"],
)
def test_without_importance_or_labelled_rows_nothing_is_ranked(unknown):
    one = verdict(moved("harmful"))
    assert ranked(one, unknown, ALL_MOVED) == one
    assert "most of all harmful" in describe(one, Check.DRIFT)


def test_a_window_that_does_not_breach_is_not_ranked():
    calm = verdict(moved("harmful", status=Status.WARNING), status=Status.WARNING)
    assert ranked(calm, reference(IMPORTANT), ALL_MOVED) == calm


def test_a_column_that_tells_the_time_is_the_last():
    found = weigh(["row number", "idle"], reference(IMPORTANT), ALL_MOVED)
    assert found["row number"] == Weight(0.0, 0.0, 0.0)
    assert found["idle"].moved > 0


def test_levels_and_missing_values_have_bins_of_their_own():
    kept = reference(IMPORTANT)
    codes = np.where(np.arange(N_ROWS) % 2, 0.0, np.nan)
    losses = Outcomes(np.where(np.arange(N_ROWS) % 2, 0.0, 1.0), np.zeros(N_ROWS))
    sample = Sample({"level": ("a",)}, codes[:, None], losses, kept.sample.windows)
    rows = pa.table({"level": pa.array([None] * 75 + ["a"] * 25)})
    found = weigh(["level"], replace(kept, sample=sample), rows)["level"]
    assert (found.moved, found.cost) == (pytest.approx(0.25), pytest.approx(0.5, abs=0.02))


def test_a_ranking_that_crashes_says_so_and_costs_no_verdict():
    broken = replace(reference(IMPORTANT), importance={"idle": "many"})
    found = ranked(verdict(moved("harmful")), broken, ALL_MOVED)
    assert found.scores[0].rank is None
    assert "; not ranked: TypeError" in found.scores[0].detail
