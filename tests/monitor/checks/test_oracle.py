"""Drift scores on frames that Hypothesis makes up, held against Evidently 0.7.23 itself.

A frame goes whole to ``Report([DataDriftPreset()], include_tests=True)`` and whole to ours; method,
score, threshold and flag of every column are compared, and the share of drifted columns.

``LEEWAY_ORACLE_FRAMES`` says how many frames: 500 unless it is set. Up to 500 every run makes the
same frames; more of them are random, and a failure prints how to make the one that broke again.

Evidently is given every column as pandas has it, with three exceptions (`as_evidently_takes_it`).
Truth values and decimals of a numeric column are given as numbers, because its Report refuses them.
Levels that have another type in the window than in the reference are given by their names, which is
how Leeway tells levels apart. And float32 numbers beside another type are given as float64: it
counts distinct values in the wider of both types, but compares them in the narrower.
"""

import math
import os
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.methods import METHODS
from monitor.checks.quality import QualityPolicy
from monitor.checks.score import Check, Status
from monitor.columns import TableColumns, class_name
from monitor.reference import prepare
from monitor.schema import Schema, Task
from monitor.verdict import score_status, share_drifted
from tests.monitor.checks.frames import (
    CAT,
    COMPARED,
    EXACT_INTEGER,
    NUM,
    Frame,
    extreme,
    frame_of,
    frames,
    ordinary,
    plain_columns,
    plain_frames,
    scaled,
    small_sizes,
)

DEFAULT_FRAMES = 500
N_FRAMES = int(os.environ.get("LEEWAY_ORACLE_FRAMES", DEFAULT_FRAMES))

TYPE_NAMES = {NUM: "num", CAT: "cat"}
METHODS_BY_KIND = [(name, kind) for name, m in METHODS.items() for kind in sorted(m.kinds)]
DEALING = ("TVD", "empirical_mmd")
"""Methods that deal the rows out anew, a thousand or a hundred times."""

BY_ROW_ORDER = (*DEALING, "es")
"""Methods whose number changes with the order of the rows, which a reference does not keep: es
inverts a matrix that few values make nearly singular."""


def oracle_settings(n_examples):
    return settings(
        max_examples=max(1, n_examples),
        derandomize=N_FRAMES <= DEFAULT_FRAMES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def scores_of(frame, policy=None):
    """Score a frame as Leeway does."""
    schema = Schema(Task.REGRESSION, frame.kinds, "label")
    reference, current = (
        TableColumns(pa.Table.from_pandas(side, preserve_index=False))
        for side in (frame.reference, frame.current)
    )
    prepared = prepare(reference, schema, performance={})
    scores = column_scores(prepared, current, policy or DriftPolicy(), QualityPolicy())
    return {s.column: replace(s, status=score_status(s)) for s in scores if s.check is Check.DRIFT}


@dataclass(frozen=True)
class Answer:
    """What Evidently says of one column."""

    method: str
    value: float
    threshold: float
    drifted: bool


@pytest.fixture(scope="module")
def evidently():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        top, presets = import_module("evidently"), import_module("evidently.presets")
        statistics = import_module("evidently.metrics.column_statistics")
        registry = import_module("evidently.legacy.calculations.stattests.registry")
        core = import_module("evidently.legacy.core")
    with pytest.MonkeyPatch.context() as patch:
        # The drawings take three quarters of a Report's time, and come after its numbers.
        patch.setattr(statistics.ValueDriftCalculation, "_render", lambda *_: [])
        patch.setattr(presets.DataDriftPreset, "render", lambda *_, **__: [])
        yield SimpleNamespace(
            DataDefinition=top.DataDefinition,
            Dataset=top.Dataset,
            Report=top.Report,
            DataDriftPreset=presets.DataDriftPreset,
            ColumnType=core.ColumnType,
            registry=registry,
        )


def as_evidently_takes_it(frame):
    sides = ({}, {})
    for name, kind in frame.kinds.items():
        taken = (as_numbers if kind is NUM else by_one_type)(*frame.pair(name))
        for side, values in zip(sides, taken, strict=True):
            side[name] = values
    return Frame(frame.kinds, *map(pd.DataFrame, sides))


def as_numbers(*pair: pd.Series):
    plain = {"object": "float64", "bool": "int64", "boolean": "Int64"}  # object: decimals
    if pair[0].dtype != pair[1].dtype:
        plain["float32"] = "float64"
    return [side.astype(plain.get(str(side.dtype), side.dtype)) for side in pair]


def by_one_type(*pair: pd.Series):
    if len({family_of(side) for side in pair} - {"empty"}) == 1:
        return pair
    return [side.map(class_name, na_action="ignore").astype(object) for side in pair]


def family_of(side):
    family = pd.api.types.infer_dtype(side.dropna().astype(object))
    return "number" if family in ("integer", "floating") else family


def cleaned(values):
    return values.replace([-np.inf, np.inf], np.nan).dropna()


def function_answer(evidently, frame, name, method=None, threshold=None):
    """Ask the method alone: None where a side has no values, the error where it raises one."""
    reference, current = map(cleaned, frame.pair(name))
    kind = frame.kinds[name]
    if kind is NUM and current.dtype == "str" and not current.empty:
        return ValueError("should contain numerical values only")  # as the Report has it
    if reference.empty or current.empty:
        return None
    if method in BY_ROW_ORDER:
        reference, current = in_order(reference, current)
        np.random.seed(0)  # noqa: NPY002 - the state that empirical_mmd draws from
    column_type = evidently.ColumnType(TYPE_NAMES[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function = evidently.registry.get_stattest(reference, current, column_type, method)
        try:
            result = function(reference, current, column_type, threshold)
        except Exception as error:  # noqa: BLE001 - whatever it is, ours has to fail too
            return error
    value, drifted = float(result.drift_score), bool(result.drifted)
    return Answer(function.name, value, result.actual_threshold, drifted)


def in_order(*pair: pd.Series):
    dtypes = [side.dtype for side in pair]
    if all(map(pd.api.types.is_integer_dtype, dtypes)):
        # empirical_mmd squares small integers in their own type, which does not hold the squares
        pair = [side.astype("int64") for side in pair]
    elif any(map(pd.api.types.is_float_dtype, dtypes)):
        pair = [side.astype("float64") for side in pair]
    return [side.sort_values() for side in pair]


def report_answers(evidently, frame, **preset: object):
    """Ask the Report: the answers by column, and the share of drifted columns."""
    definition = evidently.DataDefinition(
        numerical_columns=[name for name, kind in frame.kinds.items() if kind is NUM],
        categorical_columns=[name for name, kind in frame.kinds.items() if kind is CAT],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sides = [
            evidently.Dataset.from_pandas(side, data_definition=definition)
            for side in (frame.current, frame.reference)
        ]
        report = evidently.Report([evidently.DataDriftPreset(**preset)], include_tests=True)
        result = report.run(*sides).dict()
    [whole, *columns], [_, *tests] = result["metrics"], result["tests"]
    flags = {t["metric_config"]["params"]["column"]: t["status"].value == "FAIL" for t in tests}
    answers = {}
    for metric in columns:
        config, name = metric["config"], metric["config"]["column"]
        method = method_name(evidently, config["method"])
        answers[name] = Answer(method, metric["value"], config["threshold"], flags[name])
    return answers, whole["value"]["share"]


def method_name(evidently, shown):
    registered = evidently.registry._registered_stat_tests.values()
    tests = (test for by_type in registered for test in by_type.values())
    return next(test.name for test in tests if shown in (test.name, test.display_name))


def answers_of_what_the_report_takes(evidently, frame, **preset: object):
    """Ask the Report for all columns, or one by one where one of them costs all the others."""
    try:
        return report_answers(evidently, frame, **preset)
    except Exception:  # noqa: BLE001 - a histogram of 1e300, say, which is in no score
        answers = {}
    for name in frame.kinds:
        try:
            answers |= report_answers(evidently, frame.only([name]), **preset)[0]
        except Exception:  # noqa: BLE001 - as above; the method alone has answered
            continue
    return answers, None


def agree(score, answer, *, std_error=0.0):
    assert score.failed == isinstance(answer, Exception), (score.detail, answer)
    if answer is None or score.failed or math.isnan(answer.value):
        assert score.value is None
        assert score.detail
        return
    assert (score.method, score.threshold) == (answer.method, answer.threshold)
    if score.method == "wasserstein":
        assert score.value == pytest.approx(answer.value, rel=max(1e-9, std_error), abs=1e-12)
    elif score.method in ("jensenshannon", "hellinger"):
        # √ of terms of about 1 that cancel: close to 0 the root of their rounding errors is left,
        # which hangs on the order they are added in, in Evidently that of a set.
        assert score.value**2 == pytest.approx(answer.value**2, rel=1e-9, abs=1e-14)
    else:
        assert score.value == pytest.approx(answer.value, rel=1e-9, abs=1e-12)
    if not math.isclose(score.value, score.threshold, rel_tol=1e-9):
        assert (score.status is Status.BREACH) == answer.drifted


def agree_on_all(scores, answers, frame):
    for name, answer in answers.items():
        # pandas gives the std of float32 values as a float32, and only wasserstein needs it.
        rounded = all(side.dtype == np.float32 for side in frame.pair(name))
        agree(scores[name], answer, std_error=2.0**-23 if rounded else 0.0)


def agree_on_share(scores, answers, share):
    # Evidently counts a column whose score is NaN among those that have not drifted.
    n_numbers = sum(not math.isnan(answer.value) for answer in answers.values())
    ours = share_drifted([scores[name] for name in answers])
    assert (ours or 0.0) * n_numbers == pytest.approx(share * len(answers))


@pytest.mark.timeout(max(600, 2 * N_FRAMES))
def test_every_column_of_any_frame_scores_as_in_evidentlys_report(evidently):
    seen = Counter()

    @oracle_settings(N_FRAMES)
    @given(frames())
    def compare(frame) -> None:
        scores, taken = scores_of(frame), as_evidently_takes_it(frame)
        alone = {name: function_answer(evidently, taken, name) for name in frame.kinds}
        agree_on_all(scores, alone, frame)
        usable = [name for name, answer in alone.items() if isinstance(answer, Answer)]
        seen.update(["frame"])
        if not usable:
            return
        assert scores_of(frame.only(usable)) == {name: scores[name] for name in usable}
        answers, share = answers_of_what_the_report_takes(evidently, taken.only(usable))
        agree_on_all(scores, answers, frame)
        seen.update(scores[name].method for name in answers)
        if share is not None:
            agree_on_share(scores, answers, share)
            seen.update(["share"])

    compare()
    assert seen["frame"] >= N_FRAMES
    assert seen["share"] > 0.7 * N_FRAMES
    if N_FRAMES >= DEFAULT_FRAMES:
        assert seen.keys() >= {"ks", "wasserstein", "jensenshannon", "chisquare", "z"}


@pytest.mark.timeout(max(600, N_FRAMES))
@pytest.mark.parametrize(("method", "kind"), METHODS_BY_KIND)
def test_every_method_asked_for_by_name_scores_as_evidentlys_function(evidently, method, kind):
    # hellinger multiplies densities, which no float holds for bins of a width like 1e±300
    values = ordinary if method == "hellinger" else extreme
    seen = Counter()

    def compare(frame) -> None:
        answer = function_answer(evidently, frame, "a", method)
        agree(scores_of(frame, DriftPolicy({"a": method}))["a"], answer)
        seen[type(answer)] += 1

    @oracle_settings(N_FRAMES // 5)
    @given(small_sizes.flatmap(lambda n_rows: plain_columns(kind, n_rows, values)))
    def compare_any(column) -> None:
        # of numbers that both sides have, hellinger's bins are cut for the type in the reference
        assume(method != "hellinger" or column[1].dtype == column[2].dtype)
        compare(frame_of(column))

    @oracle_settings(N_FRAMES // 50)
    @given(few_rows.flatmap(lambda n_rows: plain_columns(kind, n_rows, values)))
    def compare_few(column) -> None:
        compare(frame_of((kind, *map(a_power_of_two, column[1:]))))

    (compare_few if method in DEALING else compare_any)()
    assert seen[Answer] > 0.2 * seen.total()


few_rows = st.tuples(*[st.sampled_from([2, 4, 8, 16])] * 2)


def a_power_of_two(side):
    # Their shares are exact. Of others TVD adds up rounding errors in the order of a set, which is
    # another one in every process, and counts a permutation as further away that is as far.
    known = cleaned(side)
    return known[: 1 << max(0, len(known).bit_length() - 1)].reset_index(drop=True)


limits = st.none() | st.sampled_from([0.01, 0.3, 2.0])
methods_of = {
    kind: st.sampled_from(
        [
            name
            for name, k in METHODS_BY_KIND
            if k is kind and name not in (*BY_ROW_ORDER, "hellinger")
        ]
    )
    for kind in COMPARED
}


@oracle_settings(N_FRAMES // 10)
@given(data=st.data())
def test_methods_and_thresholds_of_ones_own_mean_what_they_mean_in_the_preset(evidently, data):
    frame = data.draw(plain_frames())
    names = st.sets(st.sampled_from(sorted(frame.kinds)))
    of_kind = {kind: data.draw(st.none() | methods_of[kind]) for kind in COMPARED}
    limit_of_kind = {kind: data.draw(limits) for kind in COMPARED}
    own = {name: data.draw(methods_of[frame.kinds[name]]) for name in data.draw(names)}
    own_limits = {name: data.draw(limits) or 0.2 for name in data.draw(names)}
    policy = DriftPolicy(over(of_kind, own, frame), over(limit_of_kind, own_limits, frame))
    scores = scores_of(frame, policy)
    alone = {
        name: function_answer(
            evidently, frame, name, policy.methods.get(name), policy.thresholds.get(name)
        )
        for name in frame.kinds
    }
    agree_on_all(scores, alone, frame)
    usable = [name for name, answer in alone.items() if isinstance(answer, Answer)]
    assume(usable)
    answers, share = answers_of_what_the_report_takes(
        evidently,
        frame.only(usable),
        num_method=of_kind[NUM],
        cat_method=of_kind[CAT],
        num_threshold=limit_of_kind[NUM],
        cat_threshold=limit_of_kind[CAT],
        per_column_method=own,
        per_column_threshold=own_limits,
    )
    assert answers.keys() == set(usable)
    agree_on_all(scores, answers, frame)
    agree_on_share(scores, answers, share)


def over(of_kind, own, frame):
    """What is set for a kind, and over it what is set for a column."""
    of_columns = {name: of_kind[kind] for name, kind in frame.kinds.items()} | own
    return {name: value for name, value in of_columns.items() if value is not None}


@pytest.mark.parametrize("n_values", [1000, 1001])
def test_the_default_method_turns_at_1000_reference_values_and_the_distinct_of_both_sides(
    evidently, n_values
):
    def column(kind, n_distinct) -> tuple[object, ...]:  # the last of them is in the window only
        reference = [float(i % (n_distinct - 1)) for i in range(n_values)] + [math.nan] * 5
        return kind, reference, [0.0, n_distinct - 1.0] * ((n_values + 5) // 2)

    frame = frame_of(*(column(NUM, n) for n in (2, 3, 5, 6)), *(column(CAT, n) for n in (2, 3)))
    scores = scores_of(frame)
    answers, share = report_answers(evidently, frame)
    agree_on_all(scores, answers, frame)
    agree_on_share(scores, answers, share)
    up_to_1000 = ["z", "chisquare", "chisquare", "ks", "z", "chisquare"]
    beyond = [*["jensenshannon"] * 3, "wasserstein", *["jensenshannon"] * 2]
    assert [s.method for s in scores.values()] == (up_to_1000 if n_values == 1000 else beyond)


@pytest.mark.parametrize("method", ["psi", "jensenshannon", "kl_div"])
def test_21_distinct_reference_values_are_binned_and_20_are_counted(evidently, method):
    current = np.round(np.random.default_rng(3).normal(9, 6, 84), 1)
    frame = frame_of(
        *((NUM, [float(i % n) for i in range(84)], current) for n in (20, 21)),
        *((NUM, [i % n for i in range(84)], current.astype(int)) for n in (20, 21)),
    )
    scores = scores_of(frame, DriftPolicy(dict.fromkeys(frame.kinds, method)))
    answers, _ = report_answers(evidently, frame, num_method=method)
    agree_on_all(scores, answers, frame)
    assert scores["a"].value != pytest.approx(scores["b"].value, rel=0.1)


@pytest.mark.parametrize("method", ["psi", "kl_div"])
@pytest.mark.parametrize("n_rows", [9_999, 10_000])
def test_no_share_counts_as_a_ten_thousandth_unless_a_real_one_is_as_small(
    evidently, method, n_rows
):
    def levels(n, once) -> list[str]:
        return ["often"] * (n - 1) + [once]

    frame = frame_of((CAT, levels(n_rows, "before"), levels(n_rows, "after")))
    scores = scores_of(frame, DriftPolicy({"a": method}))
    answers, _ = report_answers(evidently, frame, cat_method=method)
    agree_on_all(scores, answers, frame)


@pytest.mark.parametrize(
    "n_rows", [(300, 10_000), (300, 10_001), (10_000, 9_999), (10_001, 10_000)]
)
def test_ks_is_exact_up_to_10000_values_on_either_side(evidently, n_rows):
    rng = np.random.default_rng(4)
    sides = [rng.normal(0.02 * i, 1, n) for i, n in enumerate(n_rows)]
    frame = frame_of((NUM, *sides), (NUM, *(np.round(side, 1) for side in sides)))
    scores = scores_of(frame, DriftPolicy(dict.fromkeys(frame.kinds, "ks")))
    answers, _ = report_answers(evidently, frame, num_method="ks")
    agree_on_all(scores, answers, frame)


def test_infinite_values_score_alike_but_evidently_counts_drift_with_them(evidently):
    """Where nothing is missing its count of drifted columns keeps ±inf, which its scores drop."""
    frame = frame_of((NUM, [1.0, 2.0, 3.0, math.inf], [1.0, 2.0, 2.0, -math.inf]))
    scores = scores_of(frame)
    answers, share = report_answers(evidently, frame)
    agree_on_all(scores, answers, frame)
    assert (share, share_drifted(list(scores.values()))) == (1.0, 0.0)


@pytest.mark.parametrize(
    "column",
    [
        (NUM, [True, False, True], [True, False, False]),
        (NUM, scaled(["1.5", "2.5", "3"], 1), scaled(["1.5", "3", "3"], 1)),
        (NUM, [1.0, 2.0, 3.0], ["one", "two", "three"]),
        (NUM, [math.nan] * 3, [1.0, 2.0, 3.0]),
        (CAT, ["a", "b", "b"], [None, None, None]),
    ],
    ids=["truth values", "decimals", "words", "empty reference", "empty window"],
)
def test_a_column_that_costs_evidently_its_whole_report_costs_ours_nothing(evidently, column):
    fine = (NUM, [1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    frame = frame_of(fine, column)
    with pytest.raises((TypeError, ValueError)):
        report_answers(evidently, frame)
    scores = scores_of(frame)
    assert scores["a"] == scores_of(frame_of(fine))["a"]
    assert scores["a"].value is not None
    agree(scores["b"], function_answer(evidently, as_evidently_takes_it(frame), "b"))


@pytest.mark.parametrize("method", ["gap", "closeness"])
def test_a_method_registered_with_evidently_is_used_by_its_name(evidently, method):
    def gap(reference, current, _type, threshold) -> tuple[float, bool]:
        value = abs(reference.median() - current.median())
        return value, value > threshold

    def closeness(reference, current, _type, threshold) -> tuple[float, bool]:
        value = 1 / (1 + abs(reference.median() - current.median()))
        return value, value < threshold

    registry, numeric = evidently.registry, [evidently.ColumnType.Numerical]
    test = registry.StatTest(method, f"its {method}", numeric, default_threshold=0.6)
    registry.register_stattest(test, {"gap": gap, "closeness": closeness}[method])
    frame = frame_of(
        (NUM, [1.0, 2.0, 9.0], [2.0, 2.5]),
        (NUM, [1.0, 2.0, 9.0], [3.0, 7.0]),
        (CAT, ["a", "b", "b"], ["a", "b"]),
    )
    own, own_limits = dict.fromkeys("ab", method), {"b": 0.1}
    try:
        scores = scores_of(frame, DriftPolicy(own, own_limits))
        answers, share = report_answers(
            evidently, frame, per_column_method=own, per_column_threshold=own_limits
        )
    finally:
        del registry._registered_stat_tests[method]
    agree_on_all(scores, answers, frame)
    agree_on_share(scores, answers, share)


def differs(*parameters: object, why, name=None):
    return pytest.param(
        *parameters, marks=pytest.mark.xfail(raises=AssertionError, reason=why), id=name
    )


@pytest.mark.parametrize(("method", "kind"), METHODS_BY_KIND)
def test_at_its_very_threshold_a_score_is_flagged_as_in_evidently(evidently, method, kind):
    columns = {
        NUM: (NUM, [0.0, 1.0, 2.0, 4.0, 7.0, 9.0, 9.0], [2.0, 3.0, 4.0, 8.0, 8.0, 10.0, 11.0]),
        CAT: (CAT, ["a", "a", "a", "b"], ["a", "b", "b", "b"]),
    }
    frame, own = frame_of(columns[kind]), {"a": method}
    ours = scores_of(frame, DriftPolicy(own))["a"].value
    theirs = function_answer(evidently, frame, "a", method).value
    score = scores_of(frame, DriftPolicy(own, {"a": ours}))["a"]
    answer = function_answer(evidently, frame, "a", method, theirs)
    assert (score.value, answer.value) == (ours, theirs)
    assert (score.status is Status.BREACH) == answer.drifted


DAYS = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"] * 5))
TENTHS = np.array([0.1, 0.2] * 5)


@pytest.mark.parametrize(
    ("column", "method"),
    [
        differs(
            (NUM, EXACT_INTEGER * 8 + np.arange(60), EXACT_INTEGER * 8 + np.arange(20)),
            None,
            why="whole numbers beyond 53 bits are rounded to floats, and become one value",
            name="53 bits",
        ),
        pytest.param(
            (NUM, [1.7e308, 2.0, 2.0, 1.0, 3.0, 0.0] * 200, [-2.0]), None, id="largest floats"
        ),
        differs(
            (NUM, [1e300, 0.0], [1e300]),
            "hellinger",
            why="Evidently multiplies densities, and their product is too small for a float",
            name="widest bins",
        ),
        pytest.param((NUM, [1, 1, 0], [1.0, 1.0]), "hellinger", id="whole numbers beside floats"),
        differs(
            (CAT, scaled(["1.5", "2"], 1), scaled(["1.5", "2"], 2)),
            None,
            why="1.5 and 1.50 have two names",
            name="scale of decimals",
        ),
        differs(
            (CAT, DAYS.astype("datetime64[ns]"), DAYS.astype("datetime64[us]")),
            None,
            why="a time has another name in another unit",
            name="unit of times",
        ),
        differs(
            (CAT, TENTHS.astype("float32"), TENTHS),
            None,
            why="0.1 has one name in both precisions, and is two numbers to Evidently",
            name="precision of floats",
        ),
        differs(
            (CAT, [2, 3, 10] * 4, [2, 2, 3, 10]),
            "z",
            why="the first level is 10 in the order of names, and 2 in Evidently's",
            name="order of whole numbers",
        ),
    ],
)
def test_rare_columns_score_as_in_evidently(evidently, column, method):
    frame = frame_of(column)
    score = scores_of(frame, DriftPolicy({"a": method} if method else {}))["a"]
    agree(score, function_answer(evidently, frame, "a", method))
