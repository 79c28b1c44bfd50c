"""History: what the store has recorded, as people and metrics read it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select

from monitor.action import Action
from monitor.adapters import tables as t
from monitor.adapters.database import reading
from monitor.adapters.estimate_rows import read_records
from monitor.adapters.found_rows import NOTHING_FOUND, read_found
from monitor.alert import AlertChange
from monitor.errors import NotFoundError
from monitor.track_record import TrackRecord

Document = dict[str, Any]


class History:
    """Reads of the state database; each method sees one snapshot.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def models(self) -> Sequence[Document]:
        """Return every model with its newest windows' state."""
        with reading(self._engine) as connection:
            names = connection.execute(select(t.models.c.name).order_by(t.models.c.name))
            return [_model(connection, name) for name in names.scalars().all()]

    def model(self, name: str) -> Document:
        """Return one model; NotFoundError when it is not registered."""
        with reading(self._engine) as connection:
            return _model(connection, name)

    def windows(self, model: str) -> Sequence[Document]:
        """Return the latest revision of each window of a model, oldest first.

        What was decided is taken from the latest revision that set something going, else from the
        latest that held: late labels undo neither.
        """
        with reading(self._engine) as connection:
            _model_row(connection, model)
            rows = connection.execute(_latest(model)).mappings().all()
            found = read_found(connection, [row["id"] for row in rows])
            acted = _acted(connection, model)
            return [
                {**_window(row, index, found), **acted.get(row["window_key"], {})}
                for index, row in enumerate(rows)
            ]

    def track_record(self, model: str) -> TrackRecord | None:
        """Return how good a model's estimates were; None while there is nothing to compare."""
        with reading(self._engine) as connection:
            _model_row(connection, model)
            return read_records(connection, [model]).get(model)

    def track_records(self, models: Collection[str]) -> Mapping[str, TrackRecord]:
        """Return how good estimates were, of those models that have anything to compare."""
        with reading(self._engine) as connection:
            return read_records(connection, models)

    def decisions(self, model: str) -> Mapping[str, Sequence[Document]]:
        """Return what each revision of each window decided, by window, oldest first."""
        with reading(self._engine) as connection:
            _model_row(connection, model)
            found: dict[str, list[Document]] = {}
            for row in connection.execute(_decisions(model).order_by(t.revisions.c.id)).mappings():
                found.setdefault(row["window_key"], []).append(dict(row))
            return found

    def window(self, model: str, key: str) -> Document:
        """Return one window with all its revisions and the scores of the latest."""
        with reading(self._engine) as connection:
            _model_row(connection, model)
            keys = [row["window_key"] for row in connection.execute(_latest(model)).mappings()]
            if key not in keys:
                raise NotFoundError("window", f"{key} of {model}")
            r = t.revisions.c
            query = select(t.revisions).where(r.model == model, r.window_key == key)
            found = connection.execute(query.order_by(r.revision)).mappings().all()
            latest = _latest(model).where(t.revisions.c.window_key == key)
            row = connection.execute(latest).mappings().one()
            document = _window(row, keys.index(key), read_found(connection, [row["id"]]))
            document |= _acted(connection, model).get(key, {})
            document["scores"] = _scores(connection, row["id"])
            document["revisions"] = [_revision(one) for one in found]
            return document

    def alerts(self, model: str) -> Sequence[Document]:
        """Return every alert of a model, oldest first."""
        query = select(t.alerts).where(t.alerts.c.model == model).order_by(t.alerts.c.id)
        with reading(self._engine) as connection:
            _model_row(connection, model)
            return [dict(row) for row in connection.execute(query).mappings()]

    def probations(self, model: str) -> Sequence[Document]:
        """Return every probation of a model that a window was judged in, oldest first."""
        c = t.probations.c
        query = select(t.probations).where(c.model == model).order_by(c.id)
        with reading(self._engine) as connection:
            _model_row(connection, model)
            return [dict(row) for row in connection.execute(query).mappings()]

    def refusals_by_model(self) -> Mapping[str, Mapping[str, int]]:
        """Return rows refused, by model and reason."""
        c = t.refusals.c
        query = select(c.model, c.reason, func.sum(c.n_rows)).group_by(c.model, c.reason)
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            for model, reason, n_rows in connection.execute(query):
                found.setdefault(model, {})[reason] = n_rows
        return found

    def retractions_by_model(self) -> Mapping[str, Mapping[str, int]]:
        """Count the alerts that late rows or labels have taken back, by model and check."""
        a = t.alerts.c
        taken_back = a.ended_how == AlertChange.RETRACTED
        query = select(a.model, a.check, func.count()).where(taken_back)
        found: dict[str, dict[str, int]] = {}
        with reading(self._engine) as connection:
            for model, check, n_alerts in connection.execute(query.group_by(a.model, a.check)):
                found.setdefault(model, {})[check] = n_alerts
        return found

    def deliveries(self) -> Mapping[tuple[str, str], int]:
        """Count attempts to deliver by channel and outcome: delivered or failed."""
        o = t.outbox.c
        taken = select(o.channel, func.count(o.delivered_at), func.sum(o.attempts))
        with reading(self._engine) as connection:
            counted: dict[tuple[str, str], int] = {}
            for channel, n_taken, n_attempts in connection.execute(taken.group_by(o.channel)):
                counted[channel, "delivered"] = n_taken
                counted[channel, "failed"] = (n_attempts or 0) - n_taken
            return counted

    def waiting(self) -> Mapping[str, int]:
        """Count the messages that each channel has not taken yet."""
        o = t.outbox.c
        open_ones = func.count(o.id) - func.count(o.delivered_at)
        query = select(o.channel, open_ones).group_by(o.channel)
        with reading(self._engine) as connection:
            return {channel: n for channel, n in connection.execute(query)}  # noqa: C416

    def cycle_seconds(self) -> Sequence[tuple[float, int, float]]:
        """Return the cycle durations: upper bound, cycles, and their seconds in all."""
        c = t.cycle_seconds.c
        with reading(self._engine) as connection:
            rows = connection.execute(select(c.le, c.n, c.seconds).order_by(c.le))
            return [(le, n, seconds) for le, n, seconds in rows]


def _latest(model: str) -> Any:
    r, w = t.revisions.c, t.windows.c
    joined = t.revisions.join(
        t.windows,
        (r.model == w.model) & (r.window_key == w.key) & (r.revision == w.revision),
    )
    columns = (*t.revisions.c, w.start_at, w.end_at, w.first_row, w.n_repeated)
    return select(*columns).select_from(joined).where(r.model == model).order_by(w.start_at, r.id)


def _model_row(connection: Connection, name: str) -> Document:
    row = connection.execute(select(t.models).where(t.models.c.name == name)).mappings().first()
    if row is None:
        raise NotFoundError("model", name)
    return dict(row)


def _model(connection: Connection, name: str) -> Document:
    row = _model_row(connection, name)
    newest = connection.execute(
        _latest(name).order_by(None).order_by(t.windows.c.start_at.desc()).limit(1)
    )
    window = newest.mappings().first()
    a = t.alerts.c
    query = select(t.alerts).where(a.model == name, a.ended_at.is_(None)).order_by(a.id)
    return {
        "model": name,
        "registered_at": row["registered_at"],
        "paused": row["paused"],
        "last_success_at": row["last_success_at"],
        "error": row["last_error"] or _collection_error(connection, name),
        "window": _window(window, None, {}) if window else None,
        "alerts": [dict(alert) for alert in connection.execute(query).mappings()],
    }


def _collection_error(connection: Connection, name: str) -> str | None:
    c = t.collections.c
    return connection.execute(select(c.error).where(c.model == name)).scalar()


def _acted(connection: Connection, model: str) -> dict[str, Document]:
    """Return, by window, the decision of the latest revision that set something going, or held."""
    r = t.revisions.c
    query = _decisions(model).where(r.action != Action.NONE)
    newest_last = query.order_by(r.action != Action.HOLD, r.id)
    return {
        row["window_key"]: {name: row[name] for name in ("decision", "reason", "sentence")}
        for row in connection.execute(newest_last).mappings()
    }


def _decisions(model: str) -> Select[Any]:
    r = t.revisions.c
    decided = (r.action.label("decision"), r.reason, r.sentence)
    return select(r.window_key, r.revision, *decided).where(r.model == model)


def _window(row: RowMapping, index: int | None, found: Mapping[int, Document]) -> Document:
    return {
        "id": row["window_key"],
        "index": index,
        "start": row["start_at"],
        "end": row["end_at"],
        "n_repeated": row["n_repeated"],
        **found.get(row["id"], NOTHING_FOUND),
        **_revision(row),
    }


def _revision(row: RowMapping) -> Document:
    kept = (
        "revision", "judged_at", "champion", "n_rows", "n_labels", "status", "checks",
        "share_drifted", "provisional", "diagnosis", "diagnosis_sentence", "findings", "change",
        "reason", "sentence",
    )  # fmt: skip
    return {**{name: row[name] for name in kept}, "decision": row["action"]}


def _scores(connection: Connection, revision: int, check: str | None = None) -> list[Document]:
    s = t.scores.c
    query = select(t.scores).where(s.revision_id == revision)
    if check is not None:
        query = query.where(s.check == check)
    return [
        {("score" if key == "value" else key): value for key, value in row.items()}
        for row in connection.execute(query).mappings()
    ]
