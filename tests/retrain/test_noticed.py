"""What a fit leaves out of its rows, rows and features, is on the record of runs and versions."""

import numpy as np
import pandas as pd
import pytest

from retrain.prediction import predict
from retrain.record import Outcome
from tests.dashboards.conftest import words
from tests.lived import asked, model_of

MOVED = {"by_x": 1.0, "by_y": 4.0}
LEAVES_OUT = {
    "drop": "missing: [drop]",
    "iqr": "outliers: [iqr]",
    "isolation_forest": "outliers: [isolation_forest]",
}


@pytest.fixture
def odd_weeks(made_up):
    """Make weeks in which every tenth row has no x, and every thirtieth an x that is far out.

    With a unit that is always the same and a ticket that hardly another row has: names that only
    come once would look like a broken feed.
    """

    def make(number, n_weeks=1, **concept: float) -> pd.DataFrame:
        frame = made_up(number, n_weeks, **concept)
        frame.loc[::10, "x"] = np.nan
        frame.loc[1::30, "x"] = 1e3
        tickets = [f"{-4 if place % 20 else number} {place}" for place in range(len(frame))]
        return frame.assign(unit="km", ticket=tickets)

    return make


@pytest.fixture
def promoted(new_home, learned, odd_weeks, week_start, request):
    """Live through a changed world; return what was promoted, and the rows it lived through."""
    text = learned.config.read_text().replace("[g]", "[g, unit, ticket]")
    text = text.replace("cooldown", f"preprocess: {{{request.param}}}, cooldown")
    new_home.config.write_text(text)
    before = odd_weeks(-4, 4)
    before.to_parquet(new_home.folder / "reference.parquet")
    new_home.clock.set(week_start(0))
    with new_home.opened() as app:
        app.deployment.store.pause("late", paused=True)
        weeks = [before]
        for number in range(4):
            weeks.append(odd_weeks(number, **MOVED))
            app.clock.set(week_start(number + 1))
            app.predict(weeks[-1].drop(columns="late"), f"week {number}")
            app.label(weeks[-1], f"labels {number}")
            app.deployment.watcher().check("late")
        result, record = asked(app)
        yield app, result, record, pd.concat(weeks, ignore_index=True)


@pytest.mark.parametrize("promoted", LEAVES_OUT.values(), ids=LEAVES_OUT, indirect=True)
def test_rows_are_left_out_of_training_alone_and_counted(promoted):
    app, result, record, rows = promoted
    assert result.outcome is Outcome.PROMOTED, result.reason
    details, schema = record["details"], model_of(app).schema
    n_held, n_known = details["rows"]["holdout"], details["rows"]["training"]
    assert n_held + n_known == len(rows)
    assert details["comparison"]["n_rows"] == n_held
    known, held = rows["x"][:n_known], rows["x"][n_known:]
    assert held.isna().any()
    assert (held > 100).any()
    odd = {
        "drop": known.isna().sum(),
        "iqr": (known > 100).sum(),
        "isolation_forest": round(0.01 * n_known),
    }
    way = next(name for name in odd if name in details["recipe"]["preprocessing"].values())
    assert details["notes"]["rows_left_out"] == pytest.approx(odd[way], abs=1)
    made = app.deployment.registry.load("late", details["version"])
    assert made.lineage.notes.rows_left_out > details["notes"]["rows_left_out"]
    assert made.lineage.n_rows == len(rows)
    assert np.isfinite(predict(made.pipeline, rows.drop(columns="late"), schema)).all()
    with app.http() as http:
        shown = http.get(f"/v1/models/late/runs/{record['id']}").json()["details"]["notes"]
        page = words(http.get(f"/models/late/runs/{record['id']}").text)
        version = http.get("/v1/models/late/versions").json()[-1]
    assert shown["rows_left_out"] == details["notes"]["rows_left_out"]
    assert f"{shown['rows_left_out']:,} by how it prepares features" in page
    assert version["lineage"]["notes"]["rows_left_out"] == made.lineage.notes.rows_left_out


@pytest.mark.parametrize("promoted", ["missing: [median]"], indirect=True)
def test_features_that_teach_nothing_are_left_out_of_the_model_and_told_with_the_reason(promoted):
    app, result, record, rows = promoted
    assert result.outcome is Outcome.PROMOTED, result.reason
    told = {"unit": "it has one value", "ticket": "nearly every row has its own value"}
    made = app.deployment.registry.load("late", record["details"]["version"])
    assert made.lineage.notes.left_out == record["details"]["notes"]["left_out"] == told
    assert made.lineage.notes.rows_left_out == 0
    some, schema = rows.head(50), model_of(app).schema
    other = some.assign(unit="miles", ticket=some["ticket"].iloc[::-1].to_numpy())
    assert (
        predict(made.pipeline, some, schema).tolist()
        == predict(made.pipeline, other, schema).tolist()
    )
    with app.http() as http:
        shown = http.get(f"/v1/models/late/runs/{record['id']}").json()["details"]["notes"]
        page = words(http.get(f"/models/late/runs/{record['id']}").text)
    assert shown["left_out"] == told
    for name, why in told.items():
        assert f"{name} ({why})" in page
    assert "Training rows left out" not in page
