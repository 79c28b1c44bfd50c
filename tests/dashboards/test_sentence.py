"""What is said of a model in one sentence, on a real database filled by real cycles."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.checks.calibrated import METHOD
from monitor.checks.score import BreachWhen, Check, Score
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from retrain.record import Outcome, RequestKind

FLIGHTS = "flights_late"


def test_without_models_the_page_says_how_to_begin(deployed):
    assert "No model is registered yet" in deployed.lead()


def test_a_model_without_windows_says_where_to_send_predictions(deployed):
    deployed.model(FLIGHTS)
    expected = (
        "No window has ended yet; send predictions to POST /v1/models/flights_late/predictions."
    )
    assert deployed.lead() == expected
    assert deployed.lead("/models/flights_late") == expected


def test_a_calm_model_is_fine(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, auc=0.70)
    assert deployed.lead() == "Fine: the window to 2013-01-14 looks like the reference."


def test_a_warning_is_fine_and_names_what_moved(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, drifted=["hour"])
    page = deployed.show("/").text
    assert deployed.lead() == (
        "Fine: the window to 2013-01-14 shows something unconfirmed, hour moved, "
        "too little for an alert."
    )
    assert "none needs a look" in page


def test_drift_is_told_since_when_in_which_columns_and_what_was_done(deployed):
    deployed.model(FLIGHTS)
    for number in range(4):
        deployed.judge(FLIGHTS, number, auc=0.7, drifted=["temp", "dewp", "humid"] * (number > 1))
    at = datetime(2013, 2, 5, tzinfo=UTC)
    deployed.retrain(FLIGHTS, at, Outcome.PROMOTED, "+0.03 ROC AUC")
    assert deployed.lead() == (
        "Drift since 2013-01-21: temp, dewp and humid moved most; version 2 was promoted on 2013-02-05."
    )


def test_a_fallen_metric_is_told_with_its_reference_value(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, auc=0.61)
    assert deployed.lead().startswith(
        "Performance has fallen since 2013-01-07: ROC AUC is 0.610, on the reference 0.703; "
    )


def test_labels_that_have_not_come_do_not_hide_a_fallen_metric(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, auc=0.61)
    deployed.judge(FLIGHTS, 1)
    assert [window["status"] for window in deployed.recorded()] == ["BREACH", "OK"]
    assert deployed.lead().startswith("Performance has fallen since 2013-01-07")


def test_a_broken_feed_stands_before_the_drift_it_causes(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, missing=["humid"], drifted=["humid", "temp", "dewp"], auc=0.6)
    assert deployed.lead() == (
        "Broken feed since 2013-01-07: humid: 98% of rows have no value (reference 0%); "
        "not retrained, fix the feed first."
    )


def test_a_check_that_crashed_is_an_error_with_its_detail(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, failure="ValueError: 3 labels for 2 predictions")
    page = deployed.show("/").text
    assert deployed.lead().startswith(
        "Error since 2013-01-07: ValueError: 3 labels for 2 predictions; "
    )
    assert '<span class="badge ERROR">' in page


def test_windows_without_rows_are_told_since_when(deployed):
    deployed.model(FLIGHTS)
    for number, n_rows in enumerate((480, 3, 0)):
        deployed.judge(FLIGHTS, number, n_rows=n_rows)
    assert deployed.lead() == "Not judged since 2013-01-14: too few rows came."


def test_a_cycle_that_could_not_be_run_is_told_first(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0)
    deployed.store.fail(FLIGHTS, "StorageError: disk full", datetime(2013, 1, 20, tzinfo=UTC))
    page = deployed.show("/").text
    assert deployed.lead().startswith(
        "The last check could not be run: StorageError: disk full. Fine: "
    )
    assert "1 needs a look" in page


def test_a_paused_model_says_so(deployed):
    deployed.model(FLIGHTS)
    deployed.store.pause(FLIGHTS, paused=True)
    assert deployed.lead().endswith(" Retraining is paused.")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome.REFUSED, "the retrain run of 2013-01-15 was refused: no better."),
        (Outcome.FAILED, "the retrain run of 2013-01-15 failed: no better."),
    ],
)
def test_a_run_that_changed_nothing_tells_its_reason(deployed, outcome, told):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, drifted=["temp", "dewp", "humid"])
    deployed.retrain(FLIGHTS, datetime(2013, 1, 15, tzinfo=UTC), outcome, "no better")
    assert deployed.lead().endswith(told)


def test_what_trials_show_is_told_after_what_a_run_has_come_to(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, drifted=["temp", "dewp", "humid"])
    at = datetime(2013, 1, 15, tzinfo=UTC)
    deployed.trial(FLIGHTS, at, "a trial on one window: no gain")
    assert deployed.lead().endswith("not retrained yet: a trial on one window: no gain.")
    deployed.retrain(FLIGHTS, at + timedelta(days=1), Outcome.REFUSED, "no better")
    assert deployed.lead().endswith("the retrain run of 2013-01-16 was refused: no better.")
    deployed.trial(FLIGHTS, at + timedelta(days=7), "a trial on 2 windows together: no gain")
    assert deployed.lead().endswith(
        "was refused: no better; since then a trial on 2 windows together: no gain."
    )


def test_a_promotion_that_was_rolled_back_tells_who_serves_now(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, drifted=["temp", "dewp", "humid"])
    at = datetime(2013, 1, 15, tzinfo=UTC)
    deployed.retrain(FLIGHTS, at, Outcome.PROMOTED, "better")
    deployed.registry.roll_back(FLIGHTS, at + timedelta(hours=1), "worse after all")
    assert deployed.lead().endswith("version 2 was promoted on 2013-01-15, version 1 serves now.")


def test_a_run_that_is_going_on_tells_how_far_it_is(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, drifted=["temp", "dewp", "humid"])
    at = datetime(2013, 1, 15, tzinfo=UTC)
    if not deployed.runs.open_requests(FLIGHTS):
        deployed.runs.ask(FLIGHTS, RequestKind.RETRAIN, "by hand", "please", at)
    run = deployed.runs.start(deployed.runs.claim(RequestKind.RETRAIN, "w", at), 1, at)
    deployed.runs.progress(run, 0.7, "fitting a forest")
    assert deployed.lead().endswith("a retrain run is going on (fitting a forest, 70%).")
    assert "going on, 70 %" in deployed.said("/models/flights_late")


def test_many_drifted_columns_are_counted(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, drifted=["temp", "dewp", "humid", "wind"])
    assert "temp, dewp and humid moved most, of 4 that drifted; " in deployed.lead()


def wobbled(column, p, detail=""):
    return Score(
        Check.DRIFT, column, METHOD, p, 0.1, BreachWhen.BELOW, 26, 480, detail=detail
    )  # fmt: skip


def test_columns_that_come_together_otherwise_are_unconfirmed(deployed):
    deployed.model(FLIGHTS)
    beyond = Score(
        Check.MULTIVARIATE, None, "domain_classifier", 0.6, 0.55, BreachWhen.ABOVE, 4000, 480
    )
    deployed.judge(FLIGHTS, 0, more=[beyond])
    assert deployed.lead() == (
        "Fine: the window to 2013-01-14 shows something unconfirmed, columns come together otherwise than before."
    )


def test_under_a_budget_the_columns_beyond_their_wobble_are_counted(deployed):
    deployed.model(FLIGHTS)
    scores = [wobbled("temp", 0.0001), wobbled("wind", 0.01), wobbled("hour", 0.9)]
    deployed.judge(FLIGHTS, 0, auc=0.7, more=scores)
    assert deployed.lead().startswith(
        "Drift since 2013-01-07: 2 of 3 columns moved more than their week-to-week wobble, "
        "temp and wind most; "
    )
    assert "calibrated" in deployed.said(f"/models/{FLIGHTS}/windows/2013-01-07T00:00:00Z")


def test_under_a_budget_what_moved_once_is_named(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, auc=0.7, drifted=["dewp"], more=[wobbled("temp", 0.09)])
    assert deployed.lead() == (
        "Fine: the window to 2013-01-14 shows something unconfirmed, temp moved once, "
        "not confirmed yet."
    )


def test_of_a_model_that_is_not_calibrated_it_is_said_where_drift_is_told(deployed):
    deployed.model(FLIGHTS)
    why = wobbled(None, None, "uncalibrated: the reference has 4 windows, 8 are needed")
    drifted = ["temp", "dewp", "humid", "wind", "hour"]
    deployed.judge(FLIGHTS, 0, auc=0.7, drifted=drifted, more=[why])
    assert "(uncalibrated: the reference has 4 windows, 8 are needed)" in deployed.lead()


def test_an_estimated_fall_is_told_as_an_estimate(deployed):
    deployed.model(FLIGHTS)
    fallen = Score(
        Check.ESTIMATE, None, "roc_auc", 0.61, 0.66, BreachWhen.BELOW, 470, 480,
        standard_error=0.01, reference_value=0.703,
    )  # fmt: skip
    deployed.judge(FLIGHTS, 0, more=[fallen])
    assert deployed.lead().startswith(
        "Performance is estimated to have fallen since 2013-01-07: ROC AUC is 0.610, on the "
        "reference 0.703, without labels; "
    )


def test_a_slow_fall_is_told_with_what_has_added_up(deployed):
    deployed.model(FLIGHTS)
    note = "ROC AUC 0.020 worse than the reference on average of 7 windows"
    chart = (Check.PERFORMANCE, None, SLOW_FALL, 5.2, 4.5, BreachWhen.ABOVE, 8, 7)
    deployed.judge(FLIGHTS, 0, auc=0.69, more=[Score(*chart, detail=note)])
    told = "Performance has fallen slowly since 2013-01-07: ROC AUC 0.020 worse than the reference"
    assert deployed.lead().startswith(told)
    deployed.judge(FLIGHTS, 0, auc=0.61, more=[Score(*chart, detail=note)], revision=2)
    assert deployed.lead().startswith("Performance has fallen since 2013-01-07: ROC AUC is 0.610")
