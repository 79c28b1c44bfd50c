"""Prometheus metrics of the watch, rendered from the database at each scrape."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from math import inf
from pathlib import Path

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from sqlalchemy import Engine

from monitor.adapters.alert_series import add_alerts, alert_status
from monitor.adapters.cycle_rows import CYCLE_BUCKETS
from monitor.adapters.families import COUNTERS, GAUGES, Families
from monitor.adapters.history import History
from monitor.adapters.log_catalog import LogStats
from monitor.adapters.model_series import (
    Served,
    add_attribution,
    add_calibration,
    add_columns,
    add_limits,
    add_performance,
    add_ranks,
    add_record,
    served,
)
from monitor.adapters.newest import Newest, NewestReader
from monitor.adapters.prediction_log import PredictionLog
from monitor.batch import RowKind
from monitor.checks.score import Check, Status
from monitor.errors import REFUSALS
from monitor.ports import Champion, Clock
from monitor.verdict import VerdictPolicy
from monitor.window import count_due

FIXED_SERIES = 76
"""Series of a model besides those of its columns and its performance."""

CHECKS = (*Check, "cycle")
"""What `leeway_check_status` has."""


@dataclass(frozen=True)
class Exported:
    """What the metrics are rendered from.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The state database.
    log : PredictionLog
        The prediction log.
    folder : Path
        Where it is stored.
    clock : Clock
        The present.
    policies : mapping of str to VerdictPolicy
        The models of the configuration.
    versions : callable
        Gives every model's champion, as a number.
    champion : callable
        Gives a model's champion; asked when its number is new.
    channels : sequence of str
        Where messages go.
    url : str
        Where people reach Leeway's pages.
    series_budget : int
        Series a model may have: the columns that matter or moved most are exported.
    """

    engine: Engine
    log: PredictionLog
    folder: Path
    clock: Clock
    policies: Mapping[str, VerdictPolicy]
    versions: Callable[[], Mapping[str, int]]
    champion: Callable[[str], Champion]
    channels: Sequence[str]
    url: str
    series_budget: int


class MonitorCollector(Collector):
    """Collects from what is recorded: the same on every replica, and right after a restart.

    Parameters
    ----------
    exported : Exported
        What the metrics are rendered from.
    """

    def __init__(self, exported: Exported) -> None:
        self._exported = exported
        self._history = History(exported.engine)
        self._newest = NewestReader(exported.engine)
        self._served: dict[str, Served] = {}
        self._samples: dict[str, tuple[object, Mapping[str, list[Sample]]]] = {}

    def describe(self) -> Iterable[Metric]:
        """Describe nothing ahead: registration must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        families = Families(GAUGES, COUNTERS)
        versions, logged = self._exported.versions(), self._exported.log.stats()
        refused, now = self._history.refusals_by_model(), self._exported.clock.now()
        retracted = self._history.retractions_by_model()
        # What leeway.yaml no longer has is not shown, nor what is being registered.
        shown = self._exported.policies.keys() & versions.keys()
        models = [one for one in self._newest.read() if one.model in shown]
        self._render(models, versions)
        for newest in models:
            name = newest.model
            policy = self._exported.policies[name]
            rows = {kind: logged.get((name, kind), _NOTHING_LOGGED) for kind in RowKind}
            _add_model(families, newest)
            _add_alerts(families, newest, retracted.get(name, {}))
            _add_window(families, newest)
            _add_labels(families, newest, policy, now)
            _add_traffic(families, name, rows, refused.get(name, {}))
            n_rows = rows[RowKind.PREDICTION].n_rows
            families.add("windows_due", [name], self._n_due(newest, n_rows, now))
            families.extend(self._samples[name][1])
        families.add("info", [version("leeway-ml"), self._exported.url], 1)
        self._add_deliveries(families)
        self._add_disk(families)
        yield from families
        yield self._cycle_seconds()

    def _champion(self, model: str, version: int) -> Served:
        known = self._served.get(model)
        if known is None or known.version != version:
            known = served(self._exported.champion(model), self._exported.policies[model])
            self._served[model] = known
        return known

    def _render(self, models: Sequence[Newest], versions: Mapping[str, int]) -> None:
        """Make the samples that follow from scores, which are most, of models with new ones."""
        states = {one.model: _state(one, versions[one.model]) for one in models}
        known = {model: state for model, (state, _) in self._samples.items()}
        anew = [one for one in models if known.get(one.model) != states[one.model]]
        if not anew:
            return
        records = self._history.track_records([one.model for one in anew])
        for newest in anew:
            model = newest.model
            champion = self._champion(model, versions[model])
            made = Families(GAUGES)
            room = self._exported.series_budget - FIXED_SERIES
            room -= add_performance(made, model, champion, newest.window, newest.labelled)
            room -= add_alerts(made, newest)
            add_calibration(made, model, champion)
            add_record(made, model, records.get(model))
            add_limits(made, newest)
            add_ranks(made, model, newest.window)
            add_attribution(made, model, newest.window)
            add_columns(made, model, champion, newest.window, room)
            self._samples[model] = (states[model], made.samples())

    def _n_due(self, newest: Newest, n_rows: int, now: datetime) -> int:
        policy, window = self._exported.policies[newest.model], newest.window
        first = None if window else self._exported.log.extent(newest.model).first_event_at
        end_row = window.end_row if window else None
        return count_due(
            policy.window,
            n_unjudged=n_rows - (end_row or 0),
            judged_until=window.end if window else first,
            since=now - policy.labels.horizon,
            now=now,
        )

    def _add_deliveries(self, families: Families) -> None:
        counted, waiting = self._history.deliveries(), self._history.waiting()
        for channel in sorted({*self._exported.channels, *waiting}):
            for outcome in ("delivered", "failed"):
                families.add("deliveries", [channel, outcome], counted.get((channel, outcome), 0))
            families.add("deliveries_waiting", [channel], waiting.get(channel, 0))

    def _add_disk(self, families: Families) -> None:
        disk = shutil.disk_usage(self._exported.folder)
        families.add("disk_free_bytes", [], disk.free)
        families.add("disk_size_bytes", [], disk.total)

    def _cycle_seconds(self) -> Metric:
        stored = {le: (n, seconds) for le, n, seconds in self._history.cycle_seconds()}
        n_all, buckets = 0, []
        for bound in CYCLE_BUCKETS:
            n_all += stored.get(min(bound, 1e308), (0, 0.0))[0]
            buckets.append(("+Inf" if bound == inf else str(bound), float(n_all)))
        family = HistogramMetricFamily(
            "leeway_cycle_duration_seconds", "Time one evaluation of one window takes."
        )
        family.add_metric([], buckets, sum(seconds for _, seconds in stored.values()))
        return family


_NOTHING_LOGGED = LogStats(0, 0, 0, 0)


def _state(newest: Newest, version: int) -> object:
    """Return what a model's samples of scores follow from."""
    told = tuple((check, one and one.revision_id) for check, one in newest.alerts.items())
    return (version, newest.n_judged, told, newest.broken)


def _add_model(families: Families, newest: Newest) -> None:
    name, window = newest.model, newest.window
    checks = dict(window.checks) if window else {}
    if newest.labelled:
        # Labels come later than rows: the newest window alone would hide a fall for ever.
        checks[Check.PERFORMANCE] = newest.labelled[0].checks[Check.PERFORMANCE]
    if alert_status(newest, Check.PERFORMANCE) is Status.BREACH:
        # Late labels open it for an older window, and the first of a newer one are no all-clear.
        checks[Check.PERFORMANCE] = Status.BREACH
    checks["cycle"] = Status.ERROR if newest.failed else (Status.OK if window else Status.NO_DATA)
    for check in CHECKS:
        status = Status(checks.get(check, Status.NO_DATA))
        families.add("check_status", [name, check], status.code)
    families.add("retraining_paused", [name], float(newest.paused))
    families.add("cycle_last_success_timestamp_seconds", [name], newest.last_success_at)


def _add_alerts(families: Families, newest: Newest, retracted: Mapping[str, int]) -> None:
    for check in Check:
        labels = [newest.model, str(check)]
        families.add("alert_status", labels, alert_status(newest, check).code)
        families.add("alerts_retracted", labels, retracted.get(check, 0))
    families.add("incident_findings", [newest.model], len(newest.broken))


def _add_window(families: Families, newest: Newest) -> None:
    name, window = [newest.model], newest.window
    n_rows = window.n_rows if window else 0
    families.add("drifted_columns_ratio", name, window.share_drifted if window else None)
    families.add("window_rows", name, n_rows if window else None)
    families.add("window_end_timestamp_seconds", name, window.end if window else None)
    mature = window.n_labels / n_rows if window and n_rows else None
    families.add("labels_mature_ratio", name, mature)
    families.add("incident_open", [*name, "data"], float(newest.incident))


def _add_labels(families: Families, newest: Newest, policy: VerdictPolicy, now: datetime) -> None:
    until = newest.final.end if newest.final else None
    lag = max(0.0, (now - until).total_seconds()) if until else None
    families.add("labels_lag_seconds", [newest.model], lag)
    horizon = policy.labels.horizon.total_seconds()
    families.add("labels_horizon_seconds", [newest.model], horizon)


def _add_traffic(
    families: Families,
    model: str,
    rows: Mapping[RowKind, LogStats],
    refused: Mapping[str, int],
) -> None:
    families.add("predictions_logged", [model], rows[RowKind.PREDICTION].n_rows)
    families.add("labels_logged", [model], rows[RowKind.LABEL].n_rows)
    families.add("shadow_rows_logged", [model], rows[RowKind.SHADOW].n_rows)
    families.add("labels_waiting", [model], rows[RowKind.LABEL].n_waiting)
    families.add("log_bytes", [model], sum(one.n_bytes for one in rows.values()))
    families.add("log_inbox_rows", [model], sum(one.n_inbox_rows for one in rows.values()))
    for reason in REFUSALS:
        families.add("rows_refused", [model, reason], refused.get(reason, 0))
