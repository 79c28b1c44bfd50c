"""Where a breach begins, and which status outweighs which."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.checks.calibrated import METHOD, AlertBudget, limits
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import STANDARD_ERRORS, PerformancePolicy, performance_scores
from monitor.checks.quality import QualityPolicy
from monitor.checks.score import BreachWhen, Check, Score, Status, worst
from monitor.columns import TableColumns
from monitor.reference import Estimate, Reference, prepare
from monitor.schema import Kind, Schema, Task
from monitor.verdict import (
    MAX_MIN_ROWS,
    Basis,
    VerdictPolicy,
    judge,
    min_rows,
    score_status,
    share_drifted,
)
from monitor.window import MONDAY, LabelPolicy, WindowPolicy

modest = settings(max_examples=100, deadline=None, derandomize=True)

WEEK = timedelta(days=7)
OK, WARNING, BREACH = Status.OK, Status.WARNING, Status.BREACH
NO_DATA, ERROR = Status.NO_DATA, Status.ERROR
POLICY = VerdictPolicy(
    WindowPolicy(every=WEEK), LabelPolicy(), DriftPolicy(), PerformancePolicy("roc_auc")
)
SURE = Estimate(0.8, 0.001, 4000)


def score(check, column, value, **other: object):
    """Make a score that breaches from .1 on."""
    plain = {"method": "psi", "threshold": 0.1, "breach_when": BreachWhen.ABOVE}
    return Score(
        check=check,
        column=column,
        value=value,
        n_reference=100,
        n_current=100,
        **{**plain, **other},
    )


def drift(column, value, **other: object):
    return score(Check.DRIFT, column, value, **other)


def quality(column, value, **other: object):
    return score(Check.QUALITY, column, value, method="missing", **other)


def failed(check, column):
    return score(check, column, None, failed=True, detail="ValueError: no")


def metric(value, *, now=0.001, reference=SURE, name="roc_auc", max_drop=0.03):
    """Score one metric against the reference's."""
    before = {} if reference is None else {name: reference}
    (found,) = performance_scores(
        {name: Estimate(value, now, 1000)}, before, PerformancePolicy(name, max_drop)
    )
    return found


def verdict(*scores: Score, n_rows=100, provisional=False, policy=POLICY, enough=10):
    return judge(scores, Basis(n_rows, enough, provisional), policy, target="y")


# one score


@pytest.mark.parametrize(
    ("when", "value", "status"),
    [
        (BreachWhen.ABOVE, 0.0999, OK),
        (BreachWhen.ABOVE, 0.1, BREACH),
        (BreachWhen.ABOVE, 0.11, BREACH),
        (BreachWhen.BELOW, 0.0999, BREACH),
        (BreachWhen.BELOW, 0.1, OK),
        (BreachWhen.BELOW, 0.11, OK),
    ],
)
def test_at_its_threshold_a_distance_breaches_and_a_p_value_does_not(when, value, status):
    assert score_status(drift("x", value, breach_when=when)) is status


@pytest.mark.parametrize("when", list(BreachWhen))
def test_a_score_without_a_value_is_no_data_and_one_without_a_threshold_is_only_shown(when):
    assert score_status(drift("x", None, breach_when=when)) is NO_DATA
    assert score_status(drift("x", 99.0, threshold=None, breach_when=when)) is OK


def test_a_score_that_failed_is_an_error_whatever_it_holds():
    assert score_status(drift("x", 0.0, failed=True)) is ERROR


@modest
@given(st.lists(st.sampled_from(Status), min_size=1, max_size=6))
def test_the_weightiest_status_wins_whatever_the_order(statuses):
    by_weight = [BREACH, ERROR, WARNING, NO_DATA, OK]
    assert worst(statuses) is min(statuses, key=by_weight.index)


def test_nothing_at_all_is_no_data():
    assert worst([]) is NO_DATA


# the window's status

CAUSES = {
    BREACH: [drift("x", 0.5)],
    ERROR: [drift("x", 0.0), failed(Check.QUALITY, "x")],
    WARNING: [drift("x", 0.5), drift("z", 0.0), drift("w", 0.0)],
    OK: [drift("x", 0.0), quality("x", 0.0)],
}


@pytest.mark.parametrize("status", list(CAUSES))
def test_each_status_can_be_a_window_s(status):
    assert verdict(*CAUSES[status]).status is status


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ({"drift": 0.5, "quality": None, "performance": 0.6}, BREACH),
        ({"drift": "warning", "quality": None, "performance": 0.6}, BREACH),
        ({"drift": "warning", "quality": None, "performance": 0.8}, ERROR),
        ({"drift": "warning", "quality": 0.0, "performance": 0.8}, WARNING),
        ({"drift": 0.0, "quality": 0.0, "performance": 0.8}, OK),
    ],
)
def test_a_window_has_the_weightiest_status_of_its_checks(checks, status):
    drifted = checks["drift"]
    values = [0.5, 0.0, 0.0] if drifted == "warning" else [drifted] * 3
    scores = [drift(f"x{number}", value) for number, value in enumerate(values)]
    found = checks["quality"]
    scores.append(failed(Check.QUALITY, "x0") if found is None else quality("x0", found))
    assert verdict(*scores, metric(checks["performance"])).status is status


def test_a_check_without_data_does_not_make_a_window_of_none():
    found = verdict(drift("x", 0.0))
    assert found.checks == {**dict.fromkeys(Check, NO_DATA), Check.DRIFT: OK}
    assert found.status is OK


def test_a_window_in_which_nothing_could_be_asked_has_no_data():
    found = verdict(drift("x", None), quality("x", None))
    assert (found.status, found.share_drifted) == (NO_DATA, None)
    assert set(found.checks.values()) == {NO_DATA}


def test_a_column_without_values_leaves_the_feed_as_sound_as_the_others_are():
    unseen = score(Check.QUALITY, "x", None, method="unseen")
    assert verdict(quality("x", 0.0), unseen).checks[Check.QUALITY] is OK
    assert verdict(quality("x", 0.5), unseen).checks[Check.QUALITY] is BREACH
    assert verdict(unseen).checks[Check.QUALITY] is NO_DATA


@pytest.mark.parametrize("n_rows", [0, 9])
def test_with_too_few_rows_everything_is_no_data(n_rows):
    scores = [drift("x", 0.9), quality("x", 0.9), metric(0.1), failed(Check.DRIFT, "z")]
    found = verdict(*scores, n_rows=n_rows)
    assert {found.status, *found.checks.values(), *(s.status for s in found.scores)} == {NO_DATA}
    assert set(found.checks) == set(Check)
    assert found.share_drifted is None
    assert not any(found.breached(check) for check in Check)


def test_with_just_enough_rows_a_window_is_judged():
    assert verdict(drift("x", 0.9), n_rows=10).status is BREACH


# drift


@pytest.mark.parametrize(
    ("n_drifted", "n_columns", "status"),
    [
        (0, 4, OK),
        (1, 4, WARNING),
        (1, 3, WARNING),
        (2, 4, BREACH),
        (1, 2, BREACH),
        (3, 7, WARNING),
        (4, 7, BREACH),
        (1, 1, BREACH),
    ],
)
def test_drift_breaches_from_half_of_the_columns_on_and_warns_below(n_drifted, n_columns, status):
    scores = [drift(f"x{i}", 0.5 if i < n_drifted else 0.0) for i in range(n_columns)]
    found = verdict(*scores)
    assert found.checks[Check.DRIFT] is status
    assert found.share_drifted == n_drifted / n_columns


def test_the_share_that_breaches_is_what_the_policy_says():
    policy = VerdictPolicy(
        POLICY.window, POLICY.labels, DriftPolicy(share_drifted=0.2), POLICY.performance
    )
    four = [drift("x0", 0.5), *(drift(f"x{i}", 0.0) for i in range(1, 5))]
    assert verdict(*four, policy=policy).checks[Check.DRIFT] is BREACH
    assert verdict(*four, drift("x5", 0.0), policy=policy).checks[Check.DRIFT] is WARNING


def test_a_column_without_a_value_does_not_count_in_the_share():
    found = verdict(
        drift("x", 0.5), drift("z", 0.0), drift("empty", None), failed(Check.DRIFT, "w")
    )
    assert found.share_drifted == 0.5


def test_late_labels_do_not_change_the_share():
    scores = [drift("x", 0.5), drift("z", 0.0), drift("w", 0.0)]
    for moved in (0.0, 0.5):
        assert verdict(*scores, drift("y", moved)).share_drifted == 1 / 3
    assert share_drifted([]) is None


def test_a_check_that_failed_is_an_error_unless_enough_others_breach():
    calm = [drift("x", 0.0), drift("z", 0.5), drift("w", 0.0)]
    assert verdict(*calm, failed(Check.DRIFT, "v")).checks[Check.DRIFT] is ERROR
    assert verdict(calm[1], failed(Check.DRIFT, "v")).checks[Check.DRIFT] is BREACH
    assert verdict(failed(Check.DRIFT, "v")).checks[Check.DRIFT] is ERROR


# one column alone


def rows(n_rows=60):
    rng = np.random.default_rng(7)
    return {name: pa.array(rng.normal(size=n_rows)) for name in ("x", "z", "w")}


SCHEMA = Schema(Task.BINARY, dict.fromkeys(rows(), Kind.NUMERIC), "y", classes=("0", "1"))
REFERENCE = prepare(TableColumns(pa.table(rows())), SCHEMA, performance={})


def judged(columns, drift_policy=DriftPolicy()):  # noqa: B008 - a frozen value
    current = TableColumns(pa.table(columns))
    scores = column_scores(REFERENCE, current, drift_policy, QualityPolicy())
    found = verdict(*scores)
    return found, {(s.check, s.column, s.method): s.status for s in found.scores}


def test_an_all_null_column_has_no_drift_and_breaks_quality_while_the_others_stand():
    found, statuses = judged({**rows(), "x": pa.nulls(60, pa.float64())})
    assert statuses == {
        (Check.DRIFT, "x", "ks"): NO_DATA,
        (Check.DRIFT, "z", "ks"): OK,
        (Check.DRIFT, "w", "ks"): OK,
        (Check.QUALITY, "x", "missing"): BREACH,
        (Check.QUALITY, "x", "out_of_range"): NO_DATA,
        (Check.QUALITY, "z", "missing"): OK,
        (Check.QUALITY, "z", "out_of_range"): OK,
        (Check.QUALITY, "w", "missing"): OK,
        (Check.QUALITY, "w", "out_of_range"): OK,
    }
    assert found.checks[Check.DRIFT] is OK


def test_a_column_whose_check_crashes_is_an_error_that_stays_visible_and_alone():
    broken = pa.array([[1.0]] * 60)
    found, statuses = judged({**rows(), "x": broken})
    errors = {key for key, status in statuses.items() if status is ERROR}
    assert {(check, column) for check, column, _ in errors} == {
        (Check.DRIFT, "x"),
        (Check.QUALITY, "x"),
    }
    nothing = dict.fromkeys(Check, NO_DATA)
    assert found.checks == {**nothing, Check.DRIFT: ERROR, Check.QUALITY: ERROR}
    assert all(s.detail for s in found.scores if s.status is ERROR)
    assert {s.status for s in found.scores if s.column != "x"} == {OK}


def test_a_method_that_is_not_for_its_column_is_an_error_of_that_column():
    found, statuses = judged(rows(), DriftPolicy(methods={"x": "chisquare"}))
    assert statuses[Check.DRIFT, "x", "chisquare"] is ERROR
    assert statuses[Check.DRIFT, "z", "ks"] is OK
    assert found.status is ERROR


# performance


@pytest.mark.parametrize(("value", "status"), [(0.9, OK), (0.78, OK), (0.7699, BREACH)])
def test_a_metric_in_0_to_1_may_fall_by_as_much_as_the_drop(value, status):
    found = metric(value)
    assert found.threshold == pytest.approx(0.77)
    assert (found.breach_when, found.reference_value) == (BreachWhen.BELOW, 0.8)
    assert (found.n_reference, found.n_current) == (SURE.n, 1000)
    assert verdict(found).checks[Check.PERFORMANCE] is status


@pytest.mark.parametrize(("value", "status"), [(10.0, OK), (20.5, OK), (20.61, BREACH)])
def test_a_loss_may_rise_by_the_drop_s_share_of_the_reference(value, status):
    reference = Estimate(20.0, 0.01, 1000)
    found = metric(value, now=0.01, name="mae", reference=reference)
    assert (found.threshold, found.breach_when) == (pytest.approx(20.6), BreachWhen.ABOVE)
    policy = VerdictPolicy(POLICY.window, POLICY.labels, POLICY.drift, PerformancePolicy("mae"))
    assert verdict(found, policy=policy).checks[Check.PERFORMANCE] is status


def test_r2_may_fall_by_the_drop_s_share_of_the_reference_even_below_zero():
    assert metric(0.0, name="r2", reference=Estimate(-2.0, 0.0, 9), now=0.0).threshold == -2.06


def test_a_fall_within_three_sampling_errors_of_the_difference_is_not_told_from_chance():
    # √(.03² + .04²) = .05
    found = metric(0.7, now=0.03, reference=Estimate(0.8, 0.04, 100))
    assert found.threshold == pytest.approx(0.8 - STANDARD_ERRORS * 0.05)
    assert found.standard_error == 0.03
    loss = metric(9.0, now=0.3, name="mae", reference=Estimate(8.0, 0.4, 100))
    assert loss.threshold == pytest.approx(8.0 + STANDARD_ERRORS * 0.5)


@modest
@given(st.floats(0.5, 1.0), st.floats(0.0, 0.2), st.floats(0.0, 0.2), st.floats(0.0, 0.3))
def test_the_threshold_is_the_wider_of_the_drop_and_the_sampling_error(
    before, now_se, ref_se, max_drop
):
    found = metric(0.5, now=now_se, reference=Estimate(before, ref_se, 100), max_drop=max_drop)
    allowed = max(max_drop, STANDARD_ERRORS * math.hypot(now_se, ref_se))
    assert found.threshold == pytest.approx(before - allowed)


def test_only_the_metric_of_the_policy_is_held_against_a_threshold():
    estimates = {"roc_auc": Estimate(0.8, 0.001, 9), "f1": Estimate(0.0, 0.001, 9)}
    reference = {"roc_auc": SURE, "f1": SURE}
    found = performance_scores(estimates, reference, POLICY.performance)
    assert {s.method: s.threshold for s in found} == {"roc_auc": pytest.approx(0.77), "f1": None}
    assert verdict(*found).checks[Check.PERFORMANCE] is OK


@pytest.mark.parametrize(("status", "provisional"), [(WARNING, True), (BREACH, False)])
def test_a_breach_among_early_labels_is_a_warning_until_enough_have_come(status, provisional):
    found = verdict(metric(0.6), provisional=provisional)
    assert (found.checks[Check.PERFORMANCE], found.provisional) == (status, provisional)
    assert found.status is status


def test_early_labels_that_look_well_are_well_and_a_crash_is_an_error_all_the_same():
    assert verdict(metric(0.8), provisional=True).checks[Check.PERFORMANCE] is OK
    assert verdict(failed(Check.PERFORMANCE, None), provisional=True).status is ERROR


@pytest.mark.parametrize("scores", [[], [metric(0.1, name="f1")], [metric(0.1, reference=None)]])
def test_without_the_metric_or_its_reference_value_performance_has_no_data(scores):
    assert verdict(drift("x", 0.0), *scores).checks[Check.PERFORMANCE] is NO_DATA


# what breached


def test_the_scores_that_breached_are_named_the_furthest_first():
    far_p = drift("p", 1e-9, breach_when=BreachWhen.BELOW, threshold=0.05)
    near_p = drift("q", 0.04, breach_when=BreachWhen.BELOW, threshold=0.05)
    distances = [drift("near", 0.11), drift("calm", 0.01), drift("far", 0.9)]
    found = verdict(near_p, *distances, far_p, quality("x", 0.9))
    assert [s.column for s in found.breached(Check.DRIFT)] == ["p", "far", "q", "near"]
    assert [s.column for s in found.breached(Check.QUALITY)] == ["x"]
    assert found.breached(Check.PERFORMANCE) == []


def test_a_p_value_of_zero_and_a_limit_of_zero_can_be_ordered_too():
    scores = [
        drift("p", 0.0, breach_when=BreachWhen.BELOW, threshold=0.05),
        drift("d", 0.2, threshold=0.0),
    ]
    assert [s.column for s in verdict(*scores).breached(Check.DRIFT)] == ["p", "d"]


# enough rows


def reference_of(n_rows, days=None):
    end = None if days is None else MONDAY + timedelta(days=days)
    start = None if days is None else MONDAY
    return Reference(SCHEMA, {}, {}, n_rows, start, end)


@pytest.mark.parametrize(
    ("policy", "reference", "expected"),
    [
        (WindowPolicy(every=WEEK, min_rows=7), reference_of(10_000, 28), 7),
        (WindowPolicy(every=WEEK), reference_of(400, 28), 50),
        (WindowPolicy(every=WEEK), reference_of(40_000, 28), MAX_MIN_ROWS),
        (WindowPolicy(every=WEEK), reference_of(400, 2), 200),
        (WindowPolicy(every=WEEK), reference_of(3, 28), 1),
        (WindowPolicy(every=WEEK), reference_of(10_000), 250),
        (WindowPolicy(rows=300), reference_of(10_000, 28), 150),
        (WindowPolicy(rows=5000), reference_of(10_000), MAX_MIN_ROWS),
        (WindowPolicy(rows=1), reference_of(10_000), 1),
    ],
)
def test_half_a_typical_window_is_enough_and_five_hundred_rows_always_are(
    policy, reference, expected
):
    assert min_rows(policy, reference) == expected


WEEKLY = limits(AlertBudget(), WindowPolicy(every=WEEK))
BUDGETED = replace(POLICY, drift=DriftPolicy(budget=AlertBudget()))


def calibrated(column, p):
    return drift(column, p, method=METHOD, threshold=WEEKLY.watch, breach_when=BreachWhen.BELOW)


def under_budget(*scores: Score, moved_before=()):
    return judge(
        scores, Basis(100, 1, provisional=False, moved_before=moved_before), BUDGETED, target="y"
    )


def test_a_budget_spends_a_quarter_on_what_is_seen_once_and_the_rest_on_what_is_seen_again():
    expected = WEEK / timedelta(days=30)
    assert WEEKLY.once == pytest.approx(expected / 4)
    assert WEEKLY.watch == 0.1
    hourly = limits(AlertBudget(), WindowPolicy(every=timedelta(hours=1)))
    assert (hourly.once, hourly.watch) == pytest.approx((1 / 2880, math.sqrt(1 / 2880)))
    generous = limits(AlertBudget(alerts=100), WindowPolicy(every=WEEK))
    assert generous.once == generous.watch == 0.25


@pytest.mark.parametrize(
    ("p", "moved_before", "status"),
    [
        (0.05, (), BREACH),
        (0.07, (), WARNING),
        (0.07, ("z",), WARNING),
        (0.07, ("x",), BREACH),
        (0.11, ("x",), OK),
    ],
)
def test_a_column_has_moved_when_it_is_sure_once_or_likely_twice(p, moved_before, status):
    found = under_budget(calibrated("x", p), calibrated("z", 0.9), moved_before=moved_before)
    assert found.checks[Check.DRIFT] is status
    assert found.share_drifted == (0.5 if status is BREACH else 0.0)


def test_under_a_budget_evidently_s_limits_only_warn_and_do_not_judge():
    found = under_budget(drift("x", 9.0), drift("z", 9.0), calibrated("x", 0.9), calibrated("z", 1))
    assert [score.status for score in found.scores] == [WARNING, WARNING, OK, OK]
    assert (found.checks[Check.DRIFT], found.share_drifted) == (OK, 0.0)


def test_numbers_far_out_of_range_only_warn_where_the_budget_knows_how_far_a_column_moves():
    far_out = Score(Check.QUALITY, "x", "out_of_range", 0.3, 0.05, BreachWhen.ABOVE, 9, 9)
    assert under_budget(far_out, calibrated("x", 0.9)).checks[Check.QUALITY] is WARNING
    assert under_budget(far_out, drift("x", 0.0)).checks[Check.QUALITY] is BREACH
    infinite = replace(far_out, method="infinite")
    assert under_budget(infinite, calibrated("x", 0.9)).checks[Check.QUALITY] is BREACH


def test_without_a_calibrated_score_evidently_s_limits_judge_whatever_the_budget():
    found = under_budget(drift("x", 9.0), drift("z", 0.0))
    assert (found.checks[Check.DRIFT], found.share_drifted) == (BREACH, 0.5)


def test_a_column_that_could_not_be_compared_is_an_error_under_a_budget_too():
    found = under_budget(failed(Check.DRIFT, "z"), calibrated("x", 0.9))
    assert found.checks[Check.DRIFT] is ERROR


# an estimate


@pytest.mark.parametrize(
    ("value", "provisional", "status"),
    [(0.7, True, BREACH), (0.8, True, OK), (None, True, NO_DATA), (0.7, False, OK)],
)
def test_an_estimate_decides_until_performance_is_measured(value, provisional, status):
    (score,) = (replace(metric(value or 0.0), check=Check.ESTIMATE, value=value),)
    assert verdict(score, provisional=provisional).checks[Check.ESTIMATE] is status


@pytest.mark.parametrize(("auc", "status"), [(0.6, WARNING), (0.5, OK), (None, NO_DATA)])
def test_what_comes_together_warns_and_never_alerts(auc, status):
    score = Score(
        Check.MULTIVARIATE, None, "domain_classifier", auc, 0.55, BreachWhen.ABOVE, 100, 100
    )
    found = verdict(drift("x", 0.0), score)
    assert found.checks[Check.MULTIVARIATE] is status
    assert found.status is (WARNING if status is WARNING else OK)


def test_a_comparison_of_columns_together_that_failed_is_an_error():
    assert verdict(failed(Check.MULTIVARIATE, None)).checks[Check.MULTIVARIATE] is ERROR
