"""`leeway.compare`: two tables compared once, without a server."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

import leeway
import leeway.comparison.comparing
from leeway.comparison.text import print_comparison
from monitor.checks.evidently import drift_page
from monitor.checks.score import Status
from monitor.errors import SchemaError
from monitor.schema import Kind

N_ROWS = 1500


def rows(seed: int = 0, *, shift: float = 0.0, **more: object) -> pd.DataFrame:
    """Rows of four numeric and two categorical columns; a shift moves one of them."""
    draw = np.random.default_rng(seed)
    late = draw.random(N_ROWS) < 0.4
    return pd.DataFrame(
        {
            "distance": draw.gamma(2.0, 4.0, N_ROWS) + shift,
            "weight": draw.normal(5.0, 1.0, N_ROWS),
            "n_items": draw.integers(1, 60, N_ROWS),
            "weather": draw.choice(["dry", "rain", "snow"], N_ROWS, p=[0.7, 0.25, 0.05]),
            "floor": draw.integers(0, 8, N_ROWS),
            "probability": np.clip(0.4 + 0.3 * (late - 0.4) + draw.normal(0, 0.1, N_ROWS), 0, 1),
            "late": late.astype(int),
            **more,
        }
    )


def by_column(found):
    return {score.column: score for score in found.columns}


def statuses(found):
    return {score.column: score.status.value for score in found.columns}


def compared(reference, current, **question: object):
    return leeway.compare(reference=reference, current=current, **question)


def test_the_package_s_compare_is_the_function_whatever_was_imported_before():
    program = (
        "import leeway.comparison.comparing, leeway, pandas as pd\n"
        "x = pd.DataFrame({'x': [1.5, 2.5]})\n"
        "print(leeway.compare(reference=x, current=x).status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("OK\n", "")


def test_only_the_column_that_moved_has_drifted():
    found = compared(rows(), rows(1, shift=9.0))
    assert [name for name, status in statuses(found).items() if status == "BREACH"] == ["distance"]
    assert found.sentence == "1 of 7 columns has drifted (share 0.14, limit 0.50): WARNING"
    assert found.status is Status.WARNING


def test_from_the_limit_of_the_share_on_it_is_a_breach():
    found = compared(rows(), rows(1, shift=9.0), share_drifted=1 / 7)
    assert found.status is Status.BREACH


def test_every_kind_of_table_gives_the_same_scores(tmp_path):
    reference, current = rows(), rows(1, shift=1.0)
    tables = {
        "pandas": lambda frame, _: frame,
        "polars": lambda frame, _: pl.from_pandas(frame),
        "arrow": lambda frame, _: pa.Table.from_pandas(frame),
        "parquet": lambda frame, path: frame.to_parquet(path) or path,
        "csv": lambda frame, path: (
            frame.to_csv(path.with_suffix(".csv"), index=False) or path.with_suffix(".csv")
        ),
        "feather": lambda frame, path: frame.to_feather(path) or str(path),
    }
    found = [
        compared(make(reference, tmp_path / f"{name}-r"), make(current, tmp_path / f"{name}-c"))
        for name, make in tables.items()
    ]
    scores = [[(s.column, s.kind, s.method, s.value) for s in one.columns] for one in found]
    assert len(scores[0]) == 7
    for one in scores[1:]:
        assert one == scores[0]


def test_the_kinds_are_those_that_evidently_infers():
    frame = rows(
        flag=[True, False] * (N_ROWS // 2),
        level=pd.Categorical(["a", "b", "c"] * (N_ROWS // 3)),
        ten=[number % 10 for number in range(N_ROWS)],
        eleven=[number % 11 for number in range(N_ROWS)],
        note=[f"note {number}" for number in range(N_ROWS)],
        at=pd.date_range("2026-01-01", periods=N_ROWS, freq="min"),
    )
    # On its first use Evidently warns of what it was built with.
    drift_page(
        reference=frame[["weight"]], current=frame[["weight"]], kinds={"weight": Kind.NUMERIC}
    )
    from evidently import Dataset  # noqa: PLC0415 - it warns when it is imported first

    definition = Dataset.from_pandas(frame).data_definition
    kinds = {name: score.kind for name, score in by_column(compared(frame, frame)).items()}
    numeric = {name for name, kind in kinds.items() if kind is Kind.NUMERIC}
    assert numeric == set(definition.numerical_columns)
    assert kinds.keys() - numeric == set(definition.categorical_columns)
    assert definition.text_columns == ["note"]


def test_ids_times_and_texts_are_left_out_and_a_note_says_why():
    more = {
        "order_id": range(N_ROWS),
        "at": pd.date_range("2026-01-01", periods=N_ROWS),
        "note": [f"note {number}" for number in range(N_ROWS)],
        "path": [[1, 2]] * N_ROWS,
    }
    found = compared(rows(**more), rows(1, **more))
    assert not set(more) & set(statuses(found))
    notes = "\n".join(found.notes)
    assert "left out (an id: no value is there twice): 'order_id'" in notes
    assert "left out (timestamp[us] is neither number nor text): 'at'" in notes
    assert "left out (text, and nearly every row has its own): 'note'" in notes
    assert "left out (ListType is neither number nor text): 'path'" in notes


def test_an_id_that_is_named_is_compared():
    frame = rows(order_id=range(N_ROWS))
    found = compared(frame, frame, columns=["order_id"])
    assert statuses(found) == {"order_id": "OK"}


def test_a_column_that_went_missing_has_no_score_and_costs_the_others_nothing():
    found = compared(rows(), rows(1).drop(columns="weight"))
    assert by_column(found)["weight"].value is None
    assert statuses(found)["weight"] == "NO_DATA"
    assert found.notes == ("missing from the current rows, so without a score: 'weight'",)
    assert "0 of 6 columns have drifted" in found.sentence
    assert "1 column without a score" in found.sentence


def test_a_new_column_is_named_in_a_note():
    found = compared(rows(), rows(1, new=1.0))
    assert found.notes == ("only in the current rows, so not compared: 'new'",)


def test_text_that_reads_as_numbers_is_compared_as_numbers():
    current = rows(1)
    as_text = current.assign(weight=[f" {value}" for value in current.weight])
    assert by_column(compared(rows(), as_text))["weight"].value == pytest.approx(
        by_column(compared(rows(), current))["weight"].value, rel=1e-12
    )


def test_text_that_does_not_is_an_error_of_this_column_that_names_the_first_value():
    broken = rows(1).astype({"weight": object})
    broken.loc[[7, 9], "weight"] = ["heavy", "light"]
    found = compared(rows(), broken)
    assert statuses(found) == dict.fromkeys(statuses(found), "OK") | {"weight": "ERROR"}
    assert found.status is Status.ERROR
    (note,) = found.notes
    assert "'weight' is text where the reference has numbers, and 'heavy' is no number" in note


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([True, False], [1, 0]),
        ([True, False], [1.0, 0.0]),
        ([1, 0], [True, False]),
        ([True, False], ["True", "False"]),
        (["true", "false"], [True, False]),
        (["1", "0"], [1, 0]),
    ],
)
def test_the_same_levels_are_the_same_in_whatever_type_they_come(before, after):
    found = compared(pd.DataFrame({"x": before * 50}), pd.DataFrame({"x": after * 50}))
    assert [score.status for score in found.columns] == [Status.OK]
    assert all(score.status is not Status.BREACH for score in found.quality)


def test_times_where_the_reference_has_numbers_are_an_error_of_this_column():
    found = compared(rows(), rows(1).assign(weight=pd.Timestamp("2026-01-01")))
    assert statuses(found)["weight"] == "ERROR"
    assert "timestamp" in found.notes[0]


def test_columns_without_a_value_have_no_score_and_say_why():
    empty = pd.DataFrame({"x": [None] * 50, "y": [np.nan] * 50, "z": ["a", "b"] * 25})
    found = compared(empty, empty)
    assert statuses(found) == {"x": "NO_DATA", "y": "NO_DATA", "z": "OK"}
    assert "no values" in found.notes[0]


def test_a_name_that_is_there_twice_is_left_out():
    frame = pd.DataFrame([[1.5, 2.5, 3.5], [2.5, 4.5, 5.5]], columns=["x", "x", "y"])
    found = compared(frame, frame)
    assert statuses(found) == {"y": "OK"}
    assert found.notes == ("left out (the name is there twice): 'x'",)


def test_columns_named_by_numbers_are_compared():
    frame = pd.DataFrame({0: [1.5, 2.5], 1: [2.5, 3.5]})
    assert statuses(compared(frame, frame)) == {"0": "OK", "1": "OK"}


def test_a_method_and_a_threshold_can_be_chosen():
    found = compared(rows(), rows(1), methods={"weight": "psi"}, thresholds={"weight": 1e-9})
    score = by_column(found)["weight"]
    assert (score.method, score.threshold, score.status) == ("psi", 1e-9, Status.BREACH)


def test_an_unknown_method_is_an_error_of_its_column():
    found = compared(rows(), rows(1), methods={"weight": "magic"})
    assert statuses(found)["weight"] == "ERROR"
    assert "magic" in found.notes[0]


def test_a_broken_feed_is_a_breach_though_little_has_drifted():
    current = rows(1)
    current.loc[:500, "weight"] = None
    found = compared(rows(), current)
    assert found.share_drifted == 0
    assert [(s.column, s.method) for s in found.quality if s.status is Status.BREACH] == [
        ("weight", "missing")
    ]
    assert found.sentence.endswith("1 column looks broken: BREACH")


# performance


def test_with_labels_and_predictions_performance_is_compared_with_its_error():
    worse = rows(1).assign(late=rows(2).late)
    found = compared(rows(), worse, target="late", prediction="probability")
    entry = {e["method"]: e for e in found.to_dict()["performance"]}["roc_auc"]
    assert entry["status"] == "BREACH"
    assert entry["reference"] > 0.9
    assert abs(entry["score"] - 0.5) < 0.1
    assert 0 < entry["standard_error"] < 0.1
    assert 0 < entry["reference_standard_error"] < 0.1
    assert found.status is Status.BREACH
    assert "performance: taken for binary, positive class '1'" in found.notes


def test_the_target_s_drift_is_shown_and_is_not_in_the_share():
    current = rows(1).assign(late=1)
    found = compared(rows(), current, target="late", prediction="probability")
    assert statuses(found)["late"] == "BREACH"
    assert found.share_drifted == 0
    assert "not in the share, because it is the target: 'late'" in found.notes


@pytest.mark.parametrize(
    ("target", "prediction", "task", "metric"),
    [
        ("weight", "distance", None, "mae"),
        ("weather", "weather2", None, "accuracy"),
        ("floor", "floor2", "multiclass", "accuracy"),
        ("flag", "flag2", None, "accuracy"),
    ],
)
def test_every_task_has_its_metrics(target, prediction, task, metric):
    frame = rows(
        flag=rows().late.map({0: "no", 1: "yes"}), flag2=rows(3).late.map({0: "no", 1: "yes"})
    )
    frame = frame.assign(weather2=rows(3).weather, floor2=rows(3).floor)
    found = compared(frame, frame, target=target, prediction=prediction, task=task)
    assert metric in {score.method for score in found.performance}
    assert all(score.reference_value == score.value for score in found.performance)
    assert found.status is Status.OK


def test_before_the_labels_come_there_is_a_note_in_the_place_of_performance():
    later = rows(1).drop(columns="late")
    found = compared(rows(), later, target="late", prediction="probability")
    assert found.performance == []
    assert "performance: no labelled predictions in the current rows" in found.notes


def test_a_target_of_one_class_is_refused():
    with pytest.raises(SchemaError, match="must have"):
        compared(
            rows().assign(late=1), rows(), target="late", prediction="probability", task="binary"
        )


# what is refused


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"columns": ["nothing"]}, "no column 'nothing'"),
        ({"target": "nothing"}, "no column 'nothing'"),
        ({"prediction": "nothing"}, "no column 'nothing'"),
        ({"thresholds": {"nothing": 1}}, "'nothing'"),
        ({"methods": {"nothing": "psi"}}, "'nothing'"),
        ({"task": "guess"}, "expected one of binary, multiclass, regression"),
    ],
)
def test_what_is_not_there_is_refused_by_name(question, message):
    with pytest.raises(SchemaError, match=message):
        compared(rows(), rows(), **question)


def test_tables_without_a_common_column_are_refused():
    with pytest.raises(SchemaError, match=r"no column is in both.*'x'.*'y'"):
        compared(pd.DataFrame({"x": [1]}), pd.DataFrame({"y": [1]}))


@pytest.mark.parametrize("side", ["reference", "current"])
def test_a_side_without_rows_is_refused(side):
    with pytest.raises(SchemaError, match=f"the {side} side has no rows"):
        leeway.compare(**{"reference": rows(), "current": rows(), side: rows()[:0]})


def test_what_is_no_table_is_refused():
    with pytest.raises(SchemaError, match="LazyFrame cannot be compared"):
        compared(pl.LazyFrame({"x": [1]}), rows())


# any frames

VALUES = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "few": st.integers(0, 3),
    "float": st.floats(),
    "text": st.text(max_size=5),
    "letter": st.sampled_from("ab"),
    "flag": st.booleans(),
    "time": st.datetimes(),
    "date": st.dates(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=2),
    "bytes": st.binary(max_size=3),
    "list": st.lists(st.integers(), max_size=2),
    "huge": st.integers(),
    "nothing": st.none(),
    "any": st.one_of(st.integers(), st.text(max_size=3), st.booleans(), st.floats(), st.dates()),
}


@st.composite
def frames(draw):
    """Two frames of the same columns, whose values may differ in type."""
    names = draw(st.lists(st.text(max_size=4), min_size=1, max_size=4, unique=True))
    sides = []
    kinds = {name: draw(st.sampled_from(sorted(VALUES))) for name in names}
    for _ in range(2):
        n_rows = draw(st.integers(1, 12))
        columns = {}
        for name in names:
            kind = draw(
                st.sampled_from([kinds[name], kinds[name], draw(st.sampled_from(sorted(VALUES)))])
            )
            value = st.one_of(st.none(), VALUES[kind])
            values = draw(st.lists(value, min_size=n_rows, max_size=n_rows))
            columns[name] = pd.Series(values, dtype=draw(st.sampled_from([None, object])))
        sides.append(pd.DataFrame(columns))
    return sides


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames())
def test_any_two_frames_with_the_same_columns_are_compared(pair):
    found = compared(*pair)
    assert {s.status for s in found.columns} <= {
        Status.OK,
        Status.BREACH,
        Status.NO_DATA,
        Status.ERROR,
    }
    json.dumps(found.to_dict(), allow_nan=False)
    print_comparison(found, Console(width=60, quiet=True, markup=False))
