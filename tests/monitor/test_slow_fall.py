"""A metric that is a little worse in window after window, over a real log and store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitor import intake
from monitor.adapters.history import History
from monitor.alert import Judged
from monitor.body import Body
from monitor.checks.fall import PerformancePolicy, performance_scores
from monitor.checks.score import Check
from monitor.checks.slow_fall import METHOD, slow_fall_scores
from monitor.control_chart import CEILING, LIMIT
from monitor.reference import Estimate, Reference
from monitor.schema import Schema, Task

N_ROWS = 300
WEEK = timedelta(days=7)
POLICY = PerformancePolicy("accuracy")
USUAL, WORSE = 45, 57
"""Wrong predictions in a week: four points more are within three standard errors."""

YAML = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns: {target: late, prediction: p, time: at, id: id, numeric: [x]}
    window: {every: P7D}
    performance: {metric: accuracy}
    retrain: {when: [performance]}
"""


def week(start, number, n_wrong):
    """Make a week in which so many predictions are wrong."""
    rng = np.random.default_rng(700 + number)
    x = rng.normal(size=N_ROWS)
    said = x > 0
    wrong = np.isin(np.arange(N_ROWS), rng.choice(N_ROWS, n_wrong, replace=False))
    at = pd.Timestamp(start) + np.sort(rng.uniform(0, 7 * 86_400, N_ROWS)) * pd.Timedelta("1s")
    return pd.DataFrame(
        {
            "id": [f"w{number}-{i}" for i in range(N_ROWS)],
            "at": pd.DatetimeIndex(at).as_unit("us"),
            "x": x,
            "p": np.where(said, 0.9, 0.1),
            "late": (said != wrong).astype(int),
        }
    )


@pytest.fixture
def begin(new_home, week_start):
    """Open a deployment whose reference has so many weeks; returns how to live through one."""
    opened = []

    def begin(n_reference) -> tuple[Any, Callable[[int, int], Judged]]:
        start = pd.Timestamp(week_start(0).replace(tzinfo=None))
        weeks = [week(start + n * WEEK, n, USUAL) for n in range(-n_reference, 0)]
        pd.concat(weeks).to_parquet(new_home.folder / "reference.parquet")
        new_home.config.write_text(YAML)
        new_home.clock.set(week_start(0))
        opened.append(new_home.opened())
        app = opened[0].__enter__()

        def live(number, n_wrong) -> Judged:
            rows = week(start + number * WEEK, number, n_wrong)
            app.clock.set(week_start(number + 1))
            schema = app.deployment.schema("late")
            columns = {name: pa.chunked_array([pa.array(rows[name])]) for name in rows}
            request = intake.Request("late", f"week {number}", "digest", app.clock.now(), 1)
            made = intake.predictions(Body(columns, len(rows)), schema, request, predict=None)
            app.deployment.log.append(made).result(60)
            (judged,) = app.deployment.watcher().check("late")
            return judged

        return app, live

    yield begin
    for one in opened:
        one.__exit__(None, None, None)


def chart_of(judged):
    (found,) = [one for one in judged.verdict.scores if one.method == METHOD]
    return found


def test_a_fall_that_no_week_shows_alone_opens_an_alert_that_names_the_control_chart(begin):
    app, live = begin(8)
    found = [live(number, WORSE) for number in range(6)]
    by_week = [one.verdict.checks[Check.PERFORMANCE] for one in found]
    assert by_week == ["OK", "OK", "OK", "OK", "BREACH", "BREACH"]
    assert all(one.method == METHOD for one in found[-1].verdict.breached(Check.PERFORMANCE))
    (alert,) = History(app.deployment.engine).alerts("late")
    assert alert["sentence"].startswith("slow fall: control chart at ")
    assert "accuracy 0.040 worse than the reference on average of 5 windows" in alert["sentence"]
    shown = History(app.deployment.engine).windows("late")[4]
    assert (shown["decision"], shown["reason"]) == ("retrain", "performance breach")
    assert "slow fall: control chart" in shown["sentence"]
    assert LIMIT < shown["slow_fall"]["value"] <= CEILING
    assert set(shown["bands"]) == set(shown["metrics"])  # the chart is no metric


def test_two_good_weeks_end_the_alert(begin):
    app, live = begin(8)
    for number in range(8):
        live(number, WORSE)
    for number in (8, 9):
        live(number, USUAL)
    (alert,) = History(app.deployment.engine).alerts("late")
    assert alert["ended_how"] == "resolved"


def test_with_few_reference_windows_there_is_no_chart_and_it_says_so(begin):
    _, live = begin(7)
    found = live(0, WORSE)
    assert chart_of(found).value is None
    assert "the reference has 7 windows with labels, 8 are needed" in chart_of(found).detail
    assert found.verdict.checks[Check.PERFORMANCE] == "OK"


def scored(*values: float, error=0.001, windows=(0.8,) * 8, policy=POLICY):
    """Add up windows of such values against a reference of .8."""
    known = [Estimate(value, error, 10_000) for value in values]
    reference = Reference(
        Schema(Task.BINARY, features={}, target="y"), {}, {"accuracy": Estimate(0.8, 0.0, 80_000)},
        80_000, by_window={"accuracy": tuple(Estimate(one, error, 10_000) for one in windows)},
    )  # fmt: skip
    scores = performance_scores({"accuracy": known[-1]}, reference.performance, policy)
    (found,) = slow_fall_scores(scores, known[:-1], reference, policy)
    return found


def test_a_fall_of_less_than_half_of_what_matters_has_no_limit_however_sure_it_is():
    small, great = scored(*[0.79] * 5), scored(*[0.78] * 5)
    assert (small.value, small.threshold) == (CEILING, None)
    assert small.detail.startswith("detectable, immaterial: accuracy 0.010 worse")
    assert (great.value, great.threshold) == (CEILING, LIMIT)
    assert scored(*[0.79] * 5, policy=replace(POLICY, max_drop=0.02)).threshold == LIMIT


def test_what_the_reference_wobbles_adds_up_to_less():
    wobbling = scored(0.77, error=0.01, windows=(0.76, 0.84) * 4)
    assert scored(0.77, error=0.01).value > 1 > wobbling.value


def test_without_the_metric_nothing_is_added_up():
    assert (
        slow_fall_scores([], [], Reference(Schema(Task.BINARY, {}, "y"), {}, {}, 0), POLICY) == []
    )
