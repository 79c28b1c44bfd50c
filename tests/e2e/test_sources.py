"""A server judges windows from rows that it collected itself: nobody sends any."""

from functools import partial

import httpx
import pandas as pd
import pytest
import sqlalchemy as sa
import yaml

MODEL = "late"


@pytest.fixture
def shop(tmp_path):
    """A database with a table of labelled rows."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=sa.NullPool)

    def sell(frame: pd.DataFrame) -> None:
        with engine.begin() as connection:
            frame.assign(at=frame["at"].astype(str)).to_sql(
                "sales", connection, if_exists="append", index=False
            )

    return sell


@pytest.fixture
def collecting(home, serve, tmp_path):
    """Configure the model twice: one that is collected from files, one from a database."""
    document = yaml.safe_load(home.config.read_text())
    model = document["models"][MODEL]
    (tmp_path / "in").mkdir()
    files = {"predictions": f"{tmp_path}/in/*.parquet", "settled": "PT0.5S"}
    query = "select * from sales where at > :cursor order by at"
    sql = {"url": "${SHOP}", "predictions": query, "cursor": "at", "start": "", "batch_rows": 100}
    document["models"] = {
        MODEL: {**model, "source": {"every": "PT0.2S", "files": files}},
        "sold": {**model, "source": {"every": "PT0.2S", "sql": sql}},
    }
    home.config.write_text(yaml.safe_dump(document))
    return partial(serve, SHOP=f"sqlite:///{tmp_path}/shop.db")


@pytest.fixture
def lived(made_up, week_start):
    """Make the rows of a week, and say when it ends."""

    def rows(number: int) -> pd.DataFrame:
        return made_up(number)

    rows.end = lambda number: week_start(number + 1)
    return rows


def windows(client, model):
    return [(w["n_rows"], w["n_labels"]) for w in client.get(f"/v1/models/{model}/windows")]


def learned(client, model, eventually):
    """Ask for a run; return how many rows each part of its data has: the reference, the windows."""
    client.post(f"/v1/models/{model}/retrain")
    path = f"/v1/models/{model}/runs"
    eventually(lambda: any(one["ended_at"] for one in client.get(path)), "it has ended")
    number = client.get(path)[0]["id"]
    return [one["n_rows"] for one in client.get(f"{path}/{number}")["details"]["parts"]]


def test_windows_are_judged_from_files_and_a_database_without_a_request(
    home, collecting, shop, lived, tmp_path, eventually
):
    server = collecting()
    with server.client() as client:
        for week in (0, 1):
            rows = lived(week)
            rows[:140].to_parquet(tmp_path / "in" / f"{week}-a.parquet")
            rows[140:].to_parquet(tmp_path / "in" / f"{week}-b.parquet")
            shop(rows)
            home.clock.set(lived.end(week))
            wanted = [(280, 280)] * (week + 1)
            for model in (MODEL, "sold"):
                eventually(lambda m=model, n=week: len(windows(client, m)) > n, "it is judged")
                eventually(lambda m=model, w=wanted: windows(client, m) == w, f"{model} has all")
        for model in (MODEL, "sold"):
            assert learned(client, model, eventually) == [1120, 280, 280]
        server.kill()
    server = collecting()
    with server.client() as client:
        home.clock.set(lived.end(2))
        eventually(lambda: len(windows(client, MODEL)) == 3, "an empty week is judged")
        assert windows(client, MODEL)[:2] == [(280, 280), (280, 280)]
        assert all(w["n_repeated"] == 0 for w in client.get(f"/v1/models/{MODEL}/windows"))


def test_a_database_that_is_away_is_an_error_of_its_model_and_the_others_go_on(
    home, collecting, shop, lived, tmp_path, eventually
):
    server = collecting()
    with server.client() as client:

        def error() -> str | None:
            return client.get("/v1/models/sold")["error"]

        eventually(error, "the error is noted")
        assert "there is no such file" in error()
        metrics = httpx.get(f"{server.url}/metrics").text
        assert 'leeway_check_status{model="sold",check="cycle"} 4.0' in metrics
        lived(0).to_parquet(tmp_path / "in" / "0.parquet")
        home.clock.set(lived.end(0))
        eventually(lambda: windows(client, MODEL) == [(280, 280)], "the other model is judged")
        shop(lived(0))
        eventually(lambda: not error(), "the error is over")
        eventually(lambda: windows(client, "sold") == [(280, 280)], "its rows are judged, too")
