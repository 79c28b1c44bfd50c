"""Cycles under the alert budget: a model served elsewhere, twelve reference weeks, a real store."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import select

from leeway.config import Environment
from leeway.deployment import ensure_first_versions, opened
from monitor import intake
from monitor.adapters import tables
from monitor.adapters.history import History
from monitor.adapters.profile_rows import decode_profile
from monitor.body import Body
from monitor.checks.beyond import beyond_wobble
from monitor.checks.calibrated import METHOD
from monitor.checks.fall import wobble_of
from monitor.checks.score import Check
from monitor.checks.slow_fall import METHOD as CONTROL_CHART
from monitor.columns import TableColumns
from monitor.cycle import run_cycle
from monitor.errors import NotFoundError, NotPossibleError
from monitor.reference import Cut, prepare
from monitor.reference import calibrated as calibrated_reference
from monitor.window import WindowPolicy

N_ROWS = 300
N_REFERENCE = 12

YAML = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns: {target: late, prediction: p, time: at, id: id, numeric: [x, y], categorical: [g]}
    window: {every: P7D}
    retrain: {when: []}
"""


def week(start, number, *, shift=0.0, wobble=0.0, times=1.0, whole=False):
    """Make a week's rows; `shift` moves x, `times` breaks y in its second half or as a whole."""
    rng = np.random.default_rng(1000 + number)
    at = start + np.sort(rng.uniform(0, 7 * 86_400, N_ROWS)) * pd.Timedelta(seconds=1)
    return pd.DataFrame(
        {
            "id": [f"w{number}-{n}" for n in range(N_ROWS)],
            "at": pd.DatetimeIndex(at).as_unit("us"),
            "x": rng.normal(shift + wobble * rng.normal(), 1.0, N_ROWS),
            "y": rng.normal(size=N_ROWS)
            * np.where(whole | (np.arange(N_ROWS) >= N_ROWS // 2), times, 1.0),
            "g": rng.choice(["a", "b", "c"], N_ROWS),
            "p": rng.uniform(size=N_ROWS),
            "late": rng.integers(0, 2, N_ROWS),
        }
    )


@dataclass
class Weeks:
    """Lives through weeks of the model."""

    app: object
    start: pd.Timestamp

    def live(self, number, **how: float):
        """Log a week's predictions, end it, and judge it."""
        self.send(number, **how)
        (judged,) = self.app.deployment.watcher().check("late")
        return judged

    def send(self, number, *, first=0, last=7, **how: float):
        """Log a week's predictions, or those of some of its days, and end it, or them."""
        since = self.start + (N_REFERENCE + number) * pd.Timedelta(days=7)
        rows = week(since, number, **how)
        day = (rows["at"] - since) // pd.Timedelta(days=1)
        self.app.clock.set((since + last * pd.Timedelta(days=1)).to_pydatetime())
        self.log(rows[(day >= first) & (day < last)], f"week {number} from day {first}")

    def log(self, rows: pd.DataFrame, name: str):
        """Log predictions with their labels."""
        deployment = self.app.deployment
        body = Body({name: pa.chunked_array([pa.array(rows[name])]) for name in rows}, len(rows))
        request = intake.Request("late", name, "digest", self.app.clock.now(), 1)
        batches = intake.predictions(body, deployment.schema("late"), request, predict=None)
        deployment.log.append(batches).result(60)

    def check(self):
        """Judge what is due, and return the windows."""
        return [one.window for one in self.app.deployment.watcher().check("late")]

    def judged(self):
        """Return the windows that are judged, with their newest revision."""
        return self.app.deployment.store.judged("late").values()

    def trained_on(self) -> list[float]:
        """Return what is in x of the logged rows that a run would learn from."""
        found = self.app.deployment.retrain_world().rows.labelled("late", self.app.clock.now())
        return sorted(found.rows.column("x").to_pylist()[N_REFERENCE * N_ROWS :])

    def logged(self, *numbers: int) -> list[float]:
        """Return what is in x of whole weeks."""
        return sorted(x for number in numbers for x in week(self.start, number)["x"])


@pytest.fixture
def begin(new_home, week_start):
    """Open a deployment whose reference has so many weeks."""
    start = pd.Timestamp(week_start(0)) - pd.Timedelta(days=7 * N_REFERENCE)

    with ExitStack() as stack:

        def begin(n_weeks=N_REFERENCE, wobble=0.0, yaml=YAML, broken=None) -> Weeks:
            parts = [
                week(
                    start + n * pd.Timedelta(days=7),
                    n - 100,
                    wobble=wobble,
                    shift=9.0 if n == broken else 0.0,
                )
                for n in range(N_REFERENCE - n_weeks, N_REFERENCE)
            ]
            rows = pd.concat(parts, ignore_index=True)
            rows.to_parquet(new_home.folder / "reference.parquet")
            new_home.config.write_text(yaml)
            new_home.clock.set(week_start(0))
            return Weeks(stack.enter_context(new_home.opened()), start)

        yield begin


def calibrated(judged):
    return {s.column: s for s in judged.verdict.scores if s.method == METHOD}


def test_a_calm_week_is_ok_though_evidently_s_limits_may_warn(begin):
    found = begin().live(0)
    scores = calibrated(found)
    assert set(scores) == {"x", "y", "g", "p"}
    assert (found.verdict.checks["drift"], found.verdict.share_drifted) == ("OK", 0.0)
    shown = [s.status for s in found.verdict.scores if s.check == "drift" and s.method != METHOD]
    assert "BREACH" not in shown


def test_a_shift_beyond_the_wobble_is_a_breach_that_names_the_column(begin):
    weeks = begin()
    weeks.live(0)
    found = weeks.live(1, shift=1.0)
    assert found.verdict.checks["drift"] == "BREACH"
    assert [score.column for score in found.verdict.breached(Check.DRIFT)] == ["x"]
    (alert,) = History(weeks.app.deployment.engine).alerts("late")
    assert alert["sentence"].startswith("1 of 4 columns moved more than they wobble")
    assert "x (location +" in alert["sentence"]


def test_a_step_far_out_of_range_that_nothing_was_done_to_is_drift_and_no_incident(begin):
    weeks = begin()
    weeks.live(0)
    found = weeks.live(1, shift=40.0)
    assert (found.diagnosis.kind, found.verdict.checks["quality"]) == ("covariate", "WARNING")
    assert "values of x lie far outside the reference's range" in found.diagnosis.sentence
    assert weeks.live(2, shift=40.0).diagnosis.kind == "covariate"


def test_what_wobbled_as_much_before_is_no_alert_where_evidently_would_raise_one(begin):
    weeks = begin(wobble=0.6)
    found = weeks.live(0, shift=0.8)
    (evidently,) = (
        s for s in found.verdict.scores
        if (s.check, s.column) == ("drift", "x") and s.method != METHOD
    )  # fmt: skip
    assert evidently.value > 5 * evidently.threshold
    assert (evidently.status, found.verdict.checks["drift"]) == ("WARNING", "OK")


def test_a_likely_move_is_a_warning_and_a_breach_when_it_is_seen_again(begin):
    # On so strict a budget once is never sure enough.
    weeks = begin(yaml=YAML + "    drift: {alert_budget: {alerts: 0.0001, per: P30D}}\n")
    first, second = weeks.live(0, shift=0.38), weeks.live(1, shift=0.42)
    limit = calibrated(first)["x"].threshold
    assert limit / 1000 < calibrated(first)["x"].value <= limit
    assert [one.verdict.checks["drift"] for one in (first, second)] == ["WARNING", "BREACH"]
    third = weeks.live(2)
    assert third.verdict.checks["drift"] == "OK"


def test_with_too_few_reference_windows_evidently_s_limits_judge_and_it_is_said(begin):
    weeks = begin(n_weeks=7)
    found = weeks.live(0, shift=1.0)
    (why,) = calibrated(found).values()
    assert why.column is None
    assert why.detail == "uncalibrated: the reference has 7 windows, 8 are needed"
    assert found.verdict.share_drifted == 0.25
    assert found.verdict.checks["drift"] == "WARNING"


def test_a_window_s_profile_is_kept_by_the_hour_and_adds_up_to_its_rows(begin):
    weeks = begin()
    judged = weeks.live(0)
    with weeks.app.deployment.engine.connect() as connection:
        (row,) = connection.execute(select(tables.profiles)).all()
    assert (row.window_key, row.version) == (judged.window.key, 1)
    found = decode_profile(row.body)
    assert sum(found.n_rows) == N_ROWS
    assert all(start.minute == 0 for start in found.starts)
    assert found.columns["x"].counts.sum() == N_ROWS
    assert "late" not in found.columns


def test_a_column_that_moved_before_is_remembered_for_two_windows_of_the_same_version(begin):
    weeks = begin()
    judged = [weeks.live(n, shift=1.0 if n == 0 else 0.0) for n in range(4)]
    store = weeks.app.deployment.store
    later = [one.window for one in judged[1:]]
    remembered = ["x" in store.moved_before("late", one, 1) for one in later]
    assert remembered == [True, True, False]
    assert store.moved_before("late", later[0], 2) == set()
    assert store.moved_before("late", judged[0].window, 1) == set()


def test_who_changes_the_windows_keeps_the_budget_of_the_version_that_is_there(begin):
    assert begin().app.deployment.champion("late").reference.calibration.n_windows == N_REFERENCE
    days = begin(yaml=YAML.replace("P7D", "P1D"))
    days.send(0)
    judged = days.app.deployment.watcher().check("late")
    assert [set(calibrated(one)) for one in judged] == [{"x", "y", "g", "p"}] * 7
    world = days.app.deployment.watcher().world
    champion = world.references.at("late", days.app.clock.now())
    assert (champion.version, champion.reference.calibration.n_windows) == (1, 7 * N_REFERENCE)


def lengths(windows):
    return [(one.end - one.start).days for one in windows]


def n_labels(weeks):
    return weeks.app.deployment.store.standing("late", since=weeks.start).n_new_labels


def test_days_that_become_weeks_leave_no_row_out_and_take_none_twice(begin):
    days = begin(yaml=YAML.replace("P7D", "P1D"))
    days.send(0)
    days.send(1, last=3)
    assert lengths(days.check()) == [1] * 10
    weeks = begin()
    weeks.send(1, first=3)
    assert lengths(weeks.check()) == [4]  # the rest of the week in progress
    weeks.send(2)
    assert lengths(weeks.check()) == [7]
    assert not any(one.incident or one.provisional for one in weeks.judged())
    assert weeks.trained_on() == weeks.logged(0, 1, 2)
    assert n_labels(weeks) == 3 * N_ROWS


def test_weeks_that_become_days_leave_no_row_out_and_take_none_twice(begin):
    weeks = begin()
    weeks.send(0)
    assert lengths(weeks.check()) == [7]
    days = begin(yaml=YAML.replace("P7D", "P1D"))
    days.send(1)
    assert lengths(days.check()) == [1] * 7
    assert not any(one.incident or one.provisional for one in days.judged())
    assert days.trained_on() == days.logged(0, 1)
    assert n_labels(days) == 2 * N_ROWS


@pytest.mark.parametrize(("was", "now", "ends"), [(200, 150, [350, 500]), (120, 200, [440])])
def test_another_number_of_rows_leaves_no_row_out_and_takes_none_twice(begin, was, now, ends):
    before = begin(yaml=YAML.replace("every: P7D", f"rows: {was}"))
    before.send(0)
    judged_until = before.check()[-1].rows[1]
    after = begin(yaml=YAML.replace("every: P7D", f"rows: {now}"))
    after.send(1)
    assert [one.rows for one in after.check()] == [(end - now, end) for end in ends]
    assert (judged_until, n_labels(after)) == (ends[0] - now, ends[-1])
    in_order = [x for number in (0, 1) for x in week(after.start, number)["x"]]
    assert after.trained_on() == sorted(in_order[: ends[-1]])


def test_rows_that_come_late_reopen_the_windows_they_were_judged_in_before_the_change(begin):
    weeks = begin()
    weeks.send(0)
    weeks.check()
    days = begin(yaml=YAML.replace("P7D", "P1D"))
    days.send(1)
    days.check()
    late = week(days.start + N_REFERENCE * pd.Timedelta(days=7), 50)
    days.log(late, "late rows")
    (revised,) = days.check()
    assert (lengths([revised]), [one.revision for one in days.judged()]) == ([7], [2] + [1] * 7)
    assert days.trained_on() == days.logged(0, 1, 50)


def test_windows_of_time_do_not_become_windows_of_rows_and_the_model_says_why(begin):
    weeks = begin()
    weeks.send(0)
    weeks.check()
    by_rows = begin(yaml=YAML.replace("every: P7D", "rows: 100"))
    by_rows.send(1)
    by_rows.log(week(weeks.start + N_REFERENCE * pd.Timedelta(days=7), 50), "late rows")
    with pytest.raises(NotPossibleError, match=r"go back to window\.every"):
        by_rows.check()
    # What was judged before is judged anew all the same.
    assert [one.revision for one in by_rows.judged()] == [2]
    with by_rows.app.http() as http:
        assert "go back to window.every" in http.get("/v1/models/late").text


def test_what_windows_of_another_length_taught_is_not_used_and_each_check_says_so(begin):
    weeks = begin()
    as_it_was = weeks.live(0)
    days = begin(yaml=YAML.replace("P7D", "P1D"))
    days.send(1)
    day = days.app.deployment.watcher().check("late")[0]
    why = "the reference was cut into other windows than now"
    told = {(s.check, s.method): s.detail for s in day.verdict.scores if why in s.detail}
    assert {check for check, _ in told} == {"performance", "estimate", "multivariate"}
    assert told["performance", CONTROL_CHART] == f"no control chart: {why}"
    assert not any(why in s.detail for s in as_it_was.verdict.scores)
    world = days.app.deployment.watcher().world
    recut = world.references.at("late", days.app.clock.now()).reference
    ((metric, known),) = recut.by_window.items()
    assert len(known) == N_REFERENCE
    assert wobble_of(recut, metric) is None
    assert wobble_of(replace(recut, is_recut=False), metric) is not None


def test_a_calibration_comes_back_from_its_bundle_as_it_was(begin):
    weeks = begin()
    registry = weeks.app.deployment.registry
    known = registry.load("late", 1).reference.calibration
    assert (known.every, known.rows, known.n_windows) == (timedelta(days=7), None, N_REFERENCE)
    assert set(known.columns) == {"x", "y", "g", "p"}
    weeks.app.deployment.registry.register(registry.load("late", 1), weeks.app.clock.now())
    again = registry.load("late", 2).reference.calibration
    for name, column in known.columns.items():
        for field, value in vars(column).items():
            assert np.array_equal(getattr(again.columns[name], field), value), (name, field)


def test_a_broken_reference_week_is_left_out_and_a_thin_one_is_no_window(begin, new_home):
    weeks = begin()
    reference = pd.read_parquet(new_home.folder / "reference.parquet")
    broken = reference["at"].dt.isocalendar().week == reference["at"].dt.isocalendar().week.iloc[0]
    reference.loc[broken, "x"] = 1000.0 * reference["x"]
    reference = pd.concat([reference.iloc[: -N_ROWS + 20]])
    columns = TableColumns(pa.Table.from_pandas(reference, preserve_index=False))
    schema = weeks.app.deployment.schema("late")
    at = reference["at"].dt.tz_localize(None).to_numpy()
    prepared = prepare(columns, schema, performance={})
    found = calibrated_reference(
        prepared, columns, Cut(at, WindowPolicy(every=timedelta(days=7)))
    ).calibration
    assert found.n_windows == N_REFERENCE - 1
    assert [start.date() for start in found.columns["x"].left_out] == [weeks.start.date()]
    assert found.columns["y"].left_out == ()


def test_a_score_names_the_reference_windows_that_were_left_out(begin):
    weeks = begin(broken=3)
    found = calibrated(weeks.live(0))
    named = weeks.start + 3 * pd.Timedelta(days=7)
    expected = f"reference windows left out as incidents: {named:%Y-%m-%d %H:%M}"
    assert found["x"].detail.endswith(expected)
    assert "left out" not in found["y"].detail
    with weeks.app.http() as http:
        card = http.get("/v1/models/late/versions/1/card").text
        page = http.get("/models/late").text
    assert f"- `x`: drift is judged without the reference window of {named:%Y-%m-%d %H:%M}" in card
    sentence = "drift is judged without 1 reference window that stands out:"
    assert f"{sentence} {named:%Y-%m-%d %H:%M} (x)" in page


def test_what_makes_version_1_says_which_reference_windows_stand_out(begin, new_home):
    begin(broken=3)
    new_home.configure("late:\n", "again:\n")
    environment, told = Environment(api_key=None, clock_file=new_home.folder / "clock"), []
    with opened(new_home.config, environment) as deployment:
        ensure_first_versions(deployment, lambda _share, text: told.append(text))
    sentence = "version 1 of again is ready; drift is judged without 1 reference window"
    assert told[-1].startswith(sentence)


def test_a_window_that_cannot_be_counted_is_an_error_and_costs_no_other_check_its_own(begin):
    reference = begin().app.deployment.champion("late").reference
    rows = pa.table({"_event_at": pa.array([0], pa.timestamp("us", "UTC")), "x": ["no number"]})
    found = beyond_wobble(rows, None, reference, WindowPolicy(every=timedelta(days=7)), None)
    (score,) = found.scores
    assert (found.profile, score.failed, score.method) == (None, True, METHOD)
    assert "no number" in score.detail


def test_a_unit_that_changes_within_a_week_is_an_incident_until_the_feed_is_clean(begin):
    weeks = begin()
    assert weeks.live(0).diagnosis.kind == "none"
    broken = weeks.live(1, times=1000.0)
    (finding,) = broken.diagnosis.findings
    assert (finding.column, finding.sign, finding.transform) == ("y", "scale", "times 1,000")
    window = History(weeks.app.deployment.engine).windows("late")[-1]
    assert (window["decision"], window["reason"]) == ("hold", "incident")
    half = window["start"] + (window["end"] - window["start"]) / 2
    since = datetime.fromisoformat(window["findings"][0]["since"])
    assert abs(since - half) < timedelta(days=1)
    assert f"y: numbers came times 1,000 since {since:%Y-%m-%d %H:%M} UTC" in window["sentence"]
    assert weeks.live(2, times=1000.0, whole=True).diagnosis.findings[0].transform == "times 1,000"
    assert weeks.live(3).diagnosis.kind == "none"


def test_late_labels_change_nothing_of_what_was_found_in_a_feed(begin):
    weeks = begin()
    first = [weeks.live(0), weeks.live(1, times=1000.0)]
    watcher = weeks.app.deployment.watcher()
    again = [run_cycle(watcher.watched["late"], one.window, 2, watcher.world) for one in first]
    assert [one.revision for one in again] == [2, 2]
    assert [one.diagnosis.findings for one in again] == [one.diagnosis.findings for one in first]
    assert again[1].diagnosis.kind == "incident"


def test_a_person_closes_an_incident_and_its_rows_are_trained_on(begin):
    weeks = begin()
    weeks.live(0)
    weeks.live(1, times=1000.0)
    store, now = weeks.app.deployment.store, weeks.app.clock.now()
    history = History(weeks.app.deployment.engine)
    (alert,) = history.alerts("late")
    assert [one.incident for one in store.judged("late").values()] == [False, True]
    store.close_incident("late", alert["id"], now, "thousandths, from now on")
    assert [one.incident for one in store.judged("late").values()] == [False, False]
    (closed,) = history.alerts("late")
    assert (closed["ended_at"], closed["ended_how"]) == (now, "closed")
    assert closed["sentence"].endswith("; closed: thousandths, from now on")
    watcher = weeks.app.deployment.watcher()
    window = list(store.judged("late").values())[-1].window
    again = run_cycle(watcher.watched["late"], window, 2, watcher.world)
    assert (again.verdict.checks["quality"], again.diagnosis.findings) == ("OK", ())
    assert [a["ended_how"] for a in history.alerts("late") if a["check"] == "quality"] == ["closed"]
    with pytest.raises(NotPossibleError, match="was closed before"):
        store.close_incident("late", alert["id"], now, "again")
    with pytest.raises(NotFoundError, match="no incident"):
        store.close_incident("late", 77, now, "another one")
