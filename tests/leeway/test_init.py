"""The leeway.yaml that is written for a reference, and what is said of it."""

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leeway.config_file import load_config
from leeway.init import Wanted, write_config
from monitor.errors import ConfigError, SchemaError
from monitor.inferred import infer
from monitor.schema import Roles, Task
from retrain.adapters.labelled_rows import read_table

FEW_WINDOWS = (
    "  - windows of the reference: 1, an alert budget needs 8, so Evidently's limits judge drift"
)
N_ROWS = 120
START = datetime(2013, 1, 7, tzinfo=UTC)
TARGETS = {
    Task.BINARY: [i % 2 for i in range(N_ROWS)],
    Task.MULTICLASS: ["abc"[i % 3] for i in range(N_ROWS)],
    Task.REGRESSION: [i * 0.37 for i in range(N_ROWS)],
}


def reference(*, task=Task.BINARY, with_time=True, **more: object):
    columns = {
        "temp": [i * 0.5 for i in range(N_ROWS)],
        "carrier": [("UA", "AA", "DL")[i % 3] for i in range(N_ROWS)],
        "y": TARGETS[task],
        **more,
    }
    times = {"at": [START + timedelta(hours=i) for i in range(N_ROWS)]} if with_time else {}
    return pa.table({**times, **columns})


@pytest.fixture
def write(tmp_path):
    """Write a reference and its leeway.yaml; returns what was said, and the file's path."""

    def write(
        table: pa.Table, file: str = "reference.parquet", **wanted: object
    ) -> tuple[list[str], Path]:
        data, config = tmp_path / file, tmp_path / "leeway.yaml"
        data.parent.mkdir(parents=True, exist_ok=True)
        if data.suffix == ".csv":
            pa.csv.write_csv(table, data)
        else:
            pa.parquet.write_table(table, data)
        return write_config(Wanted(data, **{"target": "y", **wanted}), config), config

    return write


def only_model(config):
    ((name, model),) = load_config(config).models.items()
    return name, model


@pytest.mark.parametrize("name", ["reference.parquet", "reference.csv"])
@pytest.mark.parametrize("with_time", [True, False])
@pytest.mark.parametrize("task", list(Task))
def test_what_is_written_is_taken_back_and_means_what_was_guessed(write, task, with_time, name):
    table = reference(task=task, with_time=with_time)
    said, config = write(table, name)
    model_name, model = only_model(config)
    assert model_name == "reference"
    assert model.reference == config.parent / name
    assert (model.task, model.columns.target) == (task, "y")
    assert model.columns.time == ("at" if with_time else None)
    assert (model.columns.numeric, model.columns.categorical) == (("temp",), ("carrier",))
    assert (model.window.every, model.window.rows) == (
        (timedelta(days=7), None) if with_time else (None, 500)
    )
    # Read back through the file, the schema is the one that was guessed.
    table = read_table(model.reference)
    assert infer(table, model.roles()).schema == infer(table, Roles("y")).schema
    assert any(task in line for line in said)


def test_everything_that_was_guessed_is_said_and_nothing_else(write):
    said, config = write(reference(flight_id=range(N_ROWS)))
    assert said == [
        f"wrote {config}; please check what was guessed:",
        "  - time is 'at', the first timestamp column",
        "  - task is binary: 'y' has 2 distinct values (int64)",
        "  - id is 'flight_id': its values are unique",
        "  - 1 numeric and 1 categorical features",
        "  - windows are weeks of event time (--window P1D for days)",
        FEW_WINDOWS,
    ]


def test_with_enough_windows_it_is_said_that_a_budget_judges(write):
    said, config = write(reference(), window="PT12H")
    assert said[-1] == "  - windows of the reference: 10, so an alert budget judges drift"
    (config.parent / "leeway.yaml").unlink()
    said, _ = write(reference(with_time=False), window="10")
    assert said[-1] == "  - windows of the reference: 12, so an alert budget judges drift"


def spread(n_rows, length):
    """A reference whose rows are evenly spread over some time, or that has no time column."""
    columns = {"temp": [i % 7 * 0.5 for i in range(n_rows)], "y": [i % 2 for i in range(n_rows)]}
    times = {"at": [START + i * length / n_rows for i in range(n_rows)]} if length else {}
    return pa.table({**times, **columns})


@pytest.mark.parametrize(
    ("n_rows", "length", "window", "said"),
    [
        (2000, timedelta(weeks=8), "P7D", "windows are weeks of event time (--window P1D for"),
        (2000, timedelta(weeks=2), "P1D", "windows are days of event time: longer ones would be"),
        (2000, timedelta(hours=12), "PT1H", "windows are hours of event time: longer ones would"),
        (500, timedelta(weeks=2), "P7D", "windows are weeks of event time (--window P1D for"),
        (4000, None, 500, "windows are 500 rows each (--window 1000 for more)"),
        (2000, None, 200, "windows are 200 rows each: longer ones would be too few for an alert"),
        (900, None, 100, "windows are 100 rows each: longer ones would be too few for an alert"),
        (700, None, 500, "windows are 500 rows each (--window 1000 for more)"),
    ],
)
def test_windows_are_as_long_as_leaves_the_reference_enough_of_them_with_enough_rows(
    write, n_rows, length, window, said
):
    guesses, config = write(spread(n_rows, length))
    assert yaml.safe_load(config.read_text())["models"]["reference"]["window"] in (
        {"every": window},
        {"rows": window},
    )
    assert any(line.startswith(f"  - {said}") for line in guesses)
    assert ("so an alert budget judges drift" in guesses[-1]) == (n_rows >= 900)


def test_what_a_person_says_is_written_and_not_guessed(write):
    table = reference(key=range(N_ROWS), other=[START] * N_ROWS, p=[0.5] * N_ROWS)
    wanted = {
        "prediction": "p",
        "time": "other",
        "task": "binary",
        "window": "PT6H",
        "name": "mine",
    }
    said, config = write(table, **wanted)
    name, model = only_model(config)
    assert name == "mine"
    assert (model.columns.prediction, model.columns.time) == ("p", "other")
    assert model.window.every == timedelta(hours=6)
    assert not [
        line for line in said if "time is" in line or "task is" in line or "windows are" in line
    ]


@pytest.mark.parametrize(
    ("window", "expected"), [("250", (None, 250)), ("P1D", (timedelta(days=1), None))]
)
def test_a_window_is_a_number_of_rows_or_a_duration(write, window, expected):
    _, config = write(reference(), window=window)
    _, model = only_model(config)
    assert (model.window.every, model.window.rows) == expected


def test_the_file_says_what_it_leaves_to_leeway(write):
    _, config = write(reference(with_time=False))
    text = config.read_text()
    assert "# time: none: rows count from when they arrive" in text
    assert "# id: none: prediction ids are generated and returned" in text
    assert "# prediction: none, so Leeway trains version 1 on the reference and serves it" in text


@pytest.mark.parametrize(
    ("task", "metric"),
    [(Task.BINARY, "roc_auc"), (Task.MULTICLASS, "accuracy"), (Task.REGRESSION, "mae")],
)
def test_each_key_that_is_commented_out_shows_its_default(write, task, metric):
    _, config = write(reference(task=task))
    name, plain = only_model(config)
    # A remark has no value of a setting's kind.
    text, n_keys = re.subn(
        r"^(\s*)# (?=\s*\w+: *($|[\[{P0-9]))", r"\1", config.read_text(), flags=re.MULTILINE
    )
    assert n_keys == 10
    config.write_text(text.replace('"${LEEWAY_WEBHOOK}"', '"json://host/path"'))
    spelled_out = load_config(config)
    assert spelled_out.notify.to == ("json://host/path",)
    assert spelled_out.models[name].performance.metric == metric
    decides = plain.performance.model_copy(update={"metric": metric})
    assert spelled_out.models[name] == plain.model_copy(update={"performance": decides})


# file and model names


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("reference.parquet", "reference"),
        ("2013.parquet", "2013"),
        ("my flights (1).parquet", "my_flights_1_"),
        ("_private.csv", "private"),
        ("été.parquet", "t_"),
        ("---.parquet", "model"),
        ("a" * 120 + ".parquet", "a" * 100),
        ("yes.parquet", "yes"),
        ("deep/er/data.parquet", "data"),
        ("it's: #1.csv", "it_s_1"),
    ],
)
def test_a_model_is_called_after_its_file_as_far_as_that_is_a_name(write, file, name):
    _, config = write(reference(), file)
    found, model = only_model(config)
    assert found == name
    assert model.reference == config.parent / file


# column names

AWKWARD = [
    "yes", "null", "~", "1", "1.5", "2013-01-01", "a: b", "#x", "- x", "it's", 'say "x"', "[x]",
    "{x}", "a,b", "&a", "*a", "!x", "%x", "@x", "`x`", "| x", "> x", "? x", " x ", "é", "日本", "a\nb",
    "a\tb", "\\", "x" * 120, "true", "a#b", "a #b", ":", "=", "<<",
]  # fmt: skip


def test_column_names_are_written_so_that_yaml_gives_them_back(write):
    more = {name: [float(i) for i in range(N_ROWS)] for name in AWKWARD}
    _, config = write(reference(**more))
    _, model = only_model(config)
    assert model.columns.numeric == ("temp", *AWKWARD)


@pytest.mark.parametrize("name", AWKWARD)
def test_a_target_and_a_time_may_have_any_name(write, name):
    times = [START + timedelta(hours=i) for i in range(N_ROWS)]
    table = reference(**{name: TARGETS[Task.BINARY], name + "!": times, name + "?": [0.5] * N_ROWS})
    _, config = write(table, target=name, time=name + "!", prediction=name + "?")
    _, model = only_model(config)
    assert model.columns.target == name
    assert (model.columns.time, model.columns.prediction) == (name + "!", name + "?")


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.text(string.printable + "é日\u2028", min_size=1, max_size=12),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_whatever_columns_are_called_they_are_the_same_when_read_back(write, tmp_path, names):
    names = [name for name in names if name not in {"at", "temp", "carrier", "y", "prediction"}]
    # What looks like an environment variable is one.
    names = [name for name in names if "${" not in name and not name.lower().endswith("id")]
    (tmp_path / "leeway.yaml").unlink(missing_ok=True)
    _, config = write(reference(**{name: [0.5] * N_ROWS for name in names}))
    assert only_model(config)[1].columns.numeric == ("temp", *names)


# what is refused


def test_a_file_that_a_person_may_have_worked_on_is_not_overwritten(write):
    _, config = write(reference())
    config.write_text("# mine\n")
    with pytest.raises(ConfigError, match="exists already; give another one by --config"):
        write(reference())
    assert config.read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"window": "7 days"}, "models.reference.window.every"),
        ({"window": "0"}, "models.reference.window.rows"),
        ({"name": "my model"}, "models.my model"),
        ({"task": "ranking"}, "--task"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_no_file_in_the_way(
    write, tmp_path, wanted, path
):
    with pytest.raises(ConfigError) as refused:
        write(reference(), **wanted)
    assert refused.value.path == path
    assert not (tmp_path / "leeway.yaml").exists()
    write(reference())


@pytest.mark.parametrize(
    "wanted",
    [
        {"target": "nowhere"},
        {"time": "nowhere"},
        {"time": "temp"},
        {"prediction": "y"},
        {"task": "binary", "target": "carrier"},
    ],
)
def test_a_reference_that_does_not_fit_is_refused_and_nothing_is_written(write, tmp_path, wanted):
    with pytest.raises(SchemaError):
        write(reference(), **wanted)
    assert not (tmp_path / "leeway.yaml").exists()


def test_a_reference_that_cannot_be_read_is_refused_by_its_path(tmp_path):
    config = tmp_path / "leeway.yaml"
    with pytest.raises(SchemaError, match=r"nowhere\.parquet: there is no such file"):
        write_config(Wanted(tmp_path / "nowhere.parquet", "y"), config)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(SchemaError, match=r"torn\.parquet: neither Parquet nor CSV"):
        write_config(Wanted(tmp_path / "torn.parquet", "y"), config)


def test_a_folder_that_is_not_there_is_refused(write, tmp_path):
    _, config = write(reference())
    wanted = Wanted(config.parent / "reference.parquet", "y")
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        write_config(wanted, tmp_path / "nowhere" / "leeway.yaml")
