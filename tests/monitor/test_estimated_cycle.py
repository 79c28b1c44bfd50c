"""Cycles that estimate: a model served elsewhere, whose labels come late, with a real store."""

import re
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.special import expit

from monitor import intake
from monitor.adapters.history import History
from monitor.batch import MODEL_VERSION
from monitor.body import Body
from monitor.checks.fall import PerformancePolicy
from monitor.checks.score import Check
from monitor.checks.unlabelled import estimate_score
from tests.dashboards.conftest import words

N_ROWS = 300
N_REFERENCE = 12
WEEK = timedelta(days=7)

YAML = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns: {target: late, prediction: p, time: at, id: id, numeric: [x, z], categorical: [g]}
    window: {every: P7D}
    performance: {metric: accuracy}
    retrain: {when: [drift, performance]}
"""


def week(start, number, *, shift=0.0, flipped=0.0, together=0.0):
    """Make a week's rows of a model that is worse where z is greater, and where labels flip.

    z may belong together with x.
    """
    rng = np.random.default_rng(1000 + number)
    at = start + np.sort(rng.uniform(0, 7 * 86_400, N_ROWS)) * pd.Timedelta(seconds=1)
    x, z = rng.normal(size=N_ROWS), rng.normal(shift, 1.0, N_ROWS)
    z = together * x + np.sqrt(1 - together**2) * z
    late = rng.uniform(size=N_ROWS) < expit((3 - 2 * z) * x)
    return pd.DataFrame(
        {
            "id": [f"w{number}-{n}" for n in range(N_ROWS)],
            "at": pd.DatetimeIndex(at).as_unit("us"),
            "x": x,
            "z": z,
            "g": rng.choice(["a", "b", "c"], N_ROWS),
            "p": expit(3 * x),
            "late": np.where(rng.uniform(size=N_ROWS) < flipped, ~late, late).astype(int),
        }
    )


@dataclass
class Weeks:
    """Lives through weeks of the model."""

    app: object
    start: pd.Timestamp

    def live(self, number, **how: float):
        """Log a week's predictions without labels, end it, and judge it."""
        rows = week(self.start + number * WEEK, number, **how)
        self.app.clock.set((self.start + (number + 1) * WEEK).to_pydatetime())
        self.append(rows.drop(columns="late"), f"week {number}", intake.predictions, predict=None)
        (judged,) = self.app.deployment.watcher().check("late")
        return rows, judged

    def label(self, rows):
        """Log the labels of rows; they are judged again."""
        self.append(rows[["id", "late"]], f"labels {rows['id'][0]}", intake.labels)
        (judged,) = self.app.deployment.watcher().check("late")
        return judged

    def append(self, rows, name, made, **how: object):
        deployment = self.app.deployment
        body = Body({one: pa.chunked_array([pa.array(rows[one])]) for one in rows}, len(rows))
        request = intake.Request("late", name, "digest", self.app.clock.now(), 1)
        batches = made(body, deployment.schema("late"), request, **how)
        deployment.log.append([batches] if made is intake.labels else batches).result(60)

    @property
    def windows(self):
        return History(self.app.deployment.engine).windows("late")

    @property
    def record(self):
        return History(self.app.deployment.engine).track_record("late")


@pytest.fixture
def begin(new_home, week_start):
    """Open a deployment; in every second week of its reference z may stand elsewhere."""
    start = pd.Timestamp(week_start(0))
    with ExitStack() as stack:

        def begin(wobble=0.0) -> Weeks:
            shifts = {n: wobble * (n % 2) for n in range(-N_REFERENCE, 0)}
            parts = [week(start + n * WEEK, n, shift=shift) for n, shift in shifts.items()]
            pd.concat(parts, ignore_index=True).to_parquet(new_home.folder / "reference.parquet")
            new_home.config.write_text(YAML)
            new_home.clock.set(week_start(0))
            return Weeks(stack.enter_context(new_home.opened()), start)

        yield begin


@pytest.fixture
def weeks(begin):
    return begin()


def estimate_of(judged):
    (score,) = (s for s in judged.verdict.scores if s.check is Check.ESTIMATE)
    return score


def test_estimate_and_measurement_stand_beside_each_other_when_labels_come(weeks):
    rows, judged = weeks.live(0)
    told = estimate_of(judged)
    assert judged.verdict.checks[Check.ESTIMATE] == "OK"
    assert "cannot see concept drift" in told.detail
    assert weeks.record is None
    weeks.label(rows)
    (window,) = weeks.windows
    assert window["estimate"]["value"] == told.value
    real = np.mean((rows["p"] >= 0.5) == rows["late"])
    assert window["metrics"]["accuracy"] == pytest.approx(real)
    found = weeks.record
    assert (found.n_windows, found.n_inside) == (1, 1)
    assert found.mean_absolute_error == pytest.approx(abs(told.value - real))


def shown(http):
    """Return the record of estimates as the API and the metrics have it."""
    text = http.get("/metrics").text
    exported = re.findall(r'^leeway_estimates_(\w+)\{model="late"\} (\S+)$', text, re.MULTILINE)
    return http.get("/v1/models/late").json()["estimates"], {k: float(v) for k, v in exported}


def test_how_good_estimates_were_is_in_the_api_and_the_metrics(weeks):
    with weeks.app.http() as http:
        first, told = weeks.live(0)
        second, changed = weeks.live(1, flipped=0.4)
        nothing, exported = shown(http)
        assert nothing is None
        assert (exported["compared"], exported["inside"]) == (0, 0)
        assert np.isnan(exported["error"])
        # The newer window first: what comes to an older one counts, too.
        off = [abs(estimate_of(weeks.label(second)).value - accuracy(second))]
        assert shown(http)[1]["compared"] == 1
        weeks.app.clock.set(weeks.app.clock.now() + timedelta(days=1))
        off += [abs(estimate_of(weeks.label(first)).value - accuracy(first))]
        record, exported = shown(http)
        assert (record["n_windows"], record["n_inside"]) == (2, 1)  # an estimate is blind to flips
        assert record["mean_absolute_error"] == pytest.approx(np.mean(off))
        assert record == asdict(weeks.record)
        said = words(http.get("/models/late").text)
        assert "In 2 windows with an estimate and labels it was off by" in said
        assert "in 1 of them what was measured lay in its 95 % band" in said
        assert exported == {
            "compared": 2, "inside": 1, "error": pytest.approx(record["mean_absolute_error"])
        }  # fmt: skip
    assert estimate_of(told).status == estimate_of(changed).status == "OK"


def accuracy(rows):
    return np.mean((rows["p"] >= 0.5) == rows["late"])


def test_a_fall_is_estimated_before_labels_come_and_retrains_nothing_by_itself(weeks):
    weeks.live(0)
    _, judged = weeks.live(1, shift=0.9)
    told = estimate_of(judged)
    assert told.status == "BREACH"
    assert told.value + 1.96 * told.standard_error < told.reference_value
    opened = History(weeks.app.deployment.engine).model("late")["alerts"]
    sentences = {alert["check"]: alert["sentence"] for alert in opened}
    assert sentences["estimate"].startswith("accuracy is 0.")


def test_an_estimate_within_the_wobble_of_the_reference_s_windows_is_no_fall(begin):
    weeks = begin(wobble=0.3)
    rows, judged = weeks.live(0, shift=0.8)
    told = estimate_of(judged)
    assert told.value < told.reference_value - 0.03
    assert (told.status, judged.verdict.checks[Check.ESTIMATE]) == ("OK", "OK")
    # The same fall is judged alike when its labels come.
    scores = weeks.label(rows).verdict.scores
    (real,) = (s for s in scores if s.check is Check.PERFORMANCE and s.method == "accuracy")
    assert (real.status, real.reference_value) == ("OK", told.reference_value)
    assert real.value < real.reference_value - 0.03


def test_a_changed_relation_is_told_from_moved_inputs_when_labels_come(weeks):
    rows, _ = weeks.live(0, flipped=0.4)
    assert weeks.windows[0]["change"] is None
    judged = weeks.label(rows)
    change = weeks.windows[0]["change"]
    assert (judged.diagnosis.kind, change["is_concept"]) == ("concept", True)
    assert change["by_relation"] < -0.15 < change["by_inputs"]
    window = weeks.windows[0]
    assert window["diagnosis_sentence"] == judged.diagnosis.sentence
    real, told = window["metrics"]["accuracy"], window["estimate"]["value"]
    assert change["by_relation"] == pytest.approx(real - told)
    assert change["z"] == pytest.approx((told - real) / estimate_of(judged).standard_error)


def test_columns_that_come_together_otherwise_warn_and_alert_nobody(weeks):
    weeks.live(0)
    _, judged = weeks.live(1, together=0.9)
    calm, changed = weeks.windows
    assert (calm["checks"]["multivariate"], calm["status"]) == ("OK", "OK")
    assert (changed["checks"]["drift"], changed["checks"]["multivariate"]) == ("OK", "WARNING")
    assert "what comes together has changed, most of all in " in changed["diagnosis_sentence"]
    assert (judged.verdict.status, changed["decision"]) == ("WARNING", "none")
    assert History(weeks.app.deployment.engine).alerts("late") == []


def test_how_much_each_column_has_to_do_with_it_is_stored_and_shown(weeks, new_home):
    weeks.live(0)
    weeks.live(1, together=0.9)
    with weeks.app.http() as http:
        path = "/v1/models/late/windows"
        calm, changed = http.get(path).json()
        assert calm["multivariate"]["attribution"] == {}
        parts = changed["multivariate"]["attribution"]
        assert set(list(parts)[:2]) == {"x", "z"}
        assert list(parts.values()) == sorted(parts.values(), reverse=True)
        scores = http.get(f"{path}/{changed['id']}").json()["scores"]
        stored = {s["column"]: s["score"] for s in scores if s["method"] == "permutation_drop"}
        assert stored == parts
        first, part = next(iter(parts.items()))
        told = f"most of all in {first} ({part:.3f})"
        assert told in http.get("/models/late").text
        shown = re.sub(r"<[^>]+>", " ", http.get(f"/models/late/windows/{changed['id']}").text)
        assert f"{first} permutation_drop {part:.3f}" in " ".join(shown.split())
    assert told in new_home.cli("why", "late").stdout


def test_a_fall_that_moved_inputs_explain_is_covariate_drift(weeks):
    weeks.live(0)
    rows, _ = weeks.live(1, shift=0.9)
    judged = weeks.label(rows)
    assert judged.verdict.checks[Check.PERFORMANCE] == "BREACH"
    assert judged.diagnosis.kind == "covariate"
    assert judged.diagnosis.sentence.startswith("the inputs have moved to where the model is weak")


def test_rows_of_a_kind_that_never_was_there_are_not_estimated_and_the_reason_is_kept(weeks):
    _, judged = weeks.live(0, shift=30.0)
    assert estimate_of(judged).value is None
    assert judged.verdict.checks[Check.ESTIMATE] == "NO_DATA"
    note = weeks.windows[0]["estimate"]["note"]
    assert "% of the rows are of a kind that the reference hardly has" in note


def test_a_reference_of_few_windows_says_that_nothing_is_estimated(app):
    app.live(0)
    (judged,) = app.deployment.watcher().check("late")
    assert estimate_of(judged).detail.startswith(
        "not estimated: the reference has 4 windows, 8 are"
    )


def test_a_check_that_crashes_is_an_error_that_says_why(weeks):
    champion = weeks.app.deployment.champion("late")
    rows = pa.table({MODEL_VERSION: [1], "x": [0.0]})  # no prediction
    found = estimate_score(rows, champion.reference, 1, PerformancePolicy("accuracy"))
    assert (found.failed, found.value) == (True, None)
    assert found.detail.startswith("performance could not be estimated: KeyError")
