"""Metrics rendered from real recorded cycles."""

import math
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.adapters.clocks import FileClock
from monitor.adapters.exposition import expose
from monitor.adapters.prediction_log import PredictionLog
from monitor.adapters.prometheus_exporter import Exported, MonitorCollector
from monitor.alert import Alert, AlertChange
from monitor.checks.calibrated import METHOD
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy
from monitor.checks.multivariate import ATTRIBUTION
from monitor.checks.multivariate import METHOD as TOGETHER
from monitor.checks.score import BreachWhen, Check, Score, Status
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from monitor.checks.stale import STALE
from monitor.diagnosis import DiagnosisKind, Finding
from monitor.ports import Champion
from monitor.reference import Estimate, Reference
from monitor.schema import Kind, Schema, Task
from monitor.verdict import VerdictPolicy
from monitor.window import Counts, LabelPolicy, WindowPolicy

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
FEATURES = {"x": Kind.NUMERIC, "g": Kind.CATEGORICAL}
REACHED = {"roc_auc": Estimate(0.82, 0.01, 100), "accuracy": Estimate(0.7, 0.01, 100)}

ORDER = (
    *("model", "version", "column", "metric", "check", "method", "kind", "reason"),
    *("channel", "outcome", "le", "sign", "by"),
)


def champion(features=FEATURES, version=1):
    schema = Schema(Task.BINARY, features, "late", classes=("0", "1"))
    return Champion(version, Reference(schema, {}, REACHED, 100), None)


POLICY = VerdictPolicy(
    WindowPolicy(every=timedelta(days=7)),
    LabelPolicy(),
    DriftPolicy(),
    PerformancePolicy("roc_auc"),
)


@dataclass
class Scraped:
    """What the metrics are rendered from, and the last week that has ended."""

    champion: Champion
    clock: FileClock
    versions: dict[str, int] = field(default_factory=lambda: {"m": 1})
    series_budget: int = 200


@pytest.fixture
def served(tmp_path, request):
    """The champion and the clock of the scrapes."""
    clock = FileClock(tmp_path / "clock")
    clock.set(NOON)
    return Scraped(champion(), clock, series_budget=getattr(request, "param", 200))


@pytest.fixture
def scrape(books, tmp_path, served):
    """Return every sample as {name: {labels: value}}."""
    with closing(PredictionLog(tmp_path / "log")) as log:
        exported = Exported(
            books.engine,
            log,
            tmp_path,
            served.clock,
            {"m": POLICY},
            lambda: served.versions,
            lambda _name: served.champion,
            ["log", "json-0"],
            "http://leeway.example",
            served.series_budget,
        )
        collector = MonitorCollector(exported)

        def samples() -> dict[str, Any]:
            found = {}
            for family in text_string_to_metric_families(expose(collector.collect()).decode()):
                for one in family.samples:
                    labels = tuple(one.labels[name] for name in ORDER if name in one.labels)
                    found.setdefault(one.name, {})[labels] = one.value
            return found

        yield samples


def is_nan(values):
    return [math.isnan(value) for value in values]


def test_every_series_of_a_model_exists_from_registration_with_nan_for_no_data(scrape):
    found = scrape()
    columns = [("m", name) for name in ("x", "g", "prediction", "late")]
    for name in ("drift_score", "drift_threshold"):
        assert [labels[:2] for labels in found[f"leeway_{name}"]] == columns
        assert all(is_nan(found[f"leeway_{name}"].values()))
    for name in ("column_drifted", "missing_ratio"):
        assert list(found[f"leeway_{name}"]) == columns
        assert all(is_nan(found[f"leeway_{name}"].values()))
    assert list(found["leeway_unseen_ratio"]) == [("m", "g"), ("m", "late")]
    for name in (
        "drifted_columns_ratio",
        "window_rows",
        "window_end_timestamp_seconds",
        "labels_mature_ratio",
        "labels_lag_seconds",
        "cycle_last_success_timestamp_seconds",
    ):
        assert list(found[f"leeway_{name}"]) == [("m",)]
        assert all(is_nan(found[f"leeway_{name}"].values()))
    for check in ("drift", "quality", "performance", "estimate", "multivariate", "cycle"):
        assert found["leeway_check_status"]["m", check] == Status.NO_DATA.code
    assert found["leeway_incident_open"] == {("m", "data"): 0}
    for name in (
        "predictions_logged_total",
        "labels_logged_total",
        "columns_not_exported",
        "labels_waiting",
        "log_bytes",
        "log_inbox_rows",
        "windows_due",
        "retraining_paused",
    ):
        assert found[f"leeway_{name}"] == {("m",): 0}


def test_performance_of_the_reference_exists_from_registration(scrape):
    found = scrape()["leeway_performance"]
    assert found["m", "1", "roc_auc", "reference"] == 0.82
    assert math.isnan(found["m", "1", "roc_auc", "realized"])
    assert math.isnan(found["m", "1", "accuracy", "realized"])
    assert math.isnan(scrape()["leeway_performance_lower"]["m", "1", "roc_auc", "realized"])


def test_refused_rows_are_counted_from_zero_by_each_reason(scrape, books):
    reasons = ("unparseable", "bad_time", "bad_id", "bad_label", "schema")
    assert scrape()["leeway_rows_refused_total"] == {("m", reason): 0 for reason in reasons}
    books.store.refuse("m", "bad_id", 7, NOON)
    assert scrape()["leeway_rows_refused_total"]["m", "bad_id"] == 7


def test_a_judged_window_shows_its_scores_and_what_has_no_score_is_nan(scrape, books):
    books.record(books.cycle(status=Status.WARNING))
    found = scrape()
    assert found["leeway_drift_score"]["m", "x", "ks"] == 0.4
    assert found["leeway_drift_threshold"]["m", "x", "ks"] == 0.05
    assert math.isnan(found["leeway_drift_score"]["m", "g", "z"])
    assert found["leeway_column_drifted"]["m", "x"] == 0
    assert math.isnan(found["leeway_column_drifted"]["m", "g"])
    assert found["leeway_window_rows"]["m",] == 50
    assert found["leeway_labels_mature_ratio"]["m",] == 0.98
    assert found["leeway_drifted_columns_ratio"]["m",] == 0.25
    assert found["leeway_check_status"]["m", "drift"] == Status.WARNING.code
    assert found["leeway_check_status"]["m", "cycle"] == Status.OK.code


def test_realized_performance_has_a_band_and_the_reference_beside_it(scrape, books):
    books.record(books.cycle())
    found = scrape()
    realized, reference = (("m", "1", "roc_auc", kind) for kind in ("realized", "reference"))
    assert found["leeway_performance"][realized] == 0.8
    assert found["leeway_performance"][reference] == 0.82
    assert found["leeway_performance_lower"][realized] == pytest.approx(0.8 - 1.96 * 0.02)
    assert found["leeway_performance_upper"][realized] == pytest.approx(0.8 + 1.96 * 0.02)


def test_a_failed_cycle_is_an_error_of_the_cycle(scrape, books):
    books.record(books.cycle())
    books.store.fail("m", "disk full", books.cycle().at)
    assert scrape()["leeway_check_status"]["m", "cycle"] == Status.ERROR.code


def test_an_open_incident_shows_and_ends(scrape, books):
    broken = books.open_incident()
    assert scrape()["leeway_incident_open"]["m", "data"] == 1
    books.record(books.cycle(1, counts=Counts(0, 0), status=Status.NO_DATA))
    assert scrape()["leeway_incident_open"]["m", "data"] == 1
    books.record(books.cycle(2, alerts=[replace(broken, change=AlertChange.RESOLVED)]))
    assert scrape()["leeway_incident_open"]["m", "data"] == 0


@pytest.mark.parametrize("served", [110, 200, 400], indirect=True)
def test_of_many_columns_those_that_matter_or_moved_most_are_exported_within_the_budget(
    scrape, books, served
):
    features = {f"c{i:03}": Kind.CATEGORICAL for i in range(100)}
    above, p_value = BreachWhen.ABOVE, BreachWhen.BELOW
    scores = [
        Score(Check.DRIFT, name, "psi", i / 1000, 0.1, above, 9, 9, status=Status.OK)
        for i, name in enumerate(features)
    ]
    scores[0] = replace(scores[0], method="z", value=0.0, breach_when=p_value)
    for place, at in enumerate((30, 10, 20)):
        scores[at] = replace(scores[at], value=0.2, status=Status.BREACH, rank=place + 1)
    scores += [
        Score(Check.MULTIVARIATE, name, ATTRIBUTION, 0.1, None, above, 9, 9, status=Status.OK)
        for name in features
    ]
    books.record(books.cycle(scores=scores))
    served.champion = champion(features)
    found = scrape()
    kept = [column for _, column, _ in found["leeway_drift_score"]]
    first = ["c030", "c010", "c020", "c000", "c099", "c098"]
    assert kept[:6] == first[: len(kept)]
    assert len(found["leeway_column_rank"]) == len(found["leeway_multivariate_drop"]) == 3
    assert found["leeway_columns_not_exported"]["m",] == 102 - len(kept)
    n_series = sum(labels[:1] == ("m",) for series in found.values() for labels in series)
    # What retraining shows of a model is not in this scrape.
    assert served.series_budget - 26 < n_series <= served.series_budget


def moved(column, method, value, rank):
    return Score(
        Check.DRIFT, column, method, value, 0.1, BreachWhen.ABOVE, 9, 9,
        status=Status.BREACH, rank=rank,
    )  # fmt: skip


def test_the_places_of_the_three_columns_that_matter_most_are_exported_once(scrape, books):
    assert "leeway_column_rank" not in scrape()
    scores = [moved(f"c{rank}", "psi", rank / 5, rank) for rank in (4, 2, 1, 3)]
    scores.append(moved("c1", "wasserstein", 0.3, 1))
    books.record(books.cycle(0, scores=scores))
    assert scrape()["leeway_column_rank"] == {("m", f"c{rank}"): rank for rank in (1, 2, 3)}
    books.record(books.cycle(1, scores=[moved("c1", "psi", 0.3, None)]))
    assert "leeway_column_rank" not in scrape()


def test_cycle_durations_are_a_histogram(scrape, books):
    for number, seconds in enumerate((0.05, 0.3, 1e6)):
        books.record(replace(books.cycle(number), duration_seconds=seconds))
    found = scrape()
    buckets = found["leeway_cycle_duration_seconds_bucket"]
    assert (buckets["0.1",], buckets["0.5",], buckets["300.0",], buckets["+Inf",]) == (1, 2, 2, 3)
    assert found["leeway_cycle_duration_seconds_count"][()] == 3


def test_deliveries_are_counted_by_channel_and_outcome(scrape, books):
    books.open_alert()
    (delivery,) = books.store.undelivered(books.cycle().at)
    books.store.delivered(delivery, books.cycle().at, "refused")
    assert scrape()["leeway_deliveries_total"] == {
        ("json-0", "delivered"): 0,
        ("json-0", "failed"): 0,
        ("log", "delivered"): 0,
        ("log", "failed"): 1,
    }
    assert scrape()["leeway_deliveries_waiting"] == {("json-0",): 0, ("log",): 1}


def test_performance_and_its_status_are_of_the_newest_window_that_has_labels(scrape, books):
    fallen = books.cycle(0)
    fallen.judged.verdict.checks[Check.PERFORMANCE] = Status.BREACH
    books.record(fallen)
    unlabelled = books.cycle(1, scores=books.cycle().judged.verdict.scores[:2])
    unlabelled.judged.verdict.checks[Check.PERFORMANCE] = Status.NO_DATA
    books.record(replace(unlabelled, counts=Counts(50, 0)))
    found = scrape()
    assert found["leeway_check_status"]["m", "performance"] == Status.BREACH.code
    assert found["leeway_performance"]["m", "1", "roc_auc", "realized"] == 0.8
    assert found["leeway_labels_mature_ratio"]["m",] == 0


def test_the_champion_and_the_version_before_it_are_shown_and_no_other(scrape, books, served):
    for number in range(3):
        one = books.cycle(number)
        books.record(replace(one, judged=replace(one.judged, champion=number + 1)))
    served.champion, served.versions["m"] = champion(version=3), 3
    assert {version for _, version, *_ in scrape()["leeway_performance"]} == {"2", "3"}
    served.champion, served.versions["m"] = champion(version=4), 4
    found = scrape()["leeway_performance"]
    assert {version for _, version, *_ in found} == {"3", "4"}
    assert found["m", "4", "roc_auc", "reference"] == 0.82
    assert math.isnan(found["m", "4", "roc_auc", "realized"])


def test_performance_without_labels_is_there_as_nan_until_it_is_estimated(scrape):
    for name in ("performance", "performance_lower", "performance_upper"):
        assert math.isnan(scrape()[f"leeway_{name}"]["m", "1", "roc_auc", "estimated"])


def test_an_estimate_is_exported_with_its_band_and_an_abstention_is_nan(scrape, books):
    told = Score(
        Check.ESTIMATE, None, "roc_auc", 0.7, 0.67, BreachWhen.BELOW, 100, 50,
        standard_error=0.02, reference_value=0.82, status=Status.OK,
    )  # fmt: skip
    books.record(books.cycle(0, scores=[told]))
    ends = {"": 0.7, "_lower": 0.7 - 1.96 * 0.02, "_upper": 0.7 + 1.96 * 0.02}
    for end, value in ends.items():
        found = scrape()[f"leeway_performance{end}"]["m", "1", "roc_auc", "estimated"]
        assert found == pytest.approx(value)
    nothing = replace(told, value=None, standard_error=None, status=Status.NO_DATA)
    books.record(books.cycle(1, scores=[nothing]))
    for end in ends:
        found = scrape()[f"leeway_performance{end}"]["m", "1", "roc_auc", "estimated"]
        assert math.isnan(found)


def test_windows_that_have_ended_without_a_verdict_are_counted_by_the_clock_of_leeway(
    scrape, books, served
):
    books.record(books.cycle(0))
    served.clock.set(books.cycle(0).at + timedelta(days=6))
    assert scrape()["leeway_windows_due"]["m",] == 0
    served.clock.set(books.cycle(2).at)
    assert scrape()["leeway_windows_due"]["m",] == 2


def test_the_lag_of_labels_counts_from_the_newest_window_that_is_final(scrape, books, served):
    books.record(books.cycle(0))
    late = books.cycle(1)
    provisional = replace(late.judged, verdict=replace(late.judged.verdict, provisional=True))
    books.record(replace(late, judged=provisional, counts=Counts(50, 3)))
    served.clock.set(late.at)
    found = scrape()
    assert found["leeway_labels_lag_seconds"]["m",] == 7 * 86400
    assert found["leeway_labels_horizon_seconds"]["m",] == 90 * 86400


def test_a_model_that_leeway_yaml_no_longer_has_is_not_shown(scrape, books):
    books.store.register("gone", NOON)
    assert {labels[0] for labels in scrape()["leeway_check_status"]} == {"m"}


def test_scores_are_read_once_and_a_new_revision_is_seen(scrape, books):
    books.record(books.cycle(0))
    assert str(scrape()["leeway_drift_score"]) == str(scrape()["leeway_drift_score"])
    moved = [replace(books.cycle().judged.verdict.scores[0], value=0.01)]
    books.record(books.cycle(0, revision=2, scores=moved))
    assert scrape()["leeway_drift_score"]["m", "x", "ks"] == 0.01


def test_the_disk_of_the_log_is_measured(scrape):
    found = scrape()
    assert 0 < found["leeway_disk_free_bytes"][()] <= found["leeway_disk_size_bytes"][()]


def test_a_calibrated_score_decides_and_evidently_s_is_exported_beside_it(scrape, books):
    below, above = BreachWhen.BELOW, BreachWhen.ABOVE
    scores = [
        Score(Check.DRIFT, "x", "wasserstein", 0.3, 0.1, above, 9, 9, status=Status.WARNING),
        Score(Check.DRIFT, "x", METHOD, 0.7, 0.1, below, 26, 9, status=Status.OK),
        Score(Check.DRIFT, "g", "jensenshannon", 0.01, 0.1, above, 9, 9, status=Status.OK),
        Score(Check.DRIFT, "g", METHOD, 0.001, 0.1, below, 26, 9, status=Status.BREACH),
    ]
    books.record(books.cycle(scores=scores))
    found = scrape()
    assert found["leeway_drift_score"]["m", "x", "wasserstein"] == 0.3
    assert found["leeway_drift_score"]["m", "x", METHOD] == 0.7
    assert found["leeway_drift_threshold"]["m", "g", METHOD] == 0.1
    drifted = found["leeway_column_drifted"]
    assert (drifted["m", "x"], drifted["m", "g"]) == (0, 1)


def measured(value, status, added=None):
    """Score a metric, and what has added up."""
    score = Score(
        Check.PERFORMANCE, None, "roc_auc", value, 0.7, BreachWhen.BELOW, 900, 50,
        standard_error=0.01, reference_value=0.75, status=status,
    )  # fmt: skip
    chart = Score(Check.PERFORMANCE, None, SLOW_FALL, added, 4.5, BreachWhen.ABOVE, 8, 3)
    return [score, replace(chart, status=Status.OK)] if added is not None else [score]


def with_performance(record, status):
    return with_status(record, Check.PERFORMANCE, status)


def test_what_has_added_up_and_what_comes_together_are_shown_with_their_limits(scrape, books):
    for name in ("slow_fall", "multivariate"):
        assert math.isnan(scrape()[f"leeway_{name}_score"]["m",])
    assert math.isnan(scrape()["leeway_performance_final"]["m",])
    together = Score(Check.MULTIVARIATE, None, TOGETHER, 0.58, 0.56, BreachWhen.ABOVE, 900, 50)
    drops = {"c1": 0.01, "c2": 0.05, "c3": -0.001, "c4": 0.04, "c5": 0.02}
    parts = [
        replace(
            together,
            column=column,
            method=ATTRIBUTION,
            value=drop,
            threshold=None,
            status=Status.OK,
        )
        for column, drop in drops.items()
    ]
    scores = [*measured(0.74, Status.OK, 2.5), replace(together, status=Status.WARNING), *parts]
    books.record(books.cycle(0, scores=scores))
    found = scrape()
    assert found["leeway_slow_fall_score"]["m",] == 2.5
    assert found["leeway_slow_fall_threshold"]["m",] == 4.5
    assert found["leeway_multivariate_score"]["m",] == 0.58
    assert found["leeway_multivariate_threshold"]["m",] == 0.56
    named = {("m", column): drops[column] for column in ("c2", "c4", "c5")}
    assert found["leeway_multivariate_drop"] == named
    assert found["leeway_performance_final"]["m",] == 1
    assert {metric for _, _, metric, _ in found["leeway_performance"]} == {"roc_auc"}


def test_the_first_labels_of_a_window_are_no_all_clear(scrape, books):
    fallen = books.cycle(0, alerts=[OPENED], scores=measured(0.6, Status.BREACH, 5.0))
    books.record(with_performance(fallen, Status.BREACH))
    early = books.cycle(1, scores=measured(0.76, Status.OK), counts=Counts(50, 20))
    books.record(early)
    found = scrape()
    assert found["leeway_check_status"]["m", "performance"] == Status.BREACH.code
    assert found["leeway_performance_final"]["m",] == 0
    assert found["leeway_slow_fall_score"]["m",] == 5.0
    over = ended(books, Check.PERFORMANCE, AlertChange.RESOLVED)
    books.record(books.cycle(1, 2, alerts=[over], scores=measured(0.76, Status.OK, 4.0)))
    assert scrape()["leeway_check_status"]["m", "performance"] == Status.OK.code


OPENED = Alert(Check.PERFORMANCE, AlertChange.OPENED, "roc_auc is 0.600, its limit 0.700")


def ended(books, check, change):
    """End the alert of a check that is open."""
    opening = books.store.standing("m", since=NOON).open_alerts[check]
    return Alert(check, change, f"{check} is no breach after all", opening.id)


def with_status(record, check, status):
    verdict = record.judged.verdict
    verdict = replace(verdict, checks={**verdict.checks, check: status})
    return replace(record, judged=replace(record.judged, verdict=verdict))


def test_an_alert_that_late_labels_raise_for_an_older_window_shows_until_it_is_taken_back(
    scrape, books
):
    for number in (0, 1):
        books.record(books.cycle(number, scores=measured(0.76, Status.OK)))
    found = scrape()
    assert set(found["leeway_alert_status"]) == {("m", str(check)) for check in Check}
    assert set(found["leeway_alert_status"].values()) == {0}
    fallen, chart = measured(0.6, Status.BREACH, 5.0)
    scores = [replace(chart, status=Status.BREACH), fallen]
    late = books.cycle(0, 2, alerts=[OPENED], scores=scores)
    books.record(with_performance(late, Status.BREACH))
    found = scrape()
    assert found["leeway_performance"]["m", "1", "roc_auc", "realized"] == 0.76
    for name in ("check_status", "alert_status"):
        assert found[f"leeway_{name}"]["m", "performance"] == Status.BREACH.code
    end = (NOON.replace(hour=0) + timedelta(days=7)).timestamp()
    assert found["leeway_alert_window_end_timestamp_seconds"] == {("m", "performance"): end}
    assert found["leeway_alert_score"] == {("m", "1", "performance", "roc_auc"): 0.6}
    assert found["leeway_alert_threshold"] == {("m", "1", "performance", "roc_auc"): 0.7}
    assert set(found["leeway_alerts_retracted_total"].values()) == {0}
    slow = books.cycle(0, 3, scores=scores[:1])
    books.record(with_performance(slow, Status.BREACH))
    assert scrape()["leeway_alert_score"] == {("m", "1", "performance", SLOW_FALL): 5.0}
    back = ended(books, Check.PERFORMANCE, AlertChange.RETRACTED)
    books.record(books.cycle(0, 4, alerts=[back], scores=measured(0.75, Status.OK)))
    found = scrape()
    for name in ("check_status", "alert_status"):
        assert found[f"leeway_{name}"]["m", "performance"] == Status.OK.code
    assert "leeway_alert_score" not in found
    retracted = found["leeway_alerts_retracted_total"]
    assert {check for (_, check), n in retracted.items() if n} == {"performance"}
    assert retracted["m", "performance"] == 1


def test_a_window_that_could_not_be_judged_ends_no_alert(scrape, books):
    opened = Alert(Check.DRIFT, AlertChange.OPENED, "x has moved")
    books.record(books.cycle(0, alerts=[opened], status=Status.BREACH))
    books.record(books.cycle(1, status=Status.NO_DATA, counts=Counts(3, 0)))
    found = scrape()
    assert found["leeway_check_status"]["m", "drift"] == Status.NO_DATA.code
    assert found["leeway_alert_status"]["m", "drift"] == Status.BREACH.code


def test_an_alert_is_about_the_breach_though_its_check_has_crashed_since(scrape, books):
    crashed = Alert(Check.DRIFT, AlertChange.OPENED, "drift could not be checked")
    books.record(books.cycle(0, alerts=[crashed], status=Status.ERROR))
    assert scrape()["leeway_alert_status"]["m", "drift"] == Status.ERROR.code
    books.record(books.cycle(1, status=Status.BREACH))
    books.record(books.cycle(2, status=Status.ERROR))
    found = scrape()
    assert found["leeway_alert_status"]["m", "drift"] == Status.BREACH.code
    end = (NOON.replace(hour=0) + timedelta(days=14)).timestamp()
    assert found["leeway_alert_window_end_timestamp_seconds"]["m", "drift"] == end


def test_a_broken_feed_keeps_an_older_alert_open_and_echoes_in_none(scrape, books):
    opened = Alert(Check.DRIFT, AlertChange.OPENED, "x has moved")
    books.record(books.cycle(0, alerts=[opened], status=Status.BREACH))
    books.record(books.cycle(0, 2, status=Status.BREACH, kind=DiagnosisKind.INCIDENT))
    found = scrape()
    assert found["leeway_alert_status"]["m", "drift"] == Status.BREACH.code
    assert "leeway_alert_window_end_timestamp_seconds" not in found


@pytest.mark.parametrize("check", [Check.DRIFT, Check.PERFORMANCE, Check.ESTIMATE])
def test_an_open_alert_names_the_columns_that_drifted_in_its_window(scrape, books, check):
    scores = [moved(f"c{rank}", "psi", rank / 5, rank) for rank in (4, 2, 1, 3)]
    scores.append(moved("c1", "wasserstein", 0.3, 1))
    opened = Alert(check, AlertChange.OPENED, "fallen")
    record = books.cycle(0, alerts=[opened], scores=scores)
    books.record(with_status(record, check, Status.BREACH))
    books.record(with_status(books.cycle(1), check, Status.NO_DATA))
    assert scrape()["leeway_alert_column_rank"] == {
        ("m", f"c{rank}", str(check), "importance"): rank for rank in (1, 2, 3)
    }
    unranked = [replace(score, rank=None) for score in scores]
    again = books.cycle(0, 2, scores=unranked)
    books.record(with_status(again, check, Status.BREACH))
    named = scrape()["leeway_alert_column_rank"]
    expected = [("c4", 1), ("c3", 2), ("c2", 3)]
    assert named == {("m", column, str(check), "drift"): rank for column, rank in expected}


def broken(record, findings):
    diagnosis = replace(record.judged.diagnosis, findings=tuple(findings))
    return replace(record, judged=replace(record.judged, diagnosis=diagnosis))


def test_an_open_incident_shows_what_is_broken_and_since_when_it_has_been(scrape, books):
    found = scrape()
    assert found["leeway_incident_findings"]["m",] == 0
    assert "leeway_incident_since_timestamp_seconds" not in found
    opened = Alert(Check.QUALITY, AlertChange.OPENED, "the feed looks broken")

    def since(day: int, column: str = "x", sign: str = "scale") -> Finding:
        return Finding(column, sign, "", since=datetime(2026, 1, day, tzinfo=UTC))

    kind = DiagnosisKind.INCIDENT
    books.record(
        broken(books.cycle(0, alerts=[opened], kind=kind), [since(7), since(8, "", STALE)])
    )
    books.record(broken(books.cycle(1, kind=kind), [since(12)]))
    books.record(books.cycle(2, status=Status.NO_DATA, counts=Counts(0, 0)))
    unknown = Finding("g", "missing", "")
    now = [since(26), unknown, since(27, "", STALE), since(28, "y", "sign")]
    books.record(broken(books.cycle(3, kind=kind), now))
    found = scrape()
    shown = found["leeway_incident_since_timestamp_seconds"]
    assert shown["m", "x", "scale"] == datetime(2026, 1, 7, tzinfo=UTC).timestamp()
    assert math.isnan(shown["m", "g", "missing"])
    # It was sound in the week between.
    assert shown["m", "", STALE] == datetime(2026, 1, 27, tzinfo=UTC).timestamp()
    assert len(shown) == 3
    assert found["leeway_incident_findings"]["m",] == 4
    over = ended(books, Check.QUALITY, AlertChange.RESOLVED)
    books.record(books.cycle(4, alerts=[over]))
    found = scrape()
    assert found["leeway_incident_findings"]["m",] == 0
    assert "leeway_incident_since_timestamp_seconds" not in found
