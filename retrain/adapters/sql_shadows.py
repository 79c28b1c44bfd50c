"""Who predicts beside the champions, and what came of it, on a SQL database."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, Engine, Select, select

from monitor.adapters.database import excluded, exclusive, put_rows, reading
from monitor.adapters.probation_rows import read_trial
from retrain.adapters import tables as t
from retrain.adapters.challenger_rows import challenger
from retrain.adapters.move_rows import last_move, probation_of
from retrain.live import Beside, Live

_KEY = ("version", "champion")
_COUNTED = tuple(one.name for one in fields(Live) if one.name not in _KEY)


class SqlShadows:
    """Versions that predict live rows and do not serve, on SQLAlchemy Core.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def beside(self, model: str) -> Beside | None:
        """Return who predicts beside the champion; None where nobody does.

        The predecessor while the champion is on probation, and who stands against it: in the gate,
        or past it and waiting for a person. NotFoundError before the first version.
        """
        with reading(self._engine) as connection:
            move = last_move(connection, model)
            if not _can_predict(connection, model, move["version"]):
                return None  # its predictions are made elsewhere
            probation = probation_of(connection, move)
            on_trial = probation is not None and read_trial(connection, probation) is not None
            stands, _ = challenger(connection, model, move["version"])
        predecessor = probation.predecessor if probation is not None and on_trial else None
        found = Beside(move["version"], predecessor, stands)
        return found if found.versions else None

    def note(self, model: str, live: Live) -> None:
        """Add what came of rows to what is known of the version."""
        with self._engine.begin() as connection:
            exclusive(connection, "shadows", model)
            known = _known(connection, model, live.version, live.champion)
            row = {"model": model, **asdict(known.plus(live) if known else live)}
            change = {name: excluded(t.shadows, name) for name in _COUNTED}
            put_rows(connection, t.shadows, [row], change)

    def of(self, model: str, version: int, champion: int) -> Live | None:
        """Return what came of a version's predictions beside a champion; None before any."""
        with reading(self._engine) as connection:
            return _known(connection, model, version, champion)

    def all(self, model: str) -> Sequence[Live]:
        """Return what came of every version's predictions, in the order of their numbers."""
        s = t.shadows.c
        query = _records().where(s.model == model).order_by(s.version, s.champion)
        with reading(self._engine) as connection:
            return [Live(**row) for row in connection.execute(query).mappings()]


def _records() -> Select[Any]:
    return select(*(t.shadows.c[one.name] for one in fields(Live)))


def _known(connection: Connection, model: str, version: int, champion: int) -> Live | None:
    s = t.shadows.c
    mine = _records().where(s.model == model, s.version == version, s.champion == champion)
    row = connection.execute(mine).mappings().first()
    return None if row is None else Live(**row)


def _can_predict(connection: Connection, model: str, version: int) -> bool:
    v = t.versions.c
    query = select(v.has_model).where(v.model == model, v.number == version)
    return bool(connection.execute(query).scalar())
