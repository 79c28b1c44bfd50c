"""Prometheus metrics of retraining, rendered from the database at each scrape."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, and_, func, select

from monitor.adapters.database import reading
from monitor.adapters.families import MODEL, Described, Families
from monitor.adapters.tables import models, probations, requests
from monitor.probation import CAPITAL_TO_ROLL_BACK
from retrain.adapters import tables as t
from retrain.adapters.challenger_rows import needs_approval
from retrain.adapters.move_rows import CHAMPION
from retrain.record import Outcome

_GAUGES: Described = {
    "champion_info": ("1 for the champion's version.", ("model", "version")),
    "champion_promoted_timestamp_seconds": ("When the champion last changed.", MODEL),
    "leakage_alarms": ("Features of the champion that may know the label.", MODEL),
    "retrain_requests_open": ("Retrain requests that are not carried out yet.", MODEL),
    "retrain_running": ("1 while a retrain run is going on.", MODEL),
    "retrain_approval_waiting": ("1 while a version waits for a person to promote it.", MODEL),
    "retrain_last_gain": (
        "Mean gain of the last challenger over the champion, in the metric's unit.",
        MODEL,
    ),
    "retrain_last_gain_lower": ("Lower bound of the last challenger's gain.", MODEL),
    "retrain_last_duration_seconds": ("Time that the last retrain run took.", MODEL),
    "probation_open": ("1 while a champion is on probation.", MODEL),
    "probation_e_value": (
        "Evidence that the last version on probation does harm; at most 1 is expected of none.",
        MODEL,
    ),
    "probation_labelled_rows": ("Labelled rows that both versions predicted.", MODEL),
    "probation_gain": ("How much better the metric was than the predecessor's there.", MODEL),
    "probation_e_value_limit": ("Evidence from which a version is rolled back.", ()),
}

_COUNTERS: Described = {
    "retrain_runs": ("Retrain runs that have ended.", ("model", "outcome")),
    "rollbacks": ("Times that the champion was taken back.", MODEL),
    "shadow_rows_failed": (
        "Rows that the champion answered and a version beside it could not predict.",
        MODEL,
    ),
}


_AFTER_A_WAIT = (Outcome.PROMOTED, Outcome.CANCELLED)


class RetrainCollector(Collector):
    """Collects champions and runs from what is recorded.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The state database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Describe nothing ahead: registration must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        families = Families(_GAUGES, _COUNTERS)
        with reading(self._engine) as connection:
            names = list(
                connection.execute(select(models.c.name).order_by(models.c.name)).scalars()
            )
            _add_champions(families, connection, names)
            _add_runs(families, connection, names)
            _add_last_runs(families, connection, names)
            _add_probations(families, connection, names)
            _add_failed(families, connection, names)
        families.add("probation_e_value_limit", [], CAPITAL_TO_ROLL_BACK)
        yield from families


def _add_champions(families: Families, connection: Connection, names: list[str]) -> None:
    a, v = t.aliases.c, t.versions.c
    made = and_(v.model == a.model, v.number == a.version)
    champions = select(a.model, a.version, v.lineage).join_from(t.aliases, t.versions, made)
    alarms = {}
    for row in connection.execute(champions.where(a.alias == CHAMPION).order_by(a.model)):
        families.add("champion_info", [row.model, str(row.version)], 1)
        # A version of before there were any alarms has no notes: nobody has looked.
        notes = row.lineage.get("notes")
        alarms[row.model] = len(notes["leakage"]) if notes else None
    m = t.moves.c
    moved = select(m.model, func.max(m.at)).group_by(m.model)
    at = {model: instant for model, instant in connection.execute(moved)}  # noqa: C416
    taken_back = select(m.model, func.count()).where(m.kind == "roll_back").group_by(m.model)
    n_rollbacks = {model: n for model, n in connection.execute(taken_back)}  # noqa: C416
    for name in names:
        families.add("champion_promoted_timestamp_seconds", [name], at.get(name))
        families.add("rollbacks", [name], n_rollbacks.get(name, 0))
        families.add("leakage_alarms", [name], alarms.get(name))


def _add_runs(families: Families, connection: Connection, names: list[str]) -> None:
    r, q = t.runs.c, requests.c
    counted = select(r.model, r.outcome, func.count()).group_by(r.model, r.outcome)
    ended = {(model, outcome): n for model, outcome, n in connection.execute(counted)}
    # What waited for a person was held first: a counter that fell would read as a restart.
    waited = select(r.model, func.count()).where(r.outcome.in_(_AFTER_A_WAIT), needs_approval)
    for model, n in connection.execute(waited.group_by(r.model)):
        ended[model, Outcome.HELD] = ended.get((model, Outcome.HELD), 0) + n
    waits = select(r.model).where(r.outcome == Outcome.HELD, needs_approval)
    waiting = set(connection.execute(waits).scalars())
    asked = select(q.model, func.count()).where(q.finished_at.is_(None), q.kind == "retrain")
    n_open = {model: n for model, n in connection.execute(asked.group_by(q.model))}  # noqa: C416
    for name in names:
        for outcome in Outcome:
            families.add("retrain_runs", [name, outcome], ended.get((name, outcome), 0))
        families.add("retrain_requests_open", [name], n_open.get(name, 0))
        families.add("retrain_running", [name], float((name, None) in ended))
        families.add("retrain_approval_waiting", [name], float(name in waiting))


def _add_last_runs(families: Families, connection: Connection, names: list[str]) -> None:
    r, compared = t.runs.c, t.runs.c.details["comparison"]
    last = select(func.max(r.id)).where(r.ended_at.is_not(None)).group_by(r.model)
    query = select(
        r.model,
        r.started_at,
        r.ended_at,
        compared["gain"].as_float().label("gain"),
        compared["lower_bound"].as_float().label("lower_bound"),
    ).where(r.id.in_(last))
    runs = {row.model: row for row in connection.execute(query)}
    for name in names:
        run = runs.get(name)
        seconds = (run.ended_at - run.started_at).total_seconds() if run else None
        families.add("retrain_last_gain", [name], run.gain if run else None)
        families.add("retrain_last_gain_lower", [name], run.lower_bound if run else None)
        families.add("retrain_last_duration_seconds", [name], seconds)


def _add_probations(families: Families, connection: Connection, names: list[str]) -> None:
    p, a = probations.c, t.aliases.c
    last = select(func.max(p.id)).group_by(p.model)
    serves = and_(a.model == p.model, a.alias == CHAMPION)
    query = select(probations, a.version.label("champion")).join_from(probations, t.aliases, serves)
    found = {row.model: row for row in connection.execute(query.where(p.id.in_(last)))}
    for name in names:
        one = found.get(name)
        is_open = bool(one and one.ended_at is None and one.champion == one.version)
        families.add("probation_open", [name], float(is_open))
        families.add("probation_e_value", [name], one.e_value if one else None)
        families.add("probation_labelled_rows", [name], one.n_rows if one else None)
        families.add("probation_gain", [name], one.gain if one else None)


def _add_failed(families: Families, connection: Connection, names: list[str]) -> None:
    s = t.shadows.c
    counted = select(s.model, func.sum(s.n_failed)).group_by(s.model)
    n_failed = {model: n for model, n in connection.execute(counted)}  # noqa: C416
    for name in names:
        families.add("shadow_rows_failed", [name], float(n_failed.get(name, 0)))
