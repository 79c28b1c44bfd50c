"""Predictions that were answered are logged together, soon, and all of them at the end."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from monitor import intake
from monitor.batch import EVENT_AT, Batch
from monitor.body import Body
from retrain import deferred

PATH = "/v1/models/late/predict"


@pytest.fixture
def rows(app, made_up, week_start):
    """Rows without a prediction; the week they are of is over."""
    app.clock.set(week_start(1))
    frame = made_up(0).drop(columns="late").head(20)
    return json.loads(frame.to_json(orient="records", date_format="iso"))


def logged(app):
    return app.deployment.log.extent("late").n_rows


def test_what_waits_is_logged_when_the_server_ends(app, rows, monkeypatch, eventually):
    monkeypatch.setattr(deferred, "GATHER_SECONDS", 600.0)
    with app.http() as http:
        for row in rows:
            assert http.post(PATH, json=[row]).status_code == 200
        assert logged(app) == 0
    eventually(lambda: logged(app) == 20, "all rows are in the log")


def test_many_rows_do_not_wait_for_others(app, rows, monkeypatch, eventually):
    monkeypatch.setattr(deferred, "GATHER_SECONDS", 600.0)
    monkeypatch.setattr(deferred, "MAX_WAITING_ROWS", 15)
    with app.http() as http:
        http.post(PATH, json=rows[:5])
        assert logged(app) == 0
        http.post(PATH, json=rows[5:])
        eventually(lambda: logged(app) == 20, "all rows are in the log")


def test_who_asks_for_a_verdict_gets_it_on_all_that_was_answered(app, rows, monkeypatch):
    monkeypatch.setattr(deferred, "GATHER_SECONDS", 600.0)
    with app.http() as http:
        assert http.post("/v1/models/late/checks").json() == []
        for row in rows:
            http.post(PATH, json=[row])
        assert logged(app) == 0
        (judged,) = http.post("/v1/models/late/checks").json()
        assert (judged["revision"], logged(app)) == (1, 20)
        assert http.post("/v1/models/late/checks").json() == []


def test_a_durable_answer_waits_for_nobody(app, rows, monkeypatch):
    monkeypatch.setattr(deferred, "GATHER_SECONDS", 600.0)
    with app.http() as http:
        http.post(f"{PATH}?durable=true", json=rows)
        assert logged(app) == 20


def test_what_cannot_be_logged_spoils_nothing_that_waits_with_it(
    app, made_up, week_start, eventually
):
    app.clock.set(week_start(1))
    served = app.serving.champion("late")
    frame = made_up(0).drop(columns="late").head(3)

    def request(number) -> list[Batch]:
        one = frame.iloc[number : number + 1]
        body = Body({name: pa.chunked_array([pa.array(one[name])]) for name in one}, 1)
        known = intake.Request("late", f"request {number}", "digest", app.clock.now(), 1)
        return intake.predictions(body, served.schema, known, predict=served.columns)

    first, second, third = map(request, range(3))
    bad = [replace(second[0], table=second[0].table.drop_columns(EVENT_AT))]
    failed = []
    waiting = deferred.Deferred(app.deployment.log, failed.append)
    for one in (first, bad, third):
        waiting.append(one)
    waiting.close()
    eventually(lambda: logged(app) == 2 and len(failed) == 1, "two are logged, and one is not")
    assert EVENT_AT in str(failed[0])


def test_a_request_that_cannot_be_logged_is_said_in_the_servers_log(app, rows, eventually, capfd):
    headers = {"Idempotency-Key": "one"}
    with app.http() as http:
        http.post(f"{PATH}?durable=true", json=rows, headers=headers)
        assert http.post(PATH, json=rows[:3], headers=headers).status_code == 200
        said = []

        def is_said() -> bool:
            said.append(capfd.readouterr())
            return "answered but not logged" in "".join(one.out + one.err for one in said)

        eventually(is_said, "the conflict is in the server's log")
    assert logged(app) == 20
