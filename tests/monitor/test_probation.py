"""The evidence against a champion, as numbers: what it may never exceed, and what it must reach."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.losses import Pairs, loss_differences, metric_gain
from monitor.probation import (
    BETS,
    MAX_MARGIN,
    Evidence,
    Probation,
    ProbationPolicy,
    Trial,
    TrialStatus,
    weigh,
)
from monitor.schema import Schema, Task

BINARY = Schema(Task.BINARY, features={}, target="y", classes=("0", "1"))
CLASSES = Schema(Task.MULTICLASS, features={}, target="y", classes=("a", "b", "c"))
NUMBERS = Schema(Task.REGRESSION, features={}, target="y")
START = datetime(2026, 1, 5, tzinfo=UTC)
HORIZON = timedelta(days=90)
POLICY = ProbationPolicy()

finite = st.floats(-1e9, 1e9)
rows = st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=20)


def trial(*found: Evidence):
    made = Trial(Probation(1, 2, 1, START))
    for number, one in enumerate(found):
        made = made.with_window(str(number), one)
    return made


def status(made, policy=POLICY, now=START):
    return made.status(policy, now=now, horizon=HORIZON)


def binary(rng, n_rows, noise_of_champion, noise_of_predecessor=0.0):
    """Make rows whose logit is known but for noise."""
    logit = rng.normal(size=n_rows) * 1.5
    labels = (rng.uniform(size=n_rows) < 1 / (1 + np.exp(-logit))).astype(float)
    made = [
        1 / (1 + np.exp(-logit - noise * rng.normal(size=n_rows)))
        for noise in (noise_of_champion, noise_of_predecessor)
    ]
    return Pairs(labels, *made)


def evidence(pairs, schema=BINARY, metric="accuracy", margin=0.0):
    return weigh(pairs, schema, metric, unit=1.0, margin=margin)


@given(rows, st.floats(0, 10))
def test_differences_of_absolute_errors_never_leave_their_bound(found, unit):
    labels, champion, predecessor = (np.array(one) for one in zip(*found, strict=True))
    differences = loss_differences(Pairs(labels, champion, predecessor), NUMBERS, unit=unit)
    assert np.all(np.abs(differences) <= 1)


@given(st.floats(-1, 1), st.floats(0, MAX_MARGIN))
def test_no_bet_can_lose_everything(difference, margin):
    above = (1 + difference) / 2 - (1 + margin) / 2
    assert all(1 + bet * above > 0 for bet in BETS)


def test_the_capital_of_a_harmless_champion_is_not_expected_to_grow():
    """The mean over all equally likely rows is exactly the capital that was there before."""
    labels, champion, predecessor = np.array([1.0, 0.0]), np.array([0.7, 0.7]), np.array([0.3, 0.3])
    each = [evidence(Pairs(labels[[i]], champion[[i]], predecessor[[i]])) for i in range(2)]
    assert np.mean([trial(one).e_value for one in each]) == pytest.approx(1.0, abs=1e-12)


def test_a_harmless_champion_is_rarely_rolled_back_however_often_one_looks():
    n_back = 0
    for seed in range(100):
        rng, made = np.random.default_rng(seed), trial()
        for number in range(10):
            made = made.with_window(str(number), evidence(binary(rng, 100, 0.7, 0.7)))
            if status(made) is TrialStatus.BREACHED:
                n_back += 1
                break
    assert n_back <= 5


def test_a_harmful_champion_is_rolled_back_within_two_thousand_rows():
    n_back = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = [evidence(binary(rng, 250, 1.6)) for _ in range(8)]
        n_back += any(status(trial(*found[: n + 1])) is TrialStatus.BREACHED for n in range(8))
    assert n_back >= 38


def test_the_evidence_is_the_same_in_every_order_and_division_of_the_rows():
    pairs = binary(np.random.default_rng(0), 400, 0.8)
    parts = [
        evidence(Pairs(*(one[part] for one in (pairs.labels, pairs.champion, pairs.predecessor))))
        for part in (slice(0, 100), slice(100, 400))
    ]
    whole, split = trial(evidence(pairs)), trial(*reversed(parts))
    assert split.e_value == pytest.approx(whole.e_value)
    assert (split.n_rows, split.harm) == (400, pytest.approx(whole.harm))


def test_a_window_that_comes_again_replaces_what_it_said_before():
    rng = np.random.default_rng(0)
    first, later = evidence(binary(rng, 50, 1.0)), evidence(binary(rng, 200, 1.0))
    assert trial(first).with_window("0", later).windows == {"0": later}
    assert trial(first).with_window("0", None).n_rows == 0


def test_better_answers_with_worse_probabilities_are_not_taken_back():
    """The champion ranks and decides better, but is far too sure of itself."""
    rng = np.random.default_rng(0)
    logit = rng.normal(size=4_000)
    labels = (rng.uniform(size=4_000) < 1 / (1 + np.exp(-logit))).astype(float)
    champion = 1 / (1 + np.exp(-8 * logit))
    predecessor = 1 / (1 + np.exp(-0.7 * logit - 0.3 * rng.normal(size=4_000)))
    pairs = Pairs(labels, champion, predecessor)
    made = trial(evidence(pairs, metric="roc_auc"))
    assert metric_gain(pairs, BINARY, "roc_auc") > 0
    assert made.e_value > 20
    assert status(made) is TrialStatus.OPEN


def test_harm_within_the_margin_is_put_up_with():
    pairs = binary(np.random.default_rng(0), 2_000, 1.2)
    assert trial(evidence(pairs)).e_value > 20
    assert trial(evidence(pairs, margin=0.2)).e_value < 1


def test_classes_and_numbers_count_as_well():
    labels = np.array(["a", "b", "c"] * 200)
    wrong = np.where(np.arange(600) % 10 == 0, "a", labels)
    made = trial(evidence(Pairs(labels, wrong, labels), CLASSES))
    assert made.harm == pytest.approx(40 / 600)
    assert status(made) is TrialStatus.BREACHED
    truth = np.zeros(600)
    made = trial(evidence(Pairs(truth, truth + 0.3, truth - 0.2), NUMBERS, "rmse"))
    assert made.harm == pytest.approx(0.1)
    assert status(made) is TrialStatus.BREACHED


def test_probabilities_of_classes_show_harm_that_the_classes_named_do_not():
    labels, named = np.array(["a", "b", "c"] * 200), np.array(["a", "b", "b"] * 200)
    sure = 0.8 * (labels[:, None] == np.array(CLASSES.classes)) + 0.2 / 3
    unsure = np.full_like(sure, 1 / 3)
    made = trial(evidence(Pairs(labels, named, named, (unsure, sure)), CLASSES))
    assert made.harm == pytest.approx((2 / 3 - 0.2**2 * (4 / 9 + 2 / 9)) / 2)
    assert made.e_value > 20
    assert trial(evidence(Pairs(labels, named, named), CLASSES)).e_value == 1.0


@pytest.mark.parametrize(
    ("policy", "after", "expected"),
    [
        (POLICY, timedelta(0), TrialStatus.OPEN),
        (ProbationPolicy(rows=100), timedelta(0), TrialStatus.PASSED),
        (ProbationPolicy(windows=2), timedelta(0), TrialStatus.PASSED),
        (POLICY, HORIZON, TrialStatus.EXPIRED),
    ],
)
def test_it_ends_after_rows_windows_or_when_no_label_can_come(policy, after, expected):
    made = trial(Evidence(50), Evidence(50))
    assert status(made, policy, START + after) is expected


def test_a_champion_without_a_labelled_row_has_no_harm_yet():
    assert (trial().e_value, trial().harm) == (1.0, None)
    assert trial().sentence(Task.BINARY, "accuracy") == (
        "version 2 is on probation since 2026-01-05 00:00 UTC; no labelled row yet"
    )
