"""Broken feed, moved inputs, changed relation, or nothing: which of them a verdict shows."""

from datetime import UTC, datetime

import pytest

from monitor.change import Change
from monitor.checks.broken import Break
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


UNTESTED = "whether their relation to the outcome changed is not tested"


@pytest.mark.parametrize(
    ("drift", "performance", "kind", "sentence"),
    [
        (BREACH, OK, DiagnosisKind.COVARIATE, "the inputs have moved"),
        (
            BREACH,
            BREACH,
            DiagnosisKind.COVARIATE,
            f"the inputs have moved and performance has fallen; {UNTESTED}",
        ),
        (BREACH, WARNING, DiagnosisKind.COVARIATE, "the inputs have moved"),
        (
            OK,
            BREACH,
            DiagnosisKind.CONCEPT,
            f"performance has fallen though most inputs look as before; {UNTESTED}",
        ),
        (
            WARNING,
            BREACH,
            DiagnosisKind.CONCEPT,
            f"performance has fallen though most inputs look as before; {UNTESTED}",
        ),
    ],
)
def test_untested_drift_is_covariate_and_a_fall_without_it_concept(
    drift, performance, kind, sentence
):
    assert diagnose(verdict(drift=drift, performance=performance)) == Diagnosis(kind, (), sentence)


def test_why_a_fall_was_not_tested_is_said():
    silent = Score(
        Check.ESTIMATE, None, "mae", None, None, BreachWhen.ABOVE, 0, 9,
        detail="not estimated: too few rows",
    )  # fmt: skip
    found = diagnose(verdict(silent, performance=BREACH))
    assert found.sentence.endswith(f"{UNTESTED} (not estimated: too few rows)")


CONCEPT = Change("accuracy", 0.0, -0.01, -0.06, 5.0, 0.015)
BY_INPUTS = Change("accuracy", 0.0, -0.06, -0.01, 1.0, 0.015)
NEITHER = Change("accuracy", -0.06, 0.0, -0.01, 1.0, 0.015)


@pytest.mark.parametrize(
    ("drift", "performance", "change", "kind", "sentence"),
    [
        (
            OK,
            BREACH,
            CONCEPT,
            "concept",
            "the relation of inputs and outcome has changed: of -0.07",
        ),
        (BREACH, BREACH, CONCEPT, "concept", "the relation of inputs and outcome has changed: of"),
        (OK, OK, CONCEPT, "concept", "changed, though performance is within its limit: of"),
        (OK, BREACH, BY_INPUTS, "covariate", "the inputs have moved to where the model is weaker"),
        (BREACH, BREACH, BY_INPUTS, "covariate", "-0.060 because inputs moved"),
        (OK, BREACH, NEITHER, "concept", "as before; not told apart: of -0.070 accuracy against"),
        (BREACH, BREACH, NEITHER, "covariate", "-0.060 when the version was made"),
        (BREACH, OK, BY_INPUTS, "covariate", "the inputs have moved"),
        (OK, OK, BY_INPUTS, "none", "nothing stands out"),
    ],
)
def test_a_tested_change_decides_between_covariate_and_concept(
    drift, performance, change, kind, sentence
):
    found = diagnose(verdict(drift=drift, performance=performance), change=change)
    assert (found.kind, found.change) == (kind, change)
    assert sentence in found.sentence


def test_a_broken_feed_is_no_changed_relation():
    found = diagnose(verdict(quality("x", "missing", 0.9), performance=BREACH), change=CONCEPT)
    assert (found.kind, found.change) == (DiagnosisKind.INCIDENT, None)


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


SINCE = datetime(2026, 5, 13, 8, tzinfo=UTC)


def found_by(column, sign, name, n_rows=120, since=SINCE):
    return Break(column, sign, name, 40, n_rows, since=since)


def test_the_incident_names_transform_column_beginning_and_rows():
    score = quality("x", "scale", 0.75, threshold=0.0, detail="times 1,000")
    far_out = quality("x", "out_of_range", 0.75)
    found = diagnose(verdict(far_out, score), [found_by("x", "scale", "times 1,000")])
    sentence = "x: numbers came times 1,000 since 2026-05-13 08:00 UTC, 120 rows"
    assert found.findings == (Finding("x", "scale", sentence, "times 1,000", SINCE, 120),)
    assert found.sentence == f"the feed looks broken: {sentence}"


def test_columns_that_broke_at_the_same_row_are_said_to_have_something_in_common():
    scores = [quality(name, "missing", 0.9) for name in "xyz"]
    breaks = [found_by(name, "missing", "") for name in "xy"]
    found = diagnose(verdict(*scores), breaks)
    assert found.sentence.endswith(
        "; 2 columns since the same row: look at what they have in common"
    )
    assert "since" not in diagnose(verdict(*scores)).sentence


def test_what_is_wrong_with_whole_rows_is_no_column_that_broke_with_another():
    scores = [quality("x", "missing", 0.9), quality(None, "repeated", 0.3)]
    found = diagnose(verdict(*scores), [found_by("x", "missing", ""), found_by("", "repeated", "")])
    assert [finding.since for finding in found.findings] == [SINCE, SINCE]
    assert "in common" not in found.sentence


def test_rows_that_repeat_others_are_an_incident_unless_a_column_makes_them_alike():
    twice = quality(None, "repeated", 0.3, reference_value=0.02)
    found = diagnose(verdict(twice))
    assert found.sentence == (
        "the feed looks broken: 30% of the rows repeat another one in every feature (reference "
        "2%): a load may have run twice"
    )
    since = diagnose(verdict(twice), [found_by("", "repeated", "")])
    assert since.sentence == f"{found.sentence} since 2026-05-13 08:00 UTC, 120 rows"
    found = diagnose(verdict(twice, quality("x", "frozen", 1.0)))
    assert [finding.sign for finding in found.findings] == ["frozen"]
    # Rows without a value were left out of the share.
    found = diagnose(verdict(twice, quality("x", "missing", 0.4)))
    assert {finding.sign for finding in found.findings} == {"missing", "repeated"}


def test_numbers_far_out_that_only_warn_are_said_beside_what_moved():
    far_out = quality("x", "out_of_range", 0.3, WARNING)
    told = "values of x lie far outside the reference's range"
    moved = diagnose(verdict(far_out, drift=BREACH))
    assert (moved.kind, moved.sentence) == (
        DiagnosisKind.COVARIATE,
        f"the inputs have moved; {told}",
    )
    calm = diagnose(verdict(far_out))
    assert (calm.kind, calm.sentence) == (
        DiagnosisKind.NONE,
        f"nothing stands out; {told}, as far as such a column moves by itself",
    )


def together(status, detail="what comes together has changed, most of all in x, y"):
    return Score(
        Check.MULTIVARIATE, None, "domain_classifier", 0.6, 0.55, BreachWhen.ABOVE, 9, 9,
        status=status, detail=detail,
    )  # fmt: skip


def test_columns_that_come_together_otherwise_are_named():
    calm = diagnose(verdict(together(WARNING), multivariate=WARNING))
    assert (calm.kind, calm.sentence) == (
        DiagnosisKind.NONE,
        (
            "nothing stands out; no column has moved enough by itself for an alert, and what comes "
            "together has changed, most of all in x, y"
        ),
    )
    drifted = diagnose(verdict(together(WARNING), drift=BREACH))
    assert drifted.sentence == (
        "the inputs have moved; what comes together has changed, most of all in x, y"
    )
    assert diagnose(verdict(together(OK))).sentence == "nothing stands out"


def test_a_fall_with_columns_that_come_together_otherwise_is_no_sign_of_concept_drift():
    found = diagnose(verdict(together(WARNING), performance=BREACH))
    assert found.kind is DiagnosisKind.COVARIATE


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
