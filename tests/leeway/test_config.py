"""leeway.yaml: what it may say, and what is said about what it may not."""

import ast
import inspect
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from leeway import config as module
from leeway import retrain_config, source_config
from leeway.config import Config, Environment, ModelConfig
from leeway.config_file import load_config
from leeway.retrain_config import ALGORITHMS
from monitor.action import Trigger
from monitor.checks.performance import METRICS
from monitor.errors import ConfigError
from monitor.schema import Roles, Task

SMALLEST = "models: {late: {reference: ref.parquet, columns: {target: y}}}\n"
DAY = timedelta(days=1)


@pytest.fixture
def load(tmp_path):
    """Load a text as leeway.yaml."""

    def load(text: str) -> Config:
        (tmp_path / "leeway.yaml").write_text(dedent(text), encoding="utf-8")
        return load_config(tmp_path / "leeway.yaml")

    return load


@pytest.fixture
def refused(load, tmp_path):
    """Load a text that is refused; returns the key's path and what was expected there."""

    def refused(text: str) -> tuple[str, str]:
        with pytest.raises(ConfigError) as error:
            load(text)
        assert error.value.file == str(tmp_path / "leeway.yaml")
        assert str(error.value) == f"{error.value.file}: {error.value.path}: {error.value.expected}"
        return error.value.path, error.value.expected

    return refused


def model(more):
    """Write leeway.yaml with more keys of the one model."""
    return f"models: {{late: {{reference: ref.parquet, columns: {{target: y}}, {more}}}}}\n"


# what it may say


@pytest.mark.parametrize("off", ["off", "'off'"])
def test_there_may_be_no_alert_budget_though_yaml_takes_off_for_false(load, off):
    found = load(model(f"drift: {{alert_budget: {off}}}"))
    assert found.models["late"].drift.alert_budget == "off"


def test_a_reference_and_a_target_are_enough(load, tmp_path):
    found = load(SMALLEST)
    late = found.models["late"]
    assert late.reference == tmp_path / "ref.parquet"
    assert late.roles() == Roles("y")
    assert (late.task, late.window.every, late.window.rows) == (None, 7 * DAY, None)
    assert (late.on_schema_change, late.retrain.candidates) == ("accept", ALGORITHMS)
    assert (found.notify.via, found.notify.to, found.data) == (
        "direct",
        (),
        tmp_path / "leeway-data",
    )


def test_every_key_can_be_set(load, tmp_path):
    found = load(
        """
        models:
          flights.late-2:
            reference: /data/reference.csv
            task: regression
            columns: {target: y, prediction: p, time: at, id: key, numeric: [x], categorical: [g]}
            window: {every: PT6H, lateness: PT30M, anchor: 2013-01-01T06:00:00Z, min_rows: 50}
            on_schema_change: refuse
            drift: {methods: {x: psi}, thresholds: {x: 0.2}, share_drifted: 0.3}
            quality: {null_jump: 0.2, unseen: 0.4, out_of_range: 0.1, schema_change: 0.5}
            performance: {metric: rmse, max_drop: 0.1}
            labels: {horizon: P30D, mature: 0.8}
            retrain: {when: [drift], every: P14D, cooldown: P1D, min_labels: 100, budget: PT5M,
                      candidates: [tree], minimum_gain: 0.01, seed: 3}
          rows: {reference: b.parquet, columns: {target: y}, window: {rows: 500}}
        notify: {via: alertmanager, to: [json://host/path]}
        data: ../state
        tick: PT1M
        url: https://leeway.example
        """
    )
    late = found.models["flights.late-2"]
    assert late.reference == Path("/data/reference.csv")
    assert late.roles() == Roles("y", "p", "at", "key", Task.REGRESSION, ("x",), ("g",))
    assert (found.data, found.tick) == (tmp_path / "../state", timedelta(minutes=1))
    assert (found.notify.via, found.notify.to) == ("alertmanager", ("json://host/path",))
    assert found.models["rows"].window.rows == 500
    assert late.drift.methods == {"x": "psi"}
    assert (late.retrain.when, late.retrain.candidates) == ((Trigger.DRIFT,), ("tree",))


def test_paths_are_relative_to_the_file_and_not_to_where_one_stands(load, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = load(SMALLEST + "data: state\n")
    assert found.models["late"].reference == tmp_path / "ref.parquet"
    assert found.data == tmp_path / "state"
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("leeway.yaml")) == found


def test_a_config_is_frozen_at_every_depth(load):
    found = load(SMALLEST)
    late = found.models["late"]
    for part, name in [
        (found, "tick"),
        (late, "task"),
        (late.columns, "target"),
        (late.window, "rows"),
    ]:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, None)


# the environment


def test_variables_of_the_environment_are_put_in_wherever_they_stand(load, monkeypatch):
    monkeypatch.setenv("LEEWAY_TEST_HOOK", "json://host/secret")
    monkeypatch.setenv("LEEWAY_TEST_ROWS", "300")
    found = load(
        model("window: {rows: '${LEEWAY_TEST_ROWS}'}")
        + 'notify: {to: ["${LEEWAY_TEST_HOOK}", "x${LEEWAY_TEST_ROWS}y$z"]}\n'
    )
    assert found.models["late"].window.rows == 300
    assert found.notify.to == ("json://host/secret", "x300y$z")


def test_a_variable_that_is_not_set_is_named_with_the_key_that_asks_for_it(refused, monkeypatch):
    monkeypatch.delenv("LEEWAY_TEST_HOOK", raising=False)
    text = SMALLEST + 'notify: {to: ["json://a", "${LEEWAY_TEST_HOOK}"]}\n'
    expected = "the environment has no variable LEEWAY_TEST_HOOK"
    assert refused(text) == ("notify.to.1", expected)


def test_the_key_and_the_clock_come_from_the_environment_alone(monkeypatch):
    monkeypatch.setenv("LEEWAY_API_KEY", "secret")
    monkeypatch.setenv("LEEWAY_CLOCK_FILE", "/tmp/clock")
    assert Environment() == Environment(api_key="secret", clock_file=Path("/tmp/clock"))
    monkeypatch.delenv("LEEWAY_API_KEY")
    assert Environment().api_key is None


# what it may not say


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (SMALLEST + "modles: {}\n", "modles"),
        (model("retain: {}"), "models.late.retain"),
        (model("retrain: {cool_down: P1D}"), "models.late.retrain.cool_down"),
        (model("window: {every: P7D, row: 5}"), "models.late.window.row"),
        (SMALLEST + "notify: {vai: direct}\n", "notify.vai"),
    ],
)
def test_an_unknown_key_is_refused_by_its_path(refused, text, path):
    assert refused(text) == (path, "unknown key; is it spelled right, and in the right place?")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("notify: {via: direct}\n", "models"),
        ("models: {late: {columns: {target: y}}}\n", "models.late.reference"),
        ("models: {late: {reference: ref.parquet}}\n", "models.late.columns"),
        (
            "models: {late: {reference: ref.parquet, columns: {time: at}}}\n",
            "models.late.columns.target",
        ),
    ],
)
def test_a_missing_key_is_named_by_its_path(refused, text, path):
    assert refused(text) == (path, "this key is required")


@pytest.mark.parametrize("window", ["{every: P7D, rows: 500}", "{}", "{lateness: PT6H}"])
def test_a_window_is_cut_by_time_or_by_rows_and_not_by_both_or_neither(refused, window):
    expected = "give exactly one of every (a duration) and rows (a number)"
    assert refused(model(f"window: {window}")) == ("models.late.window", expected)


@pytest.mark.parametrize(
    "duration", ["7", "7.5", "7 days", "1:30:00", "-P7D", "true", "[P7D]", "weekly"]
)
@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("window: {{every: {}}}", "window.every"),
        ("labels: {{horizon: {}}}", "labels.horizon"),
        ("retrain: {{cooldown: {}}}", "retrain.cooldown"),
    ],
)
def test_a_duration_that_is_not_iso_8601_is_refused_with_an_example(refused, key, path, duration):
    found, expected = refused(model(key.format(duration)))
    assert found == f"models.late.{path}"
    assert expected.startswith("expected an ISO 8601 duration, as P7D or PT6H")


@pytest.mark.parametrize("duration", ["P7X", "PT", "P7DT6M3", "P"])
def test_a_duration_that_only_looks_like_one_is_refused(refused, duration):
    path, expected = refused(model(f"window: {{every: {duration}}}"))
    assert path == "models.late.window.every"
    assert f"(found '{duration}')" in expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (model("window: {every: PT0S}"), "models.late.window.every"),
        (model("retrain: {every: PT0S}"), "models.late.retrain.every"),
        (model("retrain: {budget: PT0S}"), "models.late.retrain.budget"),
        (model("labels: {horizon: P10000Y}"), "models.late.labels.horizon"),
        (SMALLEST + "tick: PT0S\n", "tick"),
    ],
)
def test_a_stretch_of_nothing_or_of_more_than_a_century_is_refused(refused, text, path):
    found, expected = refused(text)
    assert found == path
    assert expected.startswith("Input should be ")


@pytest.mark.parametrize(
    ("more", "path", "word"),
    [
        ("window: {rows: 0}", "window.rows", "greater than 0"),
        ("window: {rows: many}", "window.rows", "integer"),
        ("window: {rows: 5, min_rows: 0}", "window.min_rows", "greater than or equal to 1"),
        ("window: {every: P7D, anchor: 2013-01-01T00:00:00}", "window.anchor", "timezone"),
        ("task: ranking", "task", "'binary', 'multiclass' or 'regression'"),
        ("on_schema_change: ignore", "on_schema_change", "'accept' or 'refuse'"),
        ("drift: {share_drifted: 0}", "drift.share_drifted", "greater than 0"),
        ("drift: {share_drifted: 1.1}", "drift.share_drifted", "less than or equal to 1"),
        ("drift: {methods: psi}", "drift.methods", "'evidently'"),
        ("drift: {methods: {x: 3}}", "drift.methods.x", "string"),
        ("drift: {thresholds: {x: high}}", "drift.thresholds.x", "number"),
        ("drift: {thresholds: {x: .nan}}", "drift.thresholds.x", "finite"),
        ("quality: {null_jump: 0}", "quality.null_jump", "greater than 0"),
        ("quality: {unseen: 1.5}", "quality.unseen", "less than or equal to 1"),
        ("performance: {max_drop: -0.1}", "performance.max_drop", "greater than or equal to 0"),
        ("labels: {mature: 0}", "labels.mature", "greater than 0"),
        ("retrain: {when: [gain, often]}", "retrain.when.1", "'schedule' or 'new_rows'"),
        ("retrain: {new_rows: 0}", "retrain.new_rows", "greater than or equal to 1"),
        ("retrain: {candidates: []}", "retrain.candidates", "at least 1"),
        ("retrain: {candidates: [tree, forest]}", "retrain.candidates.1", "'random_forest'"),
        ("retrain: {preprocess: {missing: [zero]}}", "retrain.preprocess.missing.0", "'indicator'"),
        ("retrain: {preprocess: {outliers: drop}}", "retrain.preprocess.outliers", "valid tuple"),
        ("retrain: {serving: {latency: 0.1}}", "retrain.serving.latency", "ISO 8601"),
        ("retrain: {serving: {slowdown: 0.5}}", "retrain.serving.slowdown", "equal to 1"),
        ("retrain: {serving: {bytes: 0}}", "retrain.serving.bytes", "greater than 0"),
        ("retrain: {max_fits: 0}", "retrain.max_fits", "greater than or equal to 1"),
        ("retrain: {min_labels: 0}", "retrain.min_labels", "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_a_value_out_of_its_bounds_is_refused_with_what_was_expected(refused, more, path, word):
    found, expected = refused(model(more))
    assert found == f"models.late.{path}"
    assert word in expected


@pytest.mark.parametrize(
    ("part", "way", "unable"),
    [("missing", "keep", "logistic"), ("encoding", "native", "random_forest")],
)
def test_a_candidate_needs_a_preparation_that_it_can_take(load, refused, part, way, unable):
    path, expected = refused(model(f"retrain: {{preprocess: {{{part}: [{way}]}}}}"))
    assert path == f"models.late.retrain.preprocess.{part}"
    assert expected.startswith(f"{unable} cannot take {way}: allow another way, or remove {unable}")
    few = "candidates: [hist_gradient_boosting]"
    assert load(model(f"retrain: {{{few}, preprocess: {{{part}: [{way}]}}}}"))


def test_what_was_found_is_shown(refused):
    assert refused(model("task: ranking"))[1].endswith("(found 'ranking')")


def test_an_unknown_method_is_refused_with_those_there_are(refused):
    path, message = refused(model("drift: {methods: {x: spi}}"))
    assert path == "models.late.drift.methods.x"
    assert "no method spi; it has ks, t_test," in message
    assert "`imports`" in message


def test_a_module_that_cannot_be_imported_is_refused_with_the_reason(refused):
    path, message = refused(SMALLEST + "imports: [no_such_module]\n")
    assert path == "imports"
    assert "No module named 'no_such_module'; is its folder in PYTHONPATH?" in message


def test_an_unknown_metric_is_refused_with_those_there_are(refused):
    path, expected = refused(model("performance: {metric: auc}"))
    assert path == "models.late.performance.metric"
    assert expected == f"expected one of {', '.join(METRICS)}"


def test_a_metric_of_another_task_is_refused_with_those_of_the_task(refused):
    path, expected = refused(model("task: regression, performance: {metric: roc_auc}"))
    assert path == "models.late.performance.metric"
    assert expected == "regression models have mae, rmse, r2"


@pytest.mark.parametrize(
    "name", ["a/b", "with space", "-x", ".hidden", "é", "", "a" * 101, '"${HOME}"']
)
def test_a_model_s_name_must_do_for_a_folder_and_an_address(refused, name):
    path, expected = refused(SMALLEST.replace("late", f'"{name.strip(chr(34))}"'))
    assert path == f"models.{name.strip(chr(34))}"
    assert expected == "a model's name has letters, digits, _, . and - only"


@pytest.mark.parametrize("text", ["models: {}\n", "models: []\n", "models: late\n"])
def test_there_must_be_a_model(refused, text):
    assert refused(text)[0] == "models"


@pytest.mark.parametrize("text", ["", "# nothing\n", "just words\n", "- a\n- list\n", "3\n"])
def test_a_file_that_holds_no_keys_is_refused_with_those_there_are(refused, text):
    assert refused(text) == ("file", "expected keys: models, notify, data, tick, url")


@pytest.mark.parametrize(
    "text",
    [
        "models: {late: ",
        "a: b: c\n",
        "models:\n\tlate: {}\n",
        "models: *nobody\n",
        "at: 2013-99-99\n",
    ],
)
def test_a_file_that_is_not_yaml_is_refused(refused, text):
    path, expected = refused(text)
    assert path == "file"
    assert expected.startswith("not valid YAML: ")


def test_a_file_never_runs_code(refused, tmp_path):
    text = f"models: !!python/object/apply:os.mkdir [{tmp_path}/made]\n"
    assert refused(text)[1].startswith("not valid YAML: ")
    assert not (tmp_path / "made").exists()


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "leeway.yaml").write_bytes(b"\xff\xfe\x00\x01models")
    with pytest.raises(ConfigError, match="file: not valid YAML"):
        load_config(tmp_path / "leeway.yaml")


def test_a_file_that_is_not_there_is_refused_with_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "leeway.yaml")
    assert error.value.expected == "not found; make one with `leeway init`"


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="file: cannot be read: Is a directory"):
        load_config(tmp_path)


# every setting is explained

SETTINGS = [
    one
    for place in (module, retrain_config, source_config)
    for _, one in inspect.getmembers(place, inspect.isclass)
    if one.__module__ == place.__name__ and issubclass(one, BaseModel) and one.__name__[0] != "_"
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: one.__name__)
def test_each_setting_is_explained_below_it_or_in_its_class(settings):
    (parsed,) = ast.parse(dedent(inspect.getsource(settings))).body
    assert isinstance(parsed, ast.ClassDef)
    told = {
        field.target.id
        for field, below in zip(parsed.body, parsed.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and str(below.value.value).strip().endswith(".")
    }
    documented = inspect.getdoc(settings) or ""
    assert documented
    silent = {n for n in settings.model_fields if n not in told and f"\n{n} : " not in documented}
    assert silent == set()


def test_the_whole_tree_of_the_file_is_among_the_settings_that_are_looked_at():
    reached, waiting = set(), [Config, ModelConfig]
    while waiting:
        one = waiting.pop()
        reached.add(one)
        stated = [field.annotation for field in one.model_fields.values()]
        kinds = [kind for one in stated for kind in (one, *get_args(one))]
        waiting += [k for k in kinds if inspect.isclass(k) and issubclass(k, BaseModel)]
    assert reached | {Environment} == set(SETTINGS)


def test_a_key_that_is_given_twice_is_refused_with_its_line(tmp_path):
    path = tmp_path / "leeway.yaml"
    path.write_text("models:\n  a: {reference: a.parquet, columns: {target: y}}\n  a: {}\n")
    with pytest.raises(ConfigError, match="the key 'a' is given twice") as refused:
        load_config(path)
    assert "line 2" in str(refused.value)
