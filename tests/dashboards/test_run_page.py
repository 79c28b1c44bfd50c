"""What a run's page and its JSON say, of real runs: each outcome, and what is absent."""

from dataclasses import replace
from functools import partial
from itertools import count
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import text, update

from retrain.adapters import tables as t
from retrain.record import Outcome, RequestKind
from retrain.run import run
from tests.dashboards.conftest import words
from tests.lived import MOVED, asked, live, model_of, passed, run_while_another_is_promoted, settled

HOSTILE = "<script>alert(\"x\")</script> & 'co'"
UNDECIDED = {"by_x": 2.6, "by_y": 0.8}


def told(app, number):
    """Return what a person reads on a run's page, and its JSON."""
    with app.http() as http:
        page, document = (http.get(f"{at}/models/late/runs/{number}") for at in ("", "/v1"))
    assert (page.status_code, document.status_code) == (200, 200)
    assert len(ET.fromstring(page.text).findall(".//h1")) == 1
    return words(page.text), document.json()


@pytest.fixture
def promoted(home):
    """A deployment in which a run has promoted a version over the first."""
    with home.opened() as app:
        result, record = settled(app)
        assert result.outcome is Outcome.PROMOTED, result.reason
        yield app, record


def test_a_promotion_is_told_with_its_data_candidates_gain_certainty_and_checks(promoted):
    app, record = promoted
    said, details = told(app, record["id"])[0], record["details"]
    compared, rows = details["comparison"], sum(part["n_rows"] for part in details["parts"])
    assert f"Promoted version 2: {record['reason']}." in said
    assert "Why by hand: it is time" in said.replace("Whyby", "Why by")
    assert f"{rows:,} labelled rows of {len(details['parts'])} parts" in said
    assert f"{details['rows']['training']:,} rows, " in said
    assert f"reference.parquet {details['parts'][0]['n_rows']:,} " in said
    assert details["parts"][0]["sha256"][:12] in said
    assert "leeway repeat late 1" in said
    (won,) = [trial for trial in details["trials"] if trial["won"]]
    assert f"{won['recipe']['name']} winner" in said
    assert f"{won['score']:.4g} ± {won['standard_error']:.2g} finished" in said
    assert f"challenger {compared['challenger']:.4g}, champion (version 1)" in said
    assert f"{compared['gain']:+.3g} ± {compared['standard_error']:.2g} (standard error)" in said
    assert f"at least {compared['lower_bound']:+.3g} with a confidence of 9" in said
    assert f"{compared['n_blocks']} days of {compared['n_rows']} rows" in said
    assert f"{details['look']} of 5" in said
    assert "none is declared that has rows enough" in said
    assert "of the champion, predicted again, are the same" in said
    assert "KiB: a prediction of one row, and the model file" in said


def test_what_a_run_promoted_is_undone_by_the_command_on_its_page(promoted, home):
    app, record = promoted
    said, document = told(app, record["id"])
    assert document["undo"] == (
        "go back to version 1, with its reference and thresholds: leeway rollback late 1"
    )
    assert "Version 2 serves since" in said
    assert "no labelled window has told it from version 1 yet" in said
    assert 'testserver/v1/models/late/rollback -H "X-API-Key: $LEEWAY_API_KEY"' in said
    asked_for = document["undo"].partition(": leeway ")[2].split()
    assert home.cli(*asked_for, "--why", "complaints").returncode == 0
    assert app.deployment.registry.champion("late") == 1
    said, document = told(app, record["id"])
    assert document["undo"] is None
    assert document["since"].startswith("Version 2 was rolled back to version 1 on ")
    assert "To let it serve again: leeway promote late 2" in said
    assert "Nothing to undo: version 2 does not serve any more" in said


def test_the_pages_of_probation_and_of_a_later_promotion_say_so(promoted):
    app, record = promoted
    live(app, 1, MOVED, first=9)
    assert ", on probation: version 2, on probation since" in told(app, record["id"])[0]
    app.deployment.registry.promote("late", 1, app.clock.now(), "a person said so")
    said, document = told(app, record["id"])
    assert "Version 1 has replaced version 2 on" in document["since"]
    assert "leeway promote" not in said


def test_a_challenger_in_the_gate_is_told_with_its_looks_and_each_run_leads_to_the_other(app):
    live(app, 5, UNDECIDED)
    record = asked(app)[1]
    said, document = told(app, record["id"])
    assert "HELD" in said
    assert "Version 2 is in the gate: look 2 of 5 was the newest" in document["since"]
    assert "not sure enough" in said
    assert "not asked: that takes a gain that is sure" in said
    assert "Skew not asked: the gate comes first" in said.replace("Skewnot", "Skew not")
    live(app, 1, UNDECIDED, first=5)
    look = asked(app, RequestKind.LOOK)[1]
    where = (
        "is in the gate: look 3 of 5" if look["outcome"] == "held" else f"again: {look['outcome']}"
    )
    assert where in told(app, 1)[0]
    assert "it looked again at version 2, which run 1 has found" in told(app, 2)[0]
    assert document["undo"] is None


def test_a_run_that_makes_way_for_a_challenger_says_where_that_stands(app):
    live(app, 5, UNDECIDED)
    asked(app)
    record = asked(app)[1]
    said = told(app, record["id"])[0]
    assert "Held: version 2 is in the gate; its next look comes with the next labels." in said
    assert "No rows were collected" in said
    assert "Version 2 is in the gate: look 2 of 5" in said


def test_a_version_that_waits_for_a_person_is_told_with_both_commands(home):
    home.configure("budget: PT20S", "budget: PT20S, approval: true")
    with home.opened() as app:
        record = passed(app)
        version = record["details"]["version"]
        said, document = told(app, record["id"])
        assert document["since"].startswith(f"Version {version} waits for a person since")
        assert f"To let it serve: leeway promote late {version}" in said
        assert "To decline it, and look for another: leeway retrain late" in said
        asked(app)
        said, document = told(app, record["id"])
        assert document["outcome"] == "cancelled"
        assert "Version 1 served on, and serves now" in said
        assert f"leeway promote late {version}" in said


def test_a_refusal_says_that_nothing_has_changed(app):
    record = settled(app, live)[1]
    said, document = told(app, record["id"])
    assert (document["outcome"], document["undo"]) == ("refused", None)
    assert "Version 1 served on, and serves now." in said
    assert "Nothing to undo: it has not changed the champion." in said


def test_what_is_too_dear_to_serve_can_be_promoted_all_the_same_and_undone(home):
    home.configure("budget: PT20S", "budget: PT20S, serving: {latency: PT0.001S, slowdown: 1}")
    ticks = count()
    with home.opened() as app:
        record = settled(app, monotonic=lambda: next(ticks) ** 2 / 1e4)[1]
        version = record["details"]["challenger"]
        said = told(app, record["id"])[0]
        assert f"Version {version} stays registered; to let it serve all the same" in said
        app.deployment.registry.promote("late", version, app.clock.now(), "it is worth it")
        assert told(app, record["id"])[1]["undo"].endswith("leeway rollback late 1")


def test_a_run_that_fails_tells_what_it_knew_and_how_far_it_was(app, home):
    asked(app)
    said = told(app, 1)[0]
    assert "Failed: no labelled row is newer than what the champion was trained on." in said
    assert "1,120 labelled rows of 1 part" in said
    assert "collecting rows, 0 % of the way" in said
    assert "To try again: leeway retrain late" in said
    live(app, 3)

    def breaks() -> float:
        raise RuntimeError(HOSTILE)

    asked(app, monotonic=breaks)
    said = told(app, 2)[0]
    assert f"Failed: RuntimeError: {HOSTILE}." in said
    assert "Learned from" in said
    assert "None is on record." in said
    (home.folder / "reference.parquet").write_text("no table")
    asked(app)
    assert "No rows were collected: it ended before that." in told(app, 3)[0]


def test_a_run_that_is_going_on_shows_how_far_it_is(app):
    live(app, 3)
    world, seen = app.deployment.retrain_world(), []
    world.runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", app.clock.now())
    request = world.runs.claim(RequestKind.RETRAIN, "test", app.clock.now())

    def looked_at() -> float:
        # Called by the stopwatch of the search, that is in the middle of the run.
        if not seen:
            seen.append(told(app, 1))
        return 0.0

    run(request, model_of(app), replace(world, monotonic=looked_at))
    said, document = seen[0]
    assert "GOING ON" in said
    assert document["since"] == "It is going on, and version 1 serves meanwhile"
    assert (document["outcome"], document["undo"]) == (None, None)
    assert "None has been through its trial yet." in said
    assert "Learned from" in said


def test_the_list_of_runs_says_how_far_a_run_is_and_what_it_is_doing(app):
    live(app, 5, MOVED)
    world, seen = app.deployment.retrain_world(), []
    world.runs.ask("late", RequestKind.RETRAIN, "by hand", "it is time", app.clock.now())
    request = world.runs.claim(RequestKind.RETRAIN, "test", app.clock.now())
    with app.http() as http:

        def listed(before=0.0) -> float:
            # Called by the stopwatch: around each fit of the search, and before the promotion.
            (found,) = http.get("/v1/models/late/runs").json()
            seen.append((found["progress"], found["doing"], found["outcome"]))
            return before

        result = run(request, model_of(app), replace(world, monotonic=listed))
        assert result.outcome is Outcome.PROMOTED, result.reason
        (ended,) = http.get("/v1/models/late/runs").json()
    shares, doing = [one[0] for one in seen], [one[1] for one in seen]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] == 0.95
    assert doing[0] == "collecting rows"
    assert any("logistic" in one for one in doing)
    assert doing[-1] == "promoting"
    assert {one[2] for one in seen} == {None}
    assert (ended["progress"], ended["doing"], ended["outcome"]) == (1.0, "", "promoted")


def test_a_run_that_waits_for_the_end_of_an_incident_says_so_on_the_page(home, made_up, week_start):
    home.configure("cooldown: P1D", "cooldown: P1D, when: [performance]")
    with home.opened() as app:
        for number in range(3):
            frame = made_up(number, **MOVED)
            if number == 2:
                frame["x"] = float("nan")
            app.clock.set(week_start(number + 1))
            app.predict(frame.drop(columns="late"), f"week {number}")
            app.label(frame, f"labels {number}")
            app.deployment.watcher().check_all()
        with app.http() as http:
            said = words(http.get("/models/late").text)
            (asked_for,) = http.get("/v1/models/late/requests").json()
            app.deployment.store.close_incident("late", None, app.clock.now(), "it was a test")
            then = words(http.get("/models/late").text)
    assert (asked_for["trigger"], asked_for["held"]) == ("performance breach", True)
    assert "a retrain run is asked for and waits until the incident is over" in said
    assert "a retrain run is asked for and waits for a worker" in then


def test_a_cancelled_run_names_who_serves_and_a_look_at_nobody_is_told_as_such(app):
    run_while_another_is_promoted(app)
    said = told(app, 1)[0]
    assert "Cancelled: " in said
    assert "Version 1 served on; version 2 serves now." in said
    asked(app, RequestKind.LOOK)
    assert "Cancelled: nobody is in the gate any more." in told(app, 2)[0]


def without(document, *names: str):
    """Leave out members that records of before did not have."""
    return {name: one for name, one in document.items() if name not in names}


def test_records_of_before_and_empty_ones_are_told_as_far_as_they_go(promoted):
    app, record = promoted
    old = without(record["details"], "segments", "training", "recipe")
    old["trials"] = [without(trial, "won") for trial in old["trials"]]
    old["comparison"] = without(old["comparison"], "confidence", "unit")
    noted = partial(update(t.runs).where(t.runs.c.id == record["id"]).values)
    with app.deployment.engine.begin() as connection:
        connection.execute(noted(details=old))
    said = told(app, record["id"])[0]
    assert "days or blocks of" in said
    assert "Segments not on record" in said.replace("Segmentsnot", "Segments not")
    for details in ({}, None):
        with app.deployment.engine.begin() as connection:
            connection.execute(noted(details=details))
        assert "No challenger was compared with the champion." in told(app, record["id"])[0]


def test_whatever_a_user_has_named_is_escaped(promoted):
    app, record = promoted
    with app.deployment.engine.begin() as connection:
        for table, columns in (("runs", ("why", "trigger", "reason")), ("moves", ("why",))):
            for column in columns:
                connection.execute(text(f"UPDATE {table} SET {column} = :it"), {"it": HOSTILE})
        connection.execute(text("UPDATE requests SET window_key = :it"), {"it": HOSTILE})
    with app.http() as http:
        page = http.get(f"/models/late/runs/{record['id']}").text
    ET.fromstring(page)
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_runs_are_linked_from_the_models_page_their_window_and_the_reasons(home):
    with home.opened() as app:
        live(app, 5, MOVED)
        record = asked(app)[1]
        with app.deployment.engine.begin() as connection:
            key = "2026-03-02T00:00:00Z"
            connection.execute(text("UPDATE requests SET window_key = :key"), {"key": key})
        with app.http() as http:
            link = f'href="/models/late/runs/{record["id"]}"'
            assert http.get("/models/late").text.count(link) >= 3
            assert link in http.get(f"/models/late/windows/{key}").text
            assert f"/models/late/windows/{key}" in http.get("/models/late/runs/1").text
    assert "(http://127.0.0.1:8000/models/late/runs/1)" in home.cli("why", "late").stdout


@pytest.mark.parametrize(("path", "status"), [("late/runs/9", 404), ("late/runs/x", 422)])
def test_an_unknown_run_is_a_problem_document(app, path, status):
    with app.http() as http:
        answer = http.get(f"/models/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
