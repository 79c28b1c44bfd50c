"""A feature that is a date: from `leeway init` over the log to a model that is replaced."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from leeway.config_file import load_config
from leeway.init import Wanted, write_config
from leeway.policies import retrained
from monitor.errors import SchemaError
from monitor.inferred import infer
from monitor.schema import Kind, Roles
from retrain.adapters.labelled_rows import labelled_reference
from retrain.dataset import conform
from retrain.record import Outcome, RequestKind
from retrain.repeat import repeat
from retrain.run import run
from tests.conftest import REFERENCE_WEEKS, Home, made_up, week_start


def booked(number, n_weeks=1, *, late=True):
    """Make rows whose label follows the day of the week that they were booked for."""
    frame = made_up(number, n_weeks)
    rng = np.random.default_rng(number + 50)
    hours = rng.integers(0, 60 * 24, len(frame))
    days = frame["at"].dt.tz_localize(None).dt.normalize()
    frame["booked"] = (days - pd.to_timedelta(hours, unit="h")).astype("datetime64[us]")
    is_weekend = frame["booked"].dt.weekday >= 5
    frame["late"] = (is_weekend == late).astype(int)
    frame.loc[rng.random(len(frame)) < 0.05, "booked"] = pd.NaT
    return frame


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A deployment that `leeway init` has set up."""
    home = Home(tmp_path_factory.mktemp("dates"))
    booked(-REFERENCE_WEEKS, REFERENCE_WEEKS).to_parquet(home.folder / "reference.parquet")
    wanted = Wanted(home.folder / "reference.parquet", "late", time="at", name="late")
    said = write_config(wanted, home.config)
    assert "  - 2 numeric and 1 categorical features, 1 dates" in said
    home.configure("    # retrain:", "    retrain: {candidates: [tree]}")
    home.clock.set(week_start(0))
    return home


@pytest.fixture(scope="module")
def app(learned):
    with learned.opened() as found:
        yield found


def test_init_finds_the_date_and_says_so(learned):
    columns = load_config(learned.config).models["late"].columns
    assert columns.dates == ("booked",)
    assert columns.time == "at"


def test_a_served_model_takes_iso_text_in_any_zone(app):
    row = {"id": "a", "at": week_start(0).isoformat(), "x": 0, "y": 0, "g": "a"}
    given = [
        "2025-12-06T01:00:00+02:00",
        "2025-12-05T23:00:00Z",
        "2025-12-06",
        None,
        "soon",
        20251206,
    ]
    rows = [{**row, "id": f"zone {i}", "booked": one} for i, one in enumerate(given)]
    with app.http() as http:
        answer = http.post("/v1/models/late/predict?durable=true", json=rows)
    assert answer.status_code == 200, answer.text
    friday, same, saturday, *unknown = answer.json()["predictions"]
    assert friday == same < 0.5 < saturday
    assert len({*unknown}) == 1


@pytest.fixture(scope="module")
def lived(app):
    """Two weeks as ever, of which the second has broken dates; then four of a changed world."""
    watcher = app.deployment.watcher()
    app.deployment.store.pause("late", paused=True)
    for number in range(6):
        frame = booked(number, late=number < 2)
        sent = frame.drop(columns="late").astype({"booked": object})
        sent["booked"] = sent["booked"].where(frame["booked"].notna(), None)
        if number == 1:
            sent["booked"] = sent["booked"].where(np.arange(len(sent)) % 2 == 0, "soon").astype(str)
        app.clock.set(week_start(number + 1))
        app.predict(sent, f"week {number}")
        app.label(frame, f"labels {number}")
        watcher.check("late")
    with app.http() as http:
        windows = http.get("/v1/models/late/windows").json()
        return [http.get(f"/v1/models/late/windows/{one['id']}").json() for one in windows]


def of_date(window):
    return {one["method"]: one for one in window["scores"] if one["column"] == "booked"}


def test_a_date_is_asked_only_whether_it_is_there(lived):
    (missing,) = of_date(lived[2]).values()
    assert (missing["method"], missing["status"]) == ("missing", "OK")
    assert missing["score"] == pytest.approx(0.05, abs=0.04)
    assert missing["reference_value"] == pytest.approx(0.05, abs=0.02)


def test_dates_that_are_none_are_an_incident(lived):
    assert lived[1]["diagnosis"] == "incident"
    broken = of_date(lived[1])
    assert broken["schema_retyped"]["score"] == 0.5
    assert broken["missing"]["status"] == "BREACH"


def test_a_run_learns_from_dates_and_can_be_repeated_and_rolled_back(app, lived):
    world, registry = app.deployment.retrain_world(), app.deployment.registry
    model = retrained("late", app.deployment.config.models["late"], app.deployment.schema("late"))
    now = app.clock.now()
    world.runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", now)
    result = run(world.runs.claim(RequestKind.RETRAIN, "test", now), model, world)
    assert result.outcome is Outcome.PROMOTED, result.reason
    assert "bit for bit" in repeat(world.runs.runs("late")[-1], model, world)
    saturday = pa.table({"booked": pa.array([pd.Timestamp("2026-03-14", tz="UTC")])})
    (after,) = app.serving.champion("late").predict(saturday).to_pylist()
    registry.roll_back("late", now, "to see")
    (before,) = app.serving.champion("late").predict(saturday).to_pylist()
    assert after < 0.5 < before
    assert len(lived) == 6


def test_what_is_no_date_cannot_be_declared_one():
    table = pa.table({"y": [0, 1], "x": [1.0, 2.0], "when": [20260101, 20260102]})
    with pytest.raises(SchemaError, match="'when' is int64, no date; store it as timestamps or"):
        infer(table, Roles("y", dates=("when",)))


def test_a_text_is_a_date_only_where_it_is_declared_one():
    table = pa.table({"y": [0, 1], "x": [1.0, 2.0], "when": ["2026-01-01", "2026-01-02"]})
    assert infer(table, Roles("y")).schema.features["when"] is Kind.CATEGORICAL
    declared = infer(table, Roles("y", numeric=("x",), dates=("when",))).schema
    assert declared.dates == ["when"]
    rows = labelled_reference(table, declared)
    assert conform(rows, declared)["when"].dtype == "datetime64[us]"
