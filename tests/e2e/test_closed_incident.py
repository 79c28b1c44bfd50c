"""An incident that a person closes, by either door: its rows count, and it does not open again."""

import pytest

from monitor.adapters.history import History

BROKEN, WHY = 1, "the depot has closed, g is empty from now on"


def by_http(home, number):
    with home.opened() as app, app.http() as http:
        answer = http.post(f"/v1/models/late/incidents/{number}/close", json={"why": WHY})
        assert (answer.status_code, answer.json()) == (200, {"incident": number, "why": WHY})


def by_command(home, number):
    ended = home.cli("close", "late", str(number), "--why", WHY)
    said = f"incident {number} of late is closed: its rows may be trained on\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, said, "")


def by_command_without_a_number(home, number):
    assert f"incident {number} of late is closed" in home.cli("close", "late", "--why", WHY).stdout


@pytest.fixture
def broken(home, made_up, week_start):
    """A week whose categories are gone, judged before its labels come; returns its incident."""
    week = made_up(BROKEN).assign(g=None)
    with home.opened() as app:
        app.live(0)
        app.clock.set(week_start(BROKEN + 1))
        app.predict(week.drop(columns="late"), "broken")
        judged = app.deployment.watcher().check("late")[-1]
        assert (judged.window.start, judged.diagnosis.kind) == (week_start(BROKEN), "incident")
        (alert,) = History(app.deployment.engine).model("late")["alerts"]
        return alert["id"], judged.window.key, week


@pytest.mark.parametrize("close", [by_http, by_command, by_command_without_a_number])
def test_what_a_person_closes_is_trained_on_and_does_not_open_again(home, broken, close):
    number, key, week = broken
    close(home, number)
    with home.opened() as app, app.http() as http:
        assert http.get("/v1/models/late").json()["alerts"] == []
        assert 'leeway_incident_open{model="late",kind="data"} 0.0' in http.get("/metrics").text
        app.label(week, "labels")
        (again,) = http.post("/v1/models/late/checks").json()
        assert (again["id"], again["revision"], again["diagnosis"]) == (key, 2, "none")
        quality = [a for a in http.get("/v1/models/late/alerts").json() if a["check"] == "quality"]
        assert [(one["id"], one["ended_how"]) for one in quality] == [(number, "closed")]
        assert quality[0]["sentence"].endswith(f"; closed: {WHY}")
        collected = app.deployment.retrain_world().rows.labelled("late", app.clock.now())
        assert {part.name: part.n_rows for part in collected.parts}[key] == len(week)
    held, closed, *_ = [line for line in home.cli("why", "late").stdout.splitlines() if key in line]
    assert "  hold (incident): the feed looks broken: g" in held
    assert closed == f"{key}  the incident was closed by a person: {WHY}"


def test_what_a_person_closes_is_no_incident_in_the_next_week_and_says_why(
    home, broken, made_up, week_start
):
    by_command(home, broken[0])
    following = made_up(BROKEN + 1).assign(g=None)
    with home.opened() as app, app.http() as http:
        app.clock.set(week_start(BROKEN + 2))
        app.predict(following.drop(columns="late"), "the week after")
        (next_one,) = http.post("/v1/models/late/checks").json()
        assert next_one["diagnosis"] == "none"
        assert 'leeway_check_status{model="late",check="quality"} 0.0' in http.get("/metrics").text
        found = http.get(f"/v1/models/late/windows/{next_one['id']}").json()["scores"]
        (score,) = [s for s in found if (s["column"], s["method"]) == ("g", "missing")]
        noted = f"accepted by a person: {WHY}"
        assert (score["score"], score["status"], score["detail"]) == (1.0, "OK", noted)
        assert f"<td>{noted}</td>" in http.get(f"/models/late/windows/{next_one['id']}").text
    said = home.cli("why", "late").stdout
    assert "what a person has accepted goes on: g" in said


def test_those_who_heard_of_an_incident_hear_that_a_person_has_closed_it(home, broken):
    number, *_ = broken
    by_command(home, number)
    with home.opened() as app:
        opened, closed = app.deployment.store.undelivered(app.clock.now())
    assert opened.title == "[late] the data look broken"
    assert (closed.channel, closed.title) == (opened.channel, "[late] over: the data look broken")
    assert closed.body.startswith(
        f"A person says that the data are right: {WHY}.\nWhat was found: "
    )


def test_what_nobody_closes_is_not_trained_on_when_its_labels_come(home, broken):
    _, key, week = broken
    with home.opened() as app, app.http() as http:
        app.label(week, "labels")
        (again,) = http.post("/v1/models/late/checks").json()
        assert (again["id"], again["diagnosis"]) == (key, "incident")
        collected = app.deployment.retrain_world().rows.labelled("late", app.clock.now())
        assert key not in {part.name for part in collected.parts}


def test_what_cannot_be_closed_is_told_with_the_reason(home, broken):
    number, *_ = broken
    with home.opened() as app, app.http() as http:
        gone = http.post("/v1/models/late/incidents/77/close")
        assert (gone.status_code, gone.json()["detail"]) == (
            404,
            "there is no incident '77 of late'",
        )
        assert http.post(f"/v1/models/late/incidents/{number}/close").status_code == 200
        again = http.post(f"/v1/models/late/incidents/{number}/close")
        said = f"incident {number} of late was closed before"
        assert (again.status_code, again.json()["detail"]) == (409, said)
    ended = home.cli("close", "late")
    said = "leeway: no incident of late is open; there is nothing to close\n"
    assert (ended.returncode, ended.stderr) == (3, said)


def test_an_alert_that_is_no_incident_is_not_closed(home):
    with home.opened() as app:
        app.live(0)
        app.live(1, by_x=-3.0)
        app.deployment.watcher().check("late")
        (alert, *_) = History(app.deployment.engine).model("late")["alerts"]
    ended = home.cli("close", "late", str(alert["id"]))
    assert f"alert {alert['id']} of late is about {alert['check']}, no incident" in ended.stderr
