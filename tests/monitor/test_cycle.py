"""Cycles on a real log, store and registry, with a clock that is set by hand."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from monitor.adapters.history import History
from monitor.cycle import due, reopened, run_cycle
from monitor.errors import StorageError
from retrain.adapters.sql_runs import SqlRuns

MOVED = {"by_x": 1.0, "by_y": 4.0}


@pytest.fixture
def judge(app):
    """Judge what is due."""
    watcher = app.deployment.watcher()
    return lambda: watcher.check("late")


@pytest.fixture
def shown(app):
    """Return the windows as they are recorded."""
    return lambda: list(History(app.deployment.engine).windows("late"))


def alerts(app):
    found = History(app.deployment.engine).alerts("late")
    return [(alert["check"], alert["ended_how"]) for alert in found]


def requests(app):
    return SqlRuns(app.deployment.engine).open_requests("late")


def test_a_window_is_judged_once_it_has_ended_and_once_only(app, judge, made_up, week_start):
    app.clock.set(week_start(1) - timedelta(seconds=1))
    app.predict(made_up(0).head(270).drop(columns="late"), "week 0")
    assert judge() == []
    app.clock.set(week_start(1))
    (first,) = judge()
    assert (first.window.start, first.window.end) == (week_start(0), week_start(1))
    assert (first.revision, first.champion) == (1, 1)
    assert judge() == []


def test_a_calm_week_is_ok_and_nothing_is_done(app, judge, shown):
    app.live(0)
    judge()
    (window,) = shown()
    assert (window["status"], window["decision"], window["reason"]) == ("OK", "none", "all well")
    assert (window["n_rows"], window["n_labels"], window["provisional"]) == (280, 280, False)
    assert window["metrics"]["roc_auc"] > 0.85
    assert alerts(app) == []


def test_late_labels_make_a_revision_that_may_raise_an_alert(app, judge, shown, week_start):
    week = app.live(0, labelled=False, **MOVED)
    judge()
    assert [(w["revision"], w["status"], w["provisional"]) for w in shown()] == [(1, "OK", True)]
    app.clock.set(week_start(2))
    app.label(week, "labels 0")
    (again, _empty) = judge()
    assert (again.revision, again.verdict.status) == (2, "BREACH")
    assert shown()[0]["diagnosis"] == "concept"
    assert alerts(app) == [("performance", None)]


def test_the_alert_names_the_columns_that_moved_in_the_order_in_which_they_matter(
    app, judge, made_up, week_start
):
    # Version 1 rests on x, and y has moved further.
    week = made_up(0).assign(x=lambda rows: rows["x"] + 1, y=lambda rows: rows["y"] + 3)
    app.clock.set(week_start(1))
    app.predict(week.drop(columns="late"), "week 0")
    (judged,) = judge()
    ranks = {s.column: s.rank for s in judged.verdict.scores if s.rank}
    assert ranks["x"] == 1 < ranks["y"]
    (alert,) = History(app.deployment.engine).alerts("late")
    assert "of the columns drifted, most important x (" in alert["sentence"]
    assert ", importance 100 %)" in alert["sentence"]


def test_few_early_labels_are_shown_and_alert_nobody(app, judge, shown):
    week = app.live(0, labelled=False, **MOVED)
    app.label(week.head(200), "early labels")
    judge()
    assert [(w["status"], w["provisional"]) for w in shown()] == [("WARNING", True)]
    assert (alerts(app), requests(app)) == ([], [])


def test_an_alert_is_retracted_when_the_same_window_looks_better_after_all(
    app, judge, made_up, week_start
):
    frame = made_up(0).drop(columns="late")
    app.clock.set(week_start(1))
    app.predict(frame.head(150).assign(x=None), "broken part")
    judge()
    assert alerts(app) == [("quality", None)]
    more = made_up(0, 8).drop(columns="late").assign(id=lambda f: "late-" + f["id"])
    more["at"] = frame["at"].iloc[0]
    app.predict(more, "the rest")
    (again,) = judge()
    assert (again.revision, again.verdict.checks["quality"]) == (2, "OK")
    assert alerts(app) == [("quality", "retracted")]


def test_too_few_rows_are_no_data_and_not_ok(app, judge, shown, made_up, week_start):
    app.clock.set(week_start(1))
    app.predict(made_up(0).head(50).drop(columns="late"), "week 0")
    judge()
    (window,) = shown()
    assert (window["status"], window["decision"]) == ("NO_DATA", "none")
    assert window["reason"] == "not enough rows"
    assert set(window["checks"].values()) == {"NO_DATA"}
    assert alerts(app) == []


def test_a_week_without_any_row_is_a_window_without_data(app, judge, shown):
    app.live(0)
    app.live(2)
    judge()
    assert [(w["status"], w["n_rows"]) for w in shown()] == [
        ("OK", 280),
        ("NO_DATA", 0),
        ("OK", 280),
    ]


def test_a_broken_column_is_an_incident_that_holds_alerts_and_ends_when_clean(
    app, judge, shown, made_up, week_start
):
    app.clock.set(week_start(1))
    broken = made_up(0)
    app.predict(broken.drop(columns="late").assign(x=None), "week 0")
    app.label(broken, "labels 0")
    judge()
    (window,) = shown()
    assert (window["diagnosis"], window["decision"], window["reason"]) == (
        "incident",
        "hold",
        "incident",
    )
    assert "x: 100% of rows have no value" in window["sentence"]
    assert alerts(app) == [("quality", None)]
    assert requests(app) == []
    app.live(1)
    judge()
    assert (shown()[1]["diagnosis"], shown()[1]["checks"]["quality"]) == ("none", "OK")
    assert alerts(app) == [("quality", "resolved")]


def test_the_window_that_ends_an_incident_is_decided_on_as_if_there_were_none(
    app, judge, shown, made_up, week_start
):
    app.clock.set(week_start(1))
    app.predict(made_up(0).drop(columns="late").assign(x=None), "week 0")
    judge()
    app.live(1, **MOVED)
    judge()
    assert alerts(app) == [("quality", "resolved"), ("performance", None)]
    assert [w["reason"] for w in shown()] == ["incident", "too few new labels"]


@pytest.mark.parametrize("n_rows", [0, 50])
def test_an_incident_stays_open_through_a_window_that_could_not_be_judged(
    app, judge, shown, made_up, week_start, n_rows
):
    app.clock.set(week_start(1))
    app.predict(made_up(0).drop(columns="late").assign(x=None), "week 0")
    judge()
    app.clock.set(week_start(2))
    if n_rows:
        app.predict(made_up(1).head(n_rows).drop(columns="late"), "week 1")
    else:
        app.live(2, labelled=False)
        app.clock.set(week_start(2))
    judge()
    assert [w["status"] for w in shown()] == ["BREACH", "NO_DATA"]
    with app.http() as http:
        assert 'leeway_incident_open{model="late",kind="data"} 1.0' in http.get("/metrics").text
    assert alerts(app) == [("quality", None)]
    assert app.deployment.store.standing("late", since=week_start(0)).incident_open


def test_a_column_of_nulls_has_no_drift_score_and_costs_no_other_column_its_own(
    app, judge, made_up, week_start
):
    app.clock.set(week_start(1))
    app.predict(made_up(0).drop(columns="late").assign(x=None), "week 0")
    (judged,) = judge()
    drift = {s.column: s.status for s in judged.verdict.scores if s.check == "drift"}
    assert drift["x"] == "NO_DATA"
    assert drift["y"] == drift["g"] == "OK"


def test_a_check_that_crashes_is_an_error_of_its_column_alone(home):
    # A module that is imported might have registered it.
    home.configure("models:", "imports: [json]\nmodels:")
    home.configure("    retrain:", "    drift: {methods: {y: no_such_method}}\n    retrain:")
    with home.opened() as app:
        app.live(0)
        (judged,) = app.deployment.watcher().check("late")
        drift = {s.column: s for s in judged.verdict.scores if s.check == "drift"}
        assert (drift["y"].status, drift["x"].status) == ("ERROR", "OK")
        assert "no_such_method" in drift["y"].detail
        assert judged.verdict.checks["quality"] == judged.verdict.checks["performance"] == "OK"
        assert alerts(app) == [("drift", None)]


def test_a_window_recorded_by_another_process_first_is_left_alone(app, shown):
    app.live(0)
    watched, world = app.deployment.watcher().watched["late"], app.deployment.watcher().world
    ((window, revision),) = due(watched, world)
    assert run_cycle(watched, window, revision, world) is not None
    assert run_cycle(watched, window, revision, world) is None
    assert len(shown()) == 1


def test_many_watchers_judge_every_window_once(app, shown):
    for number in range(4):
        app.live(number)
    watchers = [app.deployment.watcher() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        judged = [one for found in pool.map(lambda w: w.check("late"), watchers) for one in found]
    assert len({(one.window.key, one.revision) for one in judged}) == len(judged) == 4
    assert [w["revision"] for w in shown()] == [1, 1, 1, 1]


def test_a_run_is_asked_for_once_while_the_breach_goes_on(app, judge, shown):
    for number in range(6):
        app.live(number, **MOVED)
        judge()
    assert len(requests(app)) == 1
    decisions = [(w["decision"], w["reason"]) for w in shown()]
    asked = decisions.index(("retrain", "performance breach"))
    assert set(decisions[:asked]) == {("hold", "too few new labels")}
    assert set(decisions[asked + 1 :]) == {("hold", "a run is already asked for")}
    assert alerts(app) == [("performance", None)]


def test_a_pause_holds_the_run_and_says_so(app, judge, shown):
    app.deployment.store.pause("late", paused=True)
    for number in range(5):
        app.live(number, **MOVED)
        judge()
    assert requests(app) == []
    assert shown()[-1]["reason"] == "paused"


def test_a_window_is_closed_when_the_horizon_has_passed(app, judge, week_start):
    week = app.live(0, labelled=False)
    judge()
    app.clock.set(week_start(1) + timedelta(days=91))
    app.label(week, "much too late")
    watcher = app.deployment.watcher()
    assert list(reopened(watcher.watched["late"], watcher.world)) == []


def test_a_missed_tick_loses_no_window_and_a_restart_doubles_none(home, week_start):
    with home.opened() as app:
        app.live(0)
        app.live(1)
        assert len(app.deployment.watcher().check("late")) == 2
        app.live(2)
        app.live(3)
    with home.opened() as app:
        judged = app.deployment.watcher().check("late")
        assert [one.window.start for one in judged] == [week_start(2), week_start(3)]
        assert app.deployment.watcher().check("late") == []


def test_windows_of_rows_are_judged_in_the_order_of_acknowledgement(home):
    home.configure("every: P7D", "rows: 100")
    with home.opened() as app:
        app.live(0)
        judged = app.deployment.watcher().check("late")
        assert [one.window.key for one in judged] == ["rows-0", "rows-100"]
        assert [one.verdict.status for one in judged] != ["NO_DATA", "NO_DATA"]
        app.live(1)
        keys = [one.window.key for one in app.deployment.watcher().check("late")]
        assert keys == ["rows-200", "rows-300", "rows-400"]


def test_a_cycle_that_cannot_be_run_is_noted_on_the_model_until_one_succeeds(app, home, judge):
    app.live(0)
    app.deployment.log.seal()
    sealed = [p for p in (home.folder / "leeway-data").rglob("*.parquet") if "rows" in p.parts]
    kept = [(path, path.read_bytes()) for path in sealed]
    for path in sealed:
        path.unlink()
    with pytest.raises(StorageError):
        judge()
    history = History(app.deployment.engine)
    assert "StorageError" in history.model("late")["error"]
    for path, content in kept:
        path.write_bytes(content)
    assert len(judge()) == 1
    assert history.model("late")["error"] is None


def test_refused_rows_show_on_their_window_and_alert(app, judge, shown, week_start):
    app.live(0)
    app.deployment.store.refuse("late", "bad_time", 120, week_start(0) + timedelta(hours=1))
    judge()
    (window,) = shown()
    assert (window["status"], window["diagnosis"], window["decision"]) == (
        "BREACH",
        "incident",
        "hold",
    )
    assert "30% of the rows that came could not be stored" in window["sentence"]
    assert alerts(app) == [("quality", None)]


def test_a_window_of_nothing_but_refused_rows_alerts_too(app, judge, shown, week_start):
    app.live(0)
    app.clock.set(week_start(2))
    app.deployment.store.refuse("late", "unparseable", 300, week_start(1) + timedelta(hours=1))
    judge()
    assert [window["status"] for window in shown()] == ["OK", "BREACH"]
    assert alerts(app) == [("quality", None)]


def test_a_window_of_too_few_rows_whose_labels_have_come_is_not_judged_for_ever(
    app, judge, shown, made_up, week_start
):
    app.clock.set(week_start(1))
    week = made_up(0).head(50)
    app.predict(week.drop(columns="late"), "week 0")
    judge()
    app.label(week, "labels 0")
    (again,) = judge()
    assert (again.revision, again.verdict.status) == (2, "NO_DATA")
    for number in range(2, 8):
        app.live(number - 1)
        judge()
        assert judge() == []
    assert shown()[0]["revision"] == 2
    (first, *_) = app.deployment.store.judged("late").values()
    assert not first.provisional  # its rows may be learned from
