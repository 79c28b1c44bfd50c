"""Which alerts a verdict opens, continues, resolves or retracts, and what they say."""

from datetime import timedelta

import pytest

from monitor.alert import N_NAMED, Alert, AlertChange, Judged, Opening, alerts, describe
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.diagnosis import diagnose
from monitor.verdict import Verdict
from monitor.window import MONDAY, Window

WEEK = timedelta(days=7)
OK, WARNING, BREACH = Status.OK, Status.WARNING, Status.BREACH
NO_DATA, ERROR = Status.NO_DATA, Status.ERROR
OPENED, CONTINUED = AlertChange.OPENED, AlertChange.CONTINUED
RESOLVED, RETRACTED = AlertChange.RESOLVED, AlertChange.RETRACTED


def window(number):
    return Window(MONDAY + number * WEEK, MONDAY + (number + 1) * WEEK)


def opening(number, identity=7, breaches=()):
    starts = {window(one).key: window(one).start for one in (number, *breaches)}
    return Opening(identity, window(number).key, window(number).start, breaches=starts)


def score(check, column, value, status=BREACH, **other: object):
    plain = {"method": "psi", "threshold": 0.1, "breach_when": BreachWhen.ABOVE}
    made = {**plain, "n_reference": 100, "n_current": 100, "status": status, **other}
    return Score(check=check, column=column, value=value, **made)


SCORES = {
    Check.DRIFT: score(Check.DRIFT, "x", 0.5),
    Check.QUALITY: score(Check.QUALITY, "x", 0.9, method="missing"),
    Check.PERFORMANCE: score(
        Check.PERFORMANCE, None, 0.6, method="roc_auc", threshold=0.7, breach_when=BreachWhen.BELOW
    ),
    Check.ESTIMATE: score(
        Check.ESTIMATE, None, 0.6, method="roc_auc", threshold=0.7, breach_when=BreachWhen.BELOW
    ),
    Check.MULTIVARIATE: score(
        Check.MULTIVARIATE, None, 0.6, method="domain_classifier", threshold=0.55
    ),
}


def judged(number=5, revision=1, *, provisional=False, **statuses: Status):
    """Judge a window; each check named has its status, and a score where that is a breach."""
    checks = {check: statuses.get(check, OK) for check in Check}
    scores = [SCORES[check] for check, status in checks.items() if status is BREACH]
    scores += [
        score(check, "x", None, ERROR, failed=True, detail="ValueError: no")
        for check, status in checks.items()
        if status is ERROR
    ]
    verdict = Verdict(OK, checks, tuple(scores), 0.5, provisional=provisional)
    return Judged(window(number), revision, 1, verdict, diagnose(verdict))


def changes(found):
    return [(alert.check, alert.change, alert.opening) for alert in found]


@pytest.mark.parametrize("check", list(Check))
@pytest.mark.parametrize("status", [BREACH, ERROR])
def test_a_breach_or_a_check_that_failed_opens_an_alert(check, status):
    assert changes(alerts(judged(**{check: status}), {})) == [(check, OPENED, None)]


@pytest.mark.parametrize("status", [OK, WARNING, NO_DATA])
def test_nothing_else_opens_one(status):
    assert alerts(judged(drift=status, quality=status, performance=status), {}) == ()


@pytest.mark.parametrize("number", [4, 5, 6])
@pytest.mark.parametrize("status", [BREACH, ERROR])
def test_an_open_alert_continues_while_the_breach_does(number, status):
    found = alerts(judged(5, drift=status), {Check.DRIFT: opening(number)})
    assert changes(found) == [(Check.DRIFT, CONTINUED, 7)]


@pytest.mark.parametrize("status", [OK, WARNING])
def test_a_later_window_without_the_breach_resolves_the_alert(status):
    (found,) = alerts(judged(6, drift=status), {Check.DRIFT: opening(5)})
    assert found == Alert(Check.DRIFT, RESOLVED, "drift is back within bounds", 7)


@pytest.mark.parametrize("status", [OK, WARNING])
def test_the_window_that_opened_an_alert_retracts_it_when_it_looks_different_now(status):
    (found,) = alerts(judged(5, revision=2, performance=status), {Check.PERFORMANCE: opening(5)})
    assert (found.change, found.opening) == (RETRACTED, 7)
    assert found.sentence.startswith("performance is no breach after all")


@pytest.mark.parametrize("number", [5, 6])
def test_the_first_labels_of_a_window_are_no_all_clear(number):
    openings = {Check.PERFORMANCE: opening(5, 1), Check.DRIFT: opening(5, 2)}
    found = alerts(judged(number, revision=2, provisional=True), openings)
    assert [alert.check for alert in found] == [Check.DRIFT]


@pytest.mark.parametrize("number", [5, 6])
def test_an_alert_goes_on_while_a_later_window_breaches(number):
    openings = {Check.DRIFT: opening(5, breaches=[7])}
    assert alerts(judged(number, revision=2), openings) == ()


def test_an_alert_ends_when_its_last_breach_looks_different_now():
    (found,) = alerts(judged(7, revision=2), {Check.DRIFT: opening(5, breaches=[7])})
    assert found.change is RESOLVED


def test_news_of_an_older_window_ends_no_later_alert():
    assert alerts(judged(4, revision=2), {Check.DRIFT: opening(5)}) == ()


def test_a_revision_of_an_old_window_may_still_open_an_alert():
    found = alerts(judged(2, revision=3, performance=BREACH), {})
    assert changes(found) == [(Check.PERFORMANCE, OPENED, None)]


def test_a_window_without_data_leaves_an_alert_as_it_is():
    assert alerts(judged(6, drift=NO_DATA), {Check.DRIFT: opening(5)}) == ()


def test_each_check_has_its_own_alert():
    found = alerts(
        judged(6, drift=BREACH, performance=OK),
        {Check.PERFORMANCE: opening(5, 1), Check.QUALITY: opening(6, 2)},
    )
    assert changes(found) == [
        (Check.DRIFT, OPENED, None),
        (Check.QUALITY, RETRACTED, 2),
        (Check.PERFORMANCE, RESOLVED, 1),
    ]


@pytest.mark.parametrize("status", [BREACH, ERROR])
@pytest.mark.parametrize("openings", [{}, {Check.DRIFT: opening(4), Check.PERFORMANCE: opening(4)}])
def test_while_the_feed_is_broken_drift_and_performance_only_echo_it(status, openings):
    broken = judged(5, quality=BREACH, drift=status, performance=status)
    assert changes(alerts(broken, openings)) == [(Check.QUALITY, OPENED, None)]


# what they say


def test_a_broken_feed_is_no_all_clear_for_drift_and_performance():
    openings = {check: opening(2) for check in (Check.DRIFT, Check.PERFORMANCE)}
    found = alerts(judged(5, quality=BREACH), openings)
    assert changes(found) == [(Check.QUALITY, OPENED, None)]


def test_an_incident_s_alert_says_what_is_broken():
    (found,) = alerts(judged(quality=BREACH), {})
    assert found.sentence == "the feed looks broken: x: 90% of rows have no value (reference 0%)"


def test_a_failed_check_s_alert_names_the_column_and_the_error():
    (found,) = alerts(judged(drift=ERROR), {})
    assert found.sentence == "drift could not be checked: x: ValueError: no"


def test_a_performance_alert_gives_the_metric_and_its_limit():
    (found,) = alerts(judged(performance=BREACH), {})
    assert found.sentence == "roc_auc is 0.600, its limit 0.700"


def test_a_drift_alert_names_the_three_columns_that_moved_most():
    values = {"a": 0.2, "b": 0.9, "c": 0.3, "d": 0.5}
    p_value = score(
        Check.DRIFT, "p", 1e-5, method="ks", threshold=0.05, breach_when=BreachWhen.BELOW
    )
    scores = (*(score(Check.DRIFT, name, value) for name, value in values.items()), p_value)
    verdict = Verdict(BREACH, {Check.DRIFT: BREACH}, scores, 0.625, provisional=False)
    assert describe(verdict, Check.DRIFT) == (
        "62% of the columns drifted, most of all p (ks 1e-05 < 0.05), b (psi 0.9 > 0.1), "
        "d (psi 0.5 > 0.1)"
    )
    assert describe(verdict, Check.DRIFT).count(" (") == N_NAMED


def test_an_alert_about_an_estimate_ends_when_performance_is_measured():
    (ended,) = alerts(judged(revision=2), {Check.ESTIMATE: opening(5)})
    assert (ended.change, ended.opening) == (AlertChange.RESOLVED, 7)
    assert ended.sentence == "performance is measured now, which stands in place of the estimate"
    (taken_back,) = alerts(judged(revision=2, provisional=True), {Check.ESTIMATE: opening(5)})
    assert taken_back.change is AlertChange.RETRACTED
