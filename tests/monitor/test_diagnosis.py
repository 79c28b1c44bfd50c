"""Broken feed, moved inputs, changed relation, or nothing: which of them a verdict shows."""

import pytest

from monitor.checks.calibrated import METHOD
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.diagnosis import Diagnosis, DiagnosisKind, Finding, diagnose
from monitor.verdict import Verdict

OK, WARNING, BREACH, ERROR = Status.OK, Status.WARNING, Status.BREACH, Status.ERROR
NO_DATA = Status.NO_DATA


def quality(column, method, value, status=BREACH, **other: object):
    plain = {"threshold": 0.1, "breach_when": BreachWhen.ABOVE, "n_reference": 0, "n_current": 100}
    return Score(Check.QUALITY, column, method, value, status=status, **{**plain, **other})


def verdict(*scores: Score, **statuses: Status):
    checks = {check: statuses.get(check, OK) for check in Check}
    return Verdict(OK, checks, scores, 0.0, provisional=False)


def test_a_calm_window_shows_nothing():
    assert diagnose(verdict()) == Diagnosis(DiagnosisKind.NONE, (), "nothing stands out")


@pytest.mark.parametrize("status", [OK, WARNING, ERROR, NO_DATA])
def test_only_a_breach_is_a_change(status):
    calm = verdict(
        quality("x", "missing", 0.9, status), drift=status, performance=status, estimate=status
    )
    assert diagnose(calm).kind is DiagnosisKind.NONE


@pytest.mark.parametrize(
    ("drift", "performance", "kind", "sentence"),
    [
        (BREACH, OK, DiagnosisKind.COVARIATE, "the inputs have moved"),
        (
            BREACH,
            BREACH,
            DiagnosisKind.COVARIATE,
            "the inputs have moved and performance has fallen",
        ),
        (BREACH, WARNING, DiagnosisKind.COVARIATE, "the inputs have moved"),
        (
            OK,
            BREACH,
            DiagnosisKind.CONCEPT,
            "performance has fallen though most inputs look as before",
        ),
        (
            WARNING,
            BREACH,
            DiagnosisKind.CONCEPT,
            "performance has fallen though most inputs look as before",
        ),
    ],
)
def test_drift_is_covariate_and_a_fall_without_it_concept(drift, performance, kind, sentence):
    assert diagnose(verdict(drift=drift, performance=performance)) == Diagnosis(kind, (), sentence)


def test_an_estimated_fall_is_covariate_for_nothing_else_moves_an_estimate():
    found = diagnose(verdict(estimate=BREACH))
    sentence = "the inputs have moved to where performance is estimated to be worse"
    assert found == Diagnosis(DiagnosisKind.COVARIATE, (), sentence)


@pytest.mark.parametrize(
    ("method", "value", "sentence"),
    [
        ("missing", 0.98, "x: 98% of rows have no value (reference 2%)"),
        ("unseen", 0.75, "x: 75% of values were never seen in the reference"),
        ("out_of_range", 0.5, "x: 50% of values lie far outside the reference's range"),
        ("schema_missing", 1.0, "x: the column did not arrive in 100% of rows"),
        ("schema_extra", 0.3, "x: a column the schema does not know, in 30% of rows"),
        ("schema_retyped", 0.1, "x: 10% of rows came in another type"),
    ],
)
def test_each_sign_of_a_broken_column_is_said_in_plain_words(method, value, sentence):
    found = diagnose(verdict(quality("x", method, value, reference_value=0.02)))
    assert found.kind is DiagnosisKind.INCIDENT
    assert found.findings == (Finding("x", method, sentence),)
    assert found.sentence == f"the feed looks broken: {sentence}"


def test_a_broken_feed_outweighs_all_that_it_moves():
    found = diagnose(verdict(quality("x", "missing", 0.9), drift=BREACH, performance=BREACH))
    assert found.kind is DiagnosisKind.INCIDENT


def test_every_broken_column_is_found_once_the_worst_first():
    found = diagnose(
        verdict(
            quality("a", "missing", 0.2),
            quality("b", "missing", 0.9),
            quality("b", "unseen", 0.8),
            quality("calm", "missing", 0.0, OK),
            quality("c", "out_of_range", 0.5),
        )
    )
    assert [(f.column, f.sign) for f in found.findings] == [
        ("b", "missing"), ("c", "out_of_range"), ("a", "missing"),
    ]  # fmt: skip
    assert found.sentence.count(";") == 2


def test_a_column_that_did_not_arrive_is_not_reported_as_null_as_well():
    found = diagnose(
        verdict(quality("x", "missing", 1.0), quality("x", "schema_missing", 0.5, threshold=0.4))
    )
    assert [(f.column, f.sign) for f in found.findings] == [("x", "schema_missing")]


def drift(column, status, method="psi"):
    return Score(Check.DRIFT, column, method, 0.1, 0.1, BreachWhen.BELOW, 9, 9, status=status)


def test_what_moved_and_opens_no_alert_is_named_with_the_reason():
    once = [drift(name, WARNING, METHOD) for name in "abcd"]
    beside = [drift("e", WARNING), drift(None, NO_DATA, METHOD)]
    assert diagnose(verdict(*once, *beside, drift=WARNING)).sentence == (
        "nothing stands out; a, b, c and 1 more moved once, and is told when it does again within "
        "two windows"
    )
    assert diagnose(verdict(drift("x", BREACH), drift=WARNING)).sentence == (
        "nothing stands out; x beyond the limit, too few columns for an alert"
    )
