"""Levels that nobody has seen: a season that comes, or names that were changed."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from monitor.batch import EVENT_AT
from monitor.checks.beyond import count_window
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.quality import QualityPolicy
from monitor.checks.score import Status
from monitor.checks.steadiness import spare_newcomers
from monitor.columns import TableColumns
from monitor.reference import Cut, calibrated, prepare
from monitor.schema import Kind, Schema, Task
from monitor.verdict import score_status
from monitor.window import MONDAY, Window, WindowPolicy

WEEKLY = WindowPolicy(every=timedelta(days=7))
SCHEMA = Schema(Task.REGRESSION, {"g": Kind.CATEGORICAL}, "y")
N_ROWS = 200
STRETCHES = [["winter"]] * 12 + [["spring"]] * 13
STEADY = [["a", "b", "c"]] * 25


def table(weeks, first=0):
    rng = np.random.default_rng(first)
    at = [
        MONDAY + timedelta(days=7 * (first + number), minutes=minute)
        for number in range(len(weeks))
        for minute in range(N_ROWS)
    ]
    levels = np.concatenate([rng.choice(week, N_ROWS) for week in weeks])
    return pa.table({"g": levels, EVENT_AT: pa.array(at, pa.timestamp("us", "UTC"))})


def unseen(reference_weeks, now):
    before = table(reference_weeks)
    prepared = prepare(TableColumns(before), SCHEMA, performance={})
    at = before.column(EVENT_AT).cast(pa.timestamp("us")).to_numpy()
    reference = calibrated(prepared, TableColumns(before), Cut(at, WEEKLY))
    after = table([now], len(reference_weeks))
    scores = column_scores(reference, TableColumns(after), DriftPolicy(), QualityPolicy())
    start = MONDAY + timedelta(days=7 * len(reference_weeks))
    window = Window(start, start + timedelta(days=7))
    counted = count_window(after, reference)
    spared = spare_newcomers(scores, reference, counted, window, WEEKLY)
    assert len(spared) == len(scores)
    return next(score for score in spared if score.method == "unseen")


def test_a_season_that_nobody_has_seen_is_no_damage():
    found = unseen(STRETCHES, ["summer"])
    assert (found.value, score_status(found)) == (1.0, Status.OK)
    assert found.detail == "levels come and go in the reference, too"


def test_levels_that_were_always_there_and_are_gone_are():
    assert score_status(unseen(STEADY, ["x", "y", "z"])) is Status.BREACH


def test_one_steady_level_beside_those_that_come_and_go_is_enough():
    weeks = [[*week, "other"] for week in STRETCHES]
    assert score_status(unseen(weeks, ["summer", "other"])) is Status.OK
    assert score_status(unseen(weeks, ["x", "y"])) is Status.BREACH


@pytest.mark.parametrize("reference", [STRETCHES[8:15], STEADY[:7]])
def test_without_windows_enough_the_limit_stays(reference):
    assert score_status(unseen(reference, ["x"])) is Status.BREACH
