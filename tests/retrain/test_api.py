"""Retraining's doors, on the composed application over real storage."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pytest

from monitor.batch import CHANCES
from monitor.window import Window
from retrain.record import Ended, Outcome, RequestKind
from retrain.serving import Served
from tests.watched import as_rows

PATH = "/v1/models/late"
ANY_BODY = {"content": b"[]", "headers": {"Content-Type": "application/json"}}


@pytest.fixture
def http(app):
    """A client of the composed application."""
    with app.http() as client:
        yield client


@pytest.fixture
def rows(made_up, app, week_start):
    """Rows without a prediction; the week they are of is over."""
    app.clock.set(week_start(1))
    frame = made_up(0).drop(columns="late").head(20)
    return json.loads(frame.to_json(orient="records", date_format="iso"))


@pytest.fixture
def two(app):
    """The deployment with a second version that does not serve yet."""
    registry = app.deployment.registry
    registry.register(registry.load("late", 1), app.clock.now())
    return app


def logged(app, week_start):
    window = Window(week_start(0), week_start(1))
    return app.deployment.log.read("late", window, ["prediction"])


def test_predictions_are_those_of_the_champion_and_are_logged(http, app, rows, made_up, week_start):
    answer = http.post(f"{PATH}/predict?durable=true", json=rows)
    assert answer.status_code == 200
    made = answer.json()
    assert (made["model"], made["version"]) == ("late", 1)
    assert made["prediction_ids"] == [row["id"] for row in rows]
    frame = made_up(0).head(20)
    served = Served(1, app.deployment.registry.load("late", 1))
    expected = served.predict(pa.Table.from_pandas(frame)).to_pylist()
    assert made["predictions"] == pytest.approx(expected, abs=1e-9)
    table = logged(app, week_start)
    assert table.column("prediction").to_pylist() == made["predictions"]
    assert set(table.column("_model_version").to_pylist()) == {1}


def as_columns(frame):
    return json.dumps({"columns": frame.to_dict("list")}, default=str).encode()


def as_parquet(frame):
    sink = io.BytesIO()
    frame.to_parquet(sink, index=False)
    return sink.getvalue()


def as_arrow(frame):
    sink, table = io.BytesIO(), pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


BODIES = {
    "json columns": ("application/json", as_columns),
    "csv": ("text/csv", lambda frame: frame.to_csv(index=False).encode()),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
    "arrow": ("application/vnd.apache.arrow.stream", as_arrow),
}


@pytest.mark.parametrize("sent_as", BODIES)
def test_the_same_rows_are_predicted_alike_from_every_format(
    http, app, rows, made_up, week_start, sent_as
):
    content_type, written = BODIES[sent_as]
    frame = made_up(0).drop(columns="late").head(20)
    answer = http.post(
        f"{PATH}/predict?durable=true",
        content=written(frame),
        headers={"Content-Type": content_type},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["prediction_ids"] == [row["id"] for row in rows]
    served = Served(1, app.deployment.registry.load("late", 1))
    expected = served.predict(pa.Table.from_pandas(frame)).to_pylist()
    assert answer.json()["predictions"] == pytest.approx(expected, abs=1e-9)
    table = logged(app, week_start)
    assert table.column("prediction").to_pylist() == answer.json()["predictions"]


def test_a_plain_predict_is_logged_soon_after_its_answer(http, app, rows, eventually):
    assert http.post(f"{PATH}/predict", json=rows).status_code == 200
    log = app.deployment.log
    eventually(lambda: log.extent("late").n_rows == 20, "the rows are in the log")


def test_a_repeated_predict_logs_its_rows_once(http, app, rows):
    headers = {"Idempotency-Key": "one"}
    answers = [
        http.post(f"{PATH}/predict?durable=true", json=rows, headers=headers).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert app.deployment.log.extent("late").n_rows == 20


def test_a_predict_with_the_id_of_another_body_is_a_conflict(http, rows):
    headers = {"Idempotency-Key": "one"}
    http.post(f"{PATH}/predict?durable=true", json=rows, headers=headers)
    answer = http.post(f"{PATH}/predict?durable=true", json=rows[:3], headers=headers)
    assert answer.status_code == 409


def test_a_row_that_cannot_be_stored_is_not_predicted(http, app, rows):
    rows[3]["at"] = "yesterday"
    answer = http.post(f"{PATH}/predict", json=rows)
    assert (answer.status_code, answer.json()["row"], answer.json()["field"]) == (422, 3, "at")
    assert app.deployment.log.extent("late").n_rows == 0


def test_a_row_with_a_missing_column_is_predicted_all_the_same(http, rows):
    for row in rows:
        del row["x"]
    answer = http.post(f"{PATH}/predict?durable=true", json=rows)
    assert answer.status_code == 200
    assert all(0 <= value <= 1 for value in answer.json()["predictions"])


@pytest.mark.parametrize("path", ["predict", "retrain", "rollback", "versions/1/promote"])
def test_nothing_can_be_asked_of_a_model_that_is_not_there(http, path):
    more = ANY_BODY if path == "predict" else {}
    answer = http.post(f"/v1/models/stranger/{path}", **more)
    assert answer.status_code == 404
    assert "stranger" in answer.json()["detail"]
    assert 'model="stranger"' not in http.get("/metrics").text


@pytest.mark.parametrize("path", ["runs", "requests", "versions", "runs/1", "versions/1/model"])
def test_nothing_is_shown_of_a_model_that_is_not_there(http, path):
    assert http.get(f"/v1/models/stranger/{path}").status_code == 404


def test_a_retrain_is_asked_for_once_at_a_time(http):
    answer = http.post(f"{PATH}/retrain", json={"why": "the world has changed"})
    assert (answer.status_code, answer.json()) == (202, {"request": 1, "champion": 1})
    (request,) = http.get(f"{PATH}/requests").json()
    assert (request["why"], request["trigger"]) == ("the world has changed", "by hand")
    again = http.post(f"{PATH}/retrain")
    assert again.status_code == 409
    assert "asked for already" in again.json()["detail"]


def test_a_run_is_shown_with_its_details_and_listed_without(http, app):
    runs, now = app.deployment.retrain_world().runs, app.clock.now()
    runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", now)
    number = runs.start(runs.claim(RequestKind.RETRAIN, "test", now), 1, now)
    runs.finish(Ended(number, Outcome.REFUSED, "no gain", {"rows": {"holdout": 5}}), now)
    (listed,) = http.get(f"{PATH}/runs").json()
    assert (listed["outcome"], listed["reason"]) == ("refused", "no gain")
    assert "details" not in listed
    assert http.get(f"{PATH}/runs/{number}").json()["details"] == {"rows": {"holdout": 5}}
    assert http.get(f"{PATH}/runs/99").status_code == 404
    counted = 'leeway_retrain_runs_total{model="late",outcome="refused"} 1.0'
    assert counted in http.get("/metrics").text


@pytest.mark.usefixtures("two")
def test_promotion_and_rollback_change_who_answers_the_next_request(http, rows):
    def version() -> int:
        return http.post(f"{PATH}/predict?durable=true", json=rows).json()["version"]

    assert version() == 1
    assert http.post(f"{PATH}/versions/2/promote").json() == {"model": "late", "champion": 2}
    assert version() == 2
    shown = http.get(f"{PATH}/versions").json()
    assert [(v["champion"], v["aliases"]) for v in shown] == [
        (False, ["previous"]),
        (True, ["champion"]),
    ]
    assert 'leeway_champion_info{model="late",version="2"} 1.0' in http.get("/metrics").text
    answer = http.post(f"{PATH}/rollback", json={"why": "worse after all"})
    assert answer.json() == {"model": "late", "champion": 1}
    assert version() == 1


@pytest.mark.usefixtures("two")
def test_no_request_fails_while_champions_are_swapped(http, rows):
    def ask(_number: int) -> tuple[int, int]:
        answer = http.post(f"{PATH}/predict", json=rows)
        return answer.status_code, answer.json().get("version")

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(ask, range(60))
        for number in range(7):
            promoted = http.post(f"{PATH}/versions/{2 - number % 2}/promote")
            assert promoted.status_code == 200
        found = set(answers)
    assert {status for status, _ in found} == {200}
    assert {version for _, version in found} <= {1, 2}


def test_what_cannot_be_moved_is_a_conflict_and_what_is_not_there_a_404(http):
    assert http.post(f"{PATH}/rollback").status_code == 409
    assert http.post(f"{PATH}/versions/1/promote").status_code == 409
    assert http.post(f"{PATH}/versions/9/promote").status_code == 404
    assert http.post(f"{PATH}/versions/nine/promote").status_code == 422
    answer = http.post(f"{PATH}/rollback", json={"wy": "misspelt"})
    assert (answer.status_code, answer.json()["field"]) == (422, "body.wy")


def test_a_model_file_that_was_altered_is_not_handed_out(app):
    app.deployment.registry.model_file("late", 1).path.write_bytes(b"altered")
    with app.http() as http:
        answer = http.get(f"{PATH}/versions/1/model")
    assert answer.status_code == 500
    assert "not the file that was registered" in answer.json()["detail"]


def test_a_model_file_comes_with_its_digest_and_that_of_its_record(http, app):
    answer = http.get(f"{PATH}/versions/1/model")
    file = app.deployment.registry.model_file("late", 1)
    assert answer.content == file.path.read_bytes()
    assert answer.headers["X-Model-SHA256"] == sha256(answer.content).hexdigest()
    assert answer.headers["X-Bundle-SHA256"] == file.bundle_sha256


def test_an_altered_champion_is_a_problem_of_the_server_and_not_an_answer(app, rows):
    path = app.deployment.registry.model_file("late", 1).path
    path.write_bytes(b"altered")
    with app.http() as http:
        answer = http.post(f"{PATH}/predict", json=rows)
    assert answer.status_code == 500
    assert "not the file that was registered" in answer.json()["detail"]


def test_a_model_of_several_classes_answers_their_probabilities(
    home, new_home, made_up, week_start
):
    text = home.config.read_text().replace("task: binary", "task: multiclass")
    new_home.config.write_text(text)
    new_home.clock.set(home.clock.now())
    learned = made_up(-26, 26)
    labels = np.digitize(learned["x"], [-0.5, 0.5])
    learned.assign(late=np.array(["early", "on time", "late"])[labels]).to_parquet(
        new_home.folder / "reference.parquet"
    )
    with new_home.opened() as app:
        sent = as_rows(made_up(-1).drop(columns="late").head(20))
        answer = app.http().post(f"{PATH}/predict?durable=true", json=sent).json()
        week = Window(week_start(-1), week_start(0))
        logged = app.deployment.log.read("late", week, [CHANCES], horizon=None)[CHANCES].to_pylist()
    assert set(answer["probabilities"]) == {"early", "on time", "late"}
    shares = pd.DataFrame(answer["probabilities"])
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    assert shares.idxmax(axis=1).tolist() == answer["predictions"]
    assert logged == shares[["early", "late", "on time"]].to_numpy().tolist()  # the schema's order
    assert "classes" not in answer
