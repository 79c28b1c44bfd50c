"""The watch's doors, on the composed application over a real log and a real database."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from leeway.client.client import ARROW_STREAM, _stream
from monitor.window import Counts, Window

KEY = "a key of a test"
PATH = "/v1/models/late/predictions"


@pytest.fixture
def http(app):
    """A client of the composed application."""
    with app.http() as client:
        yield client


@pytest.fixture
def rows(made_up, app, week_start):
    """Rows with a prediction; the week they are of is over."""
    app.clock.set(week_start(1))
    return made_up(0).drop(columns="late").assign(prediction=0.5).head(20)


def as_json(frame):
    return json.loads(frame.to_json(orient="records", date_format="iso"))


def n_logged(app):
    return app.deployment.log.extent("late").n_rows


def parquet(frame):
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    return sink.getvalue()


BODIES = {
    "application/json": lambda f: json.dumps(as_json(f)).encode(),
    "application/json; charset=utf-8": lambda f: json.dumps({"rows": as_json(f)}).encode(),
    "application/x-ndjson": lambda f: "\n".join(map(json.dumps, as_json(f))).encode(),
    "text/csv": lambda f: f.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ").encode(),
    "application/vnd.apache.parquet": parquet,
    ARROW_STREAM: _stream,
}


@pytest.mark.parametrize("content_type", BODIES)
def test_the_same_rows_are_stored_from_every_content_type(
    http, app, rows, content_type, week_start
):
    answer = http.post(
        PATH, content=BODIES[content_type](rows), headers={"Content-Type": content_type}
    )
    assert answer.status_code == 202, answer.text
    assert answer.json() == {
        "acknowledged": 20,
        "repeated": False,
        "prediction_ids": rows["id"].tolist(),
    }
    window = Window(week_start(0), week_start(1))
    stored = app.deployment.log.read("late", window, ["x", "g", "prediction"])
    assert stored.column("g").to_pylist() == rows["g"].tolist()
    assert stored.column("prediction").to_pylist() == [0.5] * 20
    assert stored.column("x").to_pylist() == pytest.approx(rows["x"].tolist())
    assert app.deployment.log.changes("late", window) == []


def test_a_repeated_request_is_acknowledged_again_and_adds_nothing(http, app, rows):
    body, headers = json.dumps(as_json(rows)), {"Idempotency-Key": "one"}
    answers = [http.post(PATH, content=body, headers=headers) for _ in range(2)]
    assert [a.status_code for a in answers] == [202, 202]
    assert [a.json()["repeated"] for a in answers] == [False, True]
    assert answers[0].json()["prediction_ids"] == answers[1].json()["prediction_ids"]
    assert n_logged(app) == 20


def test_the_same_request_id_with_another_body_is_a_conflict(http, app, rows):
    headers = {"Idempotency-Key": "one"}
    http.post(PATH, content=json.dumps(as_json(rows)), headers=headers)
    answer = http.post(PATH, content=json.dumps(as_json(rows.head(3))), headers=headers)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "new Idempotency-Key" in answer.json()["detail"]
    assert n_logged(app) == 20


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("at", "yesterday", "bad_time"),
        ("at", None, "bad_time"),
        ("at", 1769990400, "bad_time"),
        ("at", "2099-01-01T00:00:00Z", "bad_time"),
        ("id", None, "bad_id"),
        ("id", "", "bad_id"),
        ("id", "x" * 201, "bad_id"),
        ("id", {"no": "id"}, "bad_id"),
    ],
)
def test_a_row_that_cannot_be_stored_is_named_and_nothing_of_the_batch_is_kept(
    http, app, rows, field, value, reason
):
    sent = as_json(rows)
    sent[7][field] = value
    answer = http.post(PATH, json=sent)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["row"], problem["field"], problem["status"]) == (7, field, 422)
    assert f"row 7, field '{field}'" in problem["detail"]
    assert n_logged(app) == 0
    counted = f'leeway_rows_refused_total{{model="late",reason="{reason}"}} 20.0'
    assert counted in http.get("/metrics").text


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"7", "application/json"),
        (b'["row"]', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"{}\nno json", "application/x-ndjson"),
        (b"no parquet", "application/vnd.apache.parquet"),
        (b"no arrow", ARROW_STREAM),
        (b"a,b\n1", "text/csv"),
        (b"", "text/csv"),
        (b"[]", "application/pdf"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem_and_counted(http, body, content_type):
    answer = http.post(PATH, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 422
    assert answer.json()["status"] == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert 'reason="unparseable"} 1.0' in http.get("/metrics").text


def test_labels_join_their_predictions_and_a_repeat_adds_nothing(http, rows, app, week_start):
    http.post(PATH, json=as_json(rows))
    labels = [{"id": one, "late": 1} for one in rows["id"]]
    headers = {"Idempotency-Key": "labels"}
    for repeated in (False, True):
        answer = http.post("/v1/models/late/labels", json=labels, headers=headers)
        assert answer.status_code == 202
        assert answer.json() == {"acknowledged": 20, "repeated": repeated}
    window = Window(week_start(0), week_start(1))
    horizon = app.deployment.config.models["late"].labels.horizon
    assert app.deployment.log.count("late", [window], horizon) == [Counts(20, 20)]


def test_a_target_inside_a_prediction_row_is_its_label(http, rows, app, week_start):
    http.post(PATH, json=as_json(rows.assign(late=1)))
    window = Window(week_start(0), week_start(1))
    horizon = app.deployment.config.models["late"].labels.horizon
    assert app.deployment.log.count("late", [window], horizon) == [Counts(20, 20)]


def test_a_label_without_a_value_is_refused_by_its_row(http):
    labels = [{"prediction_id": "a", "label": 1}, {"prediction_id": "b", "label": None}]
    answer = http.post("/v1/models/late/labels", json=labels)
    assert (answer.status_code, answer.json()["row"], answer.json()["field"]) == (422, 1, "label")


def test_a_schema_change_is_taken_in_and_becomes_an_incident(http, app, made_up, week_start):
    app.clock.set(week_start(1))
    frame = made_up(0).assign(prediction=0.5, extra="new").drop(columns=["x", "late"])
    sent = as_json(frame)
    for row in sent:
        row["y"] = "a text"
    assert http.post(PATH, json=sent).status_code == 202
    (judged,) = http.post("/v1/models/late/checks").json()
    assert (judged["status"], judged["diagnosis"]) == ("BREACH", "incident")
    window = http.get(f"/v1/models/late/windows/{judged['id']}").json()
    signs = {finding["column"]: finding["sign"] for finding in window["findings"]}
    assert signs == {"x": "schema_missing", "y": "schema_retyped", "extra": "schema_extra"}
    (alert,) = http.get("/v1/models/late/alerts").json()
    assert alert["check"] == "quality"
    assert "x: the column did not arrive in 100% of rows" in alert["sentence"]


def test_a_schema_change_is_refused_where_the_configuration_says_so(home, rows):
    home.configure("    retrain:", "    on_schema_change: refuse\n    retrain:")
    with home.opened() as app, app.http() as http:
        answer = http.post(PATH, json=as_json(rows.drop(columns="x")))
        assert (answer.status_code, answer.json()["field"]) == (422, "x")
        assert http.post(PATH, json=as_json(rows)).status_code == 202
        assert n_logged(app) == 20


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "predictions"),
        ("POST", "labels"),
        ("POST", "checks"),
        ("GET", "windows"),
        ("GET", "alerts"),
        ("GET", ""),
    ],
)
def test_a_model_that_is_not_there_is_a_404(http, method, path):
    answer = http.request(method, f"/v1/models/stranger/{path}".rstrip("/"), json=[])
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no model 'stranger'"


def test_windows_and_models_are_shown_as_they_were_judged(http, app):
    app.live(0)
    (judged,) = http.post("/v1/models/late/checks").json()
    assert http.post("/v1/models/late/checks").json() == []
    (window,) = http.get("/v1/models/late/windows").json()
    assert (window["id"], window["n_rows"]) == (judged["id"], 280)
    one = http.get(f"/v1/models/late/windows/{window['id']}").json()
    assert {s["check"] for s in one["scores"]} == {
        *("drift", "quality", "performance", "estimate", "multivariate")
    }
    assert [r["revision"] for r in one["revisions"]] == [1]
    assert http.get("/v1/models/late").json()["window"]["status"] == window["status"]
    assert [m["model"] for m in http.get("/v1/models").json()] == ["late"]
    assert http.get("/v1/models/late/windows/1999-01-01T00:00:00Z").status_code == 404


def test_a_window_whose_metric_has_no_error_is_shown_all_the_same(http, app):
    week = app.live(0, labelled=False)
    for n_labels in (1, 2):
        app.label(week.iloc[n_labels - 1 : n_labels], f"label {n_labels}")
    http.post("/v1/models/late/checks")
    (window,) = http.get("/v1/models/late/windows").json()
    assert window["n_labels"] == 2
    assert http.get(f"/v1/models/late/windows/{window['id']}").status_code == 200
    assert http.get("/metrics").status_code == 200


BASIC = base64.b64encode(f"anyone:{KEY}".encode()).decode()


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/metrics", "/openapi.json", "/v1/models", "/v1/models/late", "/nowhere"]
)
def test_the_key_guards_everything_but_health(app, path):
    with app.http(KEY) as http:
        answer = http.get(path)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "LEEWAY_API_KEY" in answer.json()["detail"]
        wrong = {"X-API-Key": "a key of a tesT"}
        assert http.get(path, headers=wrong).status_code == 401
        for open_path in ("/healthz", "/readyz"):
            assert http.get(open_path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"Authorization": f"Basic {BASIC}"},
    ],
)
def test_the_key_is_taken_in_each_way_that_programs_send_it(app, headers):
    with app.http(KEY) as http:
        assert http.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "value", ["Basic !!!", "Basic", "Bearer", "Basic " + base64.b64encode(b"nocolon").decode()]
)
def test_a_garbled_key_is_refused(app, value):
    with app.http(KEY) as http:
        assert http.get("/v1/models", headers={"Authorization": value}).status_code == 401


def test_what_was_refused_without_the_key_is_not_stored(app, rows):
    with app.http(KEY) as http:
        assert http.post(PATH, json=as_json(rows)).status_code == 401
    assert n_logged(app) == 0


def test_many_batches_at_once_are_all_acknowledged_and_stored_once(http, app, rows):
    def send(number: int) -> int:
        frame = pd.DataFrame(rows).assign(id=lambda f: f"{number}-" + f["id"])
        return http.post(PATH, json=as_json(frame)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(40))) == {202}
    assert n_logged(app) == 800
