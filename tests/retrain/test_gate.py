"""Looks at a challenger: fresh rows, five at most, and what they lead to."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from monitor.schema import Kind, Schema, Task
from retrain.comparison import blocks
from retrain.dataset import Dataset
from retrain.gate import N_LOOKS, PLANNED_GAIN, Contest, Step, confidence, evidence, look_at

SCHEMA = Schema(Task.REGRESSION, {"shop": Kind.CATEGORICAL}, "y")


def contest(gain, *, n_rows=2000, noise=1.0, north=0.0, segments=()):
    """Make predictions whose absolute errors differ by `gain`; in the north by `north` more."""
    rng = np.random.default_rng(0)
    shop = np.where(np.arange(n_rows) % 4 == 0, "north", "south").astype(object)
    champion = 10 + rng.normal(scale=noise, size=n_rows)
    challenger = (
        10 - gain + np.where(shop == "north", north, 0.0) + rng.normal(scale=noise, size=n_rows)
    )
    at = np.datetime64("2026-01-05", "us") + np.arange(n_rows) * np.timedelta64(15, "m")
    rows = Dataset(pd.DataFrame({"shop": shop}), np.zeros(n_rows), at)
    return Contest(rows, champion, challenger, SCHEMA, tuple(segments))


def looked(number, one):
    return look_at(one, number, metric="mae", minimum_gain=0.0)


def test_early_looks_ask_for_more():
    asked = [confidence(number / N_LOOKS) for number in range(1, N_LOOKS + 1)]
    assert asked == sorted(asked, reverse=True)
    assert 1 - asked[-1] == pytest.approx(0.04, abs=0.001)


def test_a_large_gain_passes_at_the_first_look_and_a_small_one_waits():
    assert looked(1, contest(1.0)).step is Step.PASS
    small = contest(0.3, noise=3.0)
    look = looked(1, small)
    assert look.step is Step.WAIT
    assert "look 1 of 5" in look.reason
    assert looked(5, small).step is Step.PASS


def told(one, number=1):
    """Return the share of the planned evidence that a contest is."""
    parts = (one.rows.target, one.champion, one.challenger, one.rows.event_at)
    return evidence(blocks(*parts, SCHEMA, "mae"), number)


def test_windows_count_as_evidence_or_the_precision_that_they_give():
    vague, exact = contest(0.0, noise=9.0), contest(0.0, n_rows=40_000)
    assert [told(vague, number) for number in (1, 2, 5)] == [0.2, 0.4, 1.0]
    assert [told(exact, number) for number in (1, 2, 5)] == [1.0, 1.0, 1.0]
    assert 0.2 < told(contest(0.0, noise=2.0)) < 1


def test_at_full_evidence_a_look_passes_what_is_worth_seeing_and_is_the_last():
    exact = contest(10 * PLANNED_GAIN, n_rows=40_000)
    assert looked(1, exact).step is Step.PASS
    last = looked(1, contest(0.002, n_rows=40_000))
    assert last.step is Step.REFUSE
    assert last.reason.endswith("a gain of 2% would have shown")


def test_who_is_not_ahead_leaves_at_once_and_nobody_stays_after_the_last_look():
    assert looked(1, contest(-0.3)).step is Step.REFUSE
    last = looked(5, contest(0.05))
    assert last.step is Step.REFUSE
    assert last.reason.endswith("it was the last of 5 looks")


def test_a_gain_that_harms_a_declared_segment_is_refused_and_the_segment_is_named():
    assert looked(1, contest(1.0, north=1.5)).step is Step.PASS
    harmful = looked(1, contest(1.0, north=1.5, segments=["shop"]))
    assert harmful.step is Step.REFUSE
    assert "where shop is north" in harmful.reason
    north = harmful.segments[0]
    assert (north.column, north.level, north.gain < 0, north.p < 0.01) == (
        "shop",
        "north",
        True,
        True,
    )
    passed = looked(1, contest(1.0, segments=["shop"]))
    assert passed.step is Step.PASS
    assert {one.level for one in passed.segments} >= {"north"}
    assert looked(1, contest(0.0, segments=["shop"])).segments == ()


def test_of_many_segments_one_must_be_worse_than_by_chance():
    """Holm: what one level alone would be refused for is no harm as the worst of twenty."""
    alone = looked(1, contest(1.0, n_rows=6000, north=1.05, segments=["shop"]))
    assert 0.05 / 20 < alone.segments[0].p < 0.05 / 2
    assert alone.step is Step.REFUSE
    several = contest(1.0, n_rows=6000, north=1.05)
    others = {f"desk {place}": np.arange(6000) % 2 for place in range(9)}
    frame = several.rows.features.assign(**{k: v.astype(str) for k, v in others.items()})
    rows = replace(several.rows, features=frame)
    among = looked(1, replace(several, rows=rows, segments=("shop", *others)))
    assert len(among.segments) == 20
    assert among.segments[0].p == alone.segments[0].p
    assert among.step is Step.PASS


def test_the_metrics_on_record_are_those_of_the_rows_looked_at():
    look = looked(1, contest(1.0))
    assert look.reached["mae"].n == 2000
    assert look.reached["mae"].value == pytest.approx(9.0, abs=0.1)
