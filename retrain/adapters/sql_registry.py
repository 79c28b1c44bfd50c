"""The registry on a SQL database, with bundles in a folder beside it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from monitor.adapters.database import exclusive, insert_row, reading
from monitor.adapters.tables import requests
from monitor.errors import NotFoundError, NotPossibleError, SupersededError
from monitor.ports import Champion
from monitor.reference import Reference
from retrain.adapters import tables as t
from retrain.adapters.bundle_files import (
    MODEL_FILE,
    check_file,
    dump_model,
    load_bundle,
    load_reference,
    model_digest,
    save_bundle,
)
from retrain.adapters.challenger_rows import CHALLENGER, challenger, end_wait, let_out
from retrain.adapters.model_content import content_sha256
from retrain.adapters.move_rows import (
    CHAMPION,
    PREVIOUS,
    alias,
    last_move,
    probation_of,
    replaced_by,
    set_alias,
    used_until,
)
from retrain.adapters.news import NOBODY, Move, News
from retrain.adapters.run_rows import end_run, next_number
from retrain.bundle import TRUSTED_TYPES, Bundle
from retrain.record import Ended, RequestKind
from retrain.registered import ModelFile, Undone, Version


class SqlRegistry:
    """The `retrain.ports.Registry`, and the watch's `monitor.ports.References`.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A database whose migrations have been run.
    folder : Path
        Where bundles are kept.
    news : News
        Who is told of a move.
    trusted : frozenset of str
        Types that model files may hold beside skops' own.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        news: News = NOBODY,
        trusted: frozenset[str] = TRUSTED_TYPES,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._news = news
        self._trusted = trusted
        self._reference = lru_cache(maxsize=64)(self._load_reference)

    def register(self, bundle: Bundle, at: datetime) -> int:
        """Store a bundle and return its new number."""
        with self._engine.begin() as connection:
            exclusive(connection, "versions", bundle.model)
            number = next_number(connection, bundle.model)
            folder = self._folder / bundle.model / str(number)
            # A folder without a row is what a crash between the two left behind.
            shutil.rmtree(folder, ignore_errors=True)
            digest = save_bundle(bundle, folder)
            connection.execute(
                insert(t.versions).values(
                    model=bundle.model,
                    number=number,
                    created_at=at,
                    folder=str(folder.relative_to(self._folder)),
                    sha256=digest,
                    has_model=bundle.pipeline is not None,
                    trained_until=bundle.lineage.trained_until,
                    metrics={name: asdict(value) for name, value in bundle.gate.items()},
                    recipe=dict(bundle.recipe),
                    lineage=_json(asdict(bundle.lineage)),
                )
            )
        return number

    def promote(
        self,
        model: str,
        version: int,
        at: datetime,
        why: str,
        ended: Ended | None = None,
        over: int | None = None,
    ) -> None:
        """Make a version the champion, and the champion the predecessor, at once.

        The run that made it ends in the same moment: whatever kills its worker, both are on record
        or neither. With the champion that it was compared with, nobody
        else is replaced: who became champion in the meantime, by a rollback, was not beaten.
        """
        with self._engine.begin() as connection:
            exclusive(connection, "aliases", model)
            self._row(connection, model, version)
            champion = alias(connection, model, CHAMPION)
            if over is not None and champion != over:
                raise SupersededError(
                    f"version {champion} has become the champion of {model!r} meanwhile, and was "
                    f"not compared with version {version}"
                )
            if champion == version:
                raise NotPossibleError(f"version {version} of {model!r} is the champion already")
            if ended is not None and end_run(connection, ended, at) is None:
                raise NotPossibleError(
                    f"run {ended.run} was ended meanwhile: its worker was taken for dead"
                )
            self._move(connection, model, version, Move("promote", why, at))

    def roll_back(self, model: str, at: datetime, why: str, version: int | None = None) -> int:
        """Make a former version (by default the predecessor) champion again; return it."""
        with self._engine.begin() as connection:
            exclusive(connection, "aliases", model)
            return self._roll_back(connection, model, version, Move("roll_back", why, at))

    def roll_back_as_decided(self, at: datetime) -> list[Undone]:
        """Carry out the rollbacks that are asked for; each is done and off the list at once.

        One whose version does not serve any more is done already.
        """
        c, done = requests.c, list[Undone]()
        asked = select(requests).where(c.kind == RequestKind.ROLL_BACK, c.finished_at.is_(None))
        with reading(self._engine) as connection:
            waiting = connection.execute(asked.order_by(c.id)).mappings().all()
        for one in waiting:
            with self._engine.begin() as connection:
                exclusive(connection, "aliases", one["model"])
                finish = update(requests).where(c.id == one["id"], c.finished_at.is_(None))
                mine = connection.execute(finish.values(finished_at=at)).rowcount
                if mine and alias(connection, one["model"], CHAMPION) == one["version"]:
                    move = Move("roll_back", one["why"], at)
                    target = self._roll_back(connection, one["model"], None, move)
                    done.append(Undone(one["model"], one["version"], target, one["why"]))
        return done

    def used_until(self, model: str) -> datetime | None:
        """Return the event time up to which rows may not speak for a promotion any more."""
        champion = self.champion(model)
        with reading(self._engine) as connection:
            return used_until(connection, model, champion)

    def n_rollbacks(self, model: str) -> int:
        """Count the times that the champion was taken back."""
        c = t.moves.c
        counted = select(func.count()).where(c.model == model, c.kind == "roll_back")
        with reading(self._engine) as connection:
            return connection.execute(counted).scalar_one()

    def champion(self, model: str) -> int:
        """Return the champion's number; NotFoundError before the first version."""
        with reading(self._engine) as connection:
            champion = alias(connection, model, CHAMPION)
        if champion is None:
            raise NotFoundError("model", model)
        return champion

    def champions(self) -> Mapping[str, int]:
        """Return every model's champion, by its number."""
        query = select(t.aliases.c.model, t.aliases.c.version).where(t.aliases.c.alias == CHAMPION)
        with reading(self._engine) as connection:
            return {model: version for model, version in connection.execute(query)}  # noqa: C416

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return who is champion, who was before, and who stands against the champion."""
        a = t.aliases.c
        query = select(a.alias, a.version).where(a.model == model)
        with reading(self._engine) as connection:
            found = {alias: version for alias, version in connection.execute(query)}  # noqa: C416
            against, _ = challenger(connection, model, found.get(CHAMPION, 0))
        return {**found, **({CHALLENGER: against} if against is not None else {})}

    def load(self, model: str, version: int) -> Bundle:
        """Load a bundle; BundleRefusedError when it is not what was registered."""
        with reading(self._engine) as connection:
            row = self._row(connection, model, version)
        return load_bundle(self._folder / row["folder"], row["sha256"], self._trusted)

    def model_file(self, model: str, version: int) -> ModelFile:
        """Return the model file of a version; BundleRefusedError when it is not what was made."""
        with reading(self._engine) as connection:
            row = self._row(connection, model, version)
        folder = self._folder / row["folder"]
        digest = model_digest(folder, row["sha256"])
        if digest is None:
            raise NotFoundError("model file of version", str(version))
        path = folder / MODEL_FILE
        check_file(path, digest)
        return ModelFile(path, digest, row["sha256"], path.stat().st_size)

    def is_model_of(self, pipeline: Any, model: str, version: int) -> bool:
        """Tell whether a fitted pipeline is a version's model, bit for bit."""
        stored = self.model_file(model, version).path.read_bytes()
        return content_sha256(dump_model(pipeline)) == content_sha256(stored)

    def versions(self, model: str) -> Sequence[Version]:
        """Return every version, oldest first."""
        c = t.versions.c
        query = select(t.versions).where(c.model == model).order_by(c.number)
        with reading(self._engine) as connection:
            return [
                Version(
                    model=row["model"],
                    number=row["number"],
                    created_at=row["created_at"],
                    has_model=row["has_model"],
                    metrics=row["metrics"],
                    recipe=row["recipe"],
                    lineage=row["lineage"],
                )
                for row in connection.execute(query).mappings()
            ]

    def moves(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Return every promotion and rollback, oldest first."""
        query = select(t.moves).where(t.moves.c.model == model).order_by(t.moves.c.id)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def at(self, model: str, instant: datetime) -> Champion:
        """Return who was champion just before an instant, the first version before any other."""
        with reading(self._engine) as connection:
            move = last_move(connection, model, instant)
            row = self._row(connection, model, move["version"])
            probation = probation_of(connection, move)
            spent_until = used_until(connection, model, move["version"], instant)
            against = challenger(connection, model, move["version"])
        reference = self._reference(row["folder"], row["sha256"])
        return Champion(move["version"], reference, spent_until, probation, *against)

    def _load_reference(self, folder: str, digest: str) -> Reference:
        return load_reference(self._folder / folder, digest)

    def _roll_back(
        self, connection: Connection, model: str, version: int | None, move: Move
    ) -> int:
        champion = alias(connection, model, CHAMPION)
        if champion is None:
            raise NotFoundError("model", model)
        target = version if version is not None else alias(connection, model, PREVIOUS)
        if target is None or target == champion:
            raise NotPossibleError(f"{model!r} has no version to go back to")
        self._row(connection, model, target)
        self._move(connection, model, target, move)
        # The next one goes further back: never again to what has just been rolled back.
        set_alias(connection, model, PREVIOUS, replaced_by(connection, model, target))
        return target

    def _move(self, connection: Connection, model: str, version: int, move: Move) -> None:
        """Move the aliases, record the move, and write what others are told of it."""
        previous = alias(connection, model, CHAMPION)
        end_wait(connection, model, version, move)
        let_out(connection, model)  # its evidence is against another champion
        set_alias(connection, model, CHAMPION, version)
        if previous is not None:
            set_alias(connection, model, PREVIOUS, previous)
        moved = {"model": model, "version": version, "previous": previous}
        number = insert_row(connection, t.moves, **moved, **vars(move))
        if self._news.channels:
            row = self._row(connection, model, version)
            sha256 = model_digest(self._folder / row["folder"], row["sha256"])
            self._news.write(connection, {"id": number, **moved, "sha256": sha256}, move)

    def _row(self, connection: Connection, model: str, version: int) -> dict[str, Any]:
        c = t.versions.c
        query = select(t.versions).where(c.model == model, c.number == version)
        row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFoundError("version", f"{version} of {model}")
        return dict(row)


def _json(document: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in document.items()}
