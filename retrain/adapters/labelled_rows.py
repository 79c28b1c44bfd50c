"""Labelled rows out of the reference file and the prediction log."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from monitor.batch import EVENT_AT, LABEL, MODEL_VERSION, RECEIVED_AT, TIMESTAMP
from monitor.body import Body
from monitor.columns import without_index
from monitor.errors import NotPossibleError, SchemaError
from monitor.fitting import Misfits, fit_column
from monitor.ports import Log, Store
from monitor.schema import Schema
from monitor.window import JudgedWindow, Window
from retrain.adapters.bundle_files import sha256_of
from retrain.collected import Collected, Part

_INSTANT = timedelta(microseconds=1)


def read_table(path: Path) -> pa.Table:
    """Read a Parquet or CSV file.

    Raises
    ------
    SchemaError
        If there is no such file, or it is neither.
    """
    if not path.is_file():
        raise SchemaError(f"{path}: there is no such file")
    try:
        if path.suffix.lower() == ".csv":
            # An empty cell is a missing value here as it is in a request's body.
            options = pa.csv.ConvertOptions(strings_can_be_null=True)
            return pa.csv.read_csv(path, convert_options=options)
        return without_index(pa.parquet.read_table(path))
    except pa.ArrowException as error:
        raise SchemaError(f"{path}: neither Parquet nor CSV (by its ending): {error}") from error


def labelled_reference(table: pa.Table, schema: Schema) -> pa.Table:
    """Give reference rows the log's shape, so that both can be learned from together.

    Without a clock the rows get times long ago, in their order: before anything logged.
    """
    body = Body({name: table.column(name) for name in table.column_names}, table.num_rows)
    kinds = {**schema.features, **schema.kinds()}
    # A reference without predictions has nulls there, as every column that is missing.
    columns = {n: fit_column(body, n, kind, schema, Misfits()) for n, kind in kinds.items()}
    columns[LABEL] = columns.pop(schema.target)
    if schema.time is not None:
        times = table.column(schema.time)
        if pa.types.is_string(times.type):
            raise SchemaError(f"time column {schema.time!r} is text; store it as timestamps")
        columns[EVENT_AT] = pc.cast(times, pa.timestamp("us", times.type.tz), safe=False).cast(
            TIMESTAMP
        )
    else:
        columns[EVENT_AT] = pa.array(np.arange(table.num_rows), pa.int64()).cast(TIMESTAMP)
    return pa.table(columns)


class LabelledRows:
    """The `retrain.ports.Rows` of one deployment.

    Parameters
    ----------
    log : Log
        The prediction log.
    store : Store
        Which windows are judged, and which are incidents.
    references : mapping of str to Path
        Reference file by model.
    schemas : callable
        Schema by model name.
    horizons : mapping of str to timedelta
        How long labels are waited for, by model.
    """

    def __init__(
        self,
        log: Log,
        store: Store,
        references: Mapping[str, Path],
        schemas: Callable[[str], Schema],
        horizons: Mapping[str, timedelta],
    ) -> None:
        self._log = log
        self._store = store
        self._references = references
        self._schemas = schemas
        self._horizons = horizons
        self._read: dict[tuple[str, str], tuple[int, Part, pa.Table]] = {}

    def labelled(self, model: str, until: datetime) -> Collected:
        """Return labelled rows in time order, without windows that are broken or not mature.

        A window without a verdict is left out as well: nobody knows yet whether it is broken.
        """
        judged = self._store.judged(model).values()
        usable = [one for one in judged if one.window.end <= until and _is_sound(one)]
        found = [self._reference(model), *(self._window(model, one, until) for one in usable)]
        rows = _together([table for _, table in found])
        return Collected(rows, tuple(part for part, _ in found))

    def again(self, model: str, parts: Sequence[Part]) -> pa.Table:
        """Return the rows of these parts as they were; NotPossibleError when they are not.

        What has come since is left out by the time it was received. What retention has dropped
        since is gone.
        """
        judged = {one.window.key: one.window for one in self._store.judged(model).values()}
        found = []
        for part in parts:
            if part.as_of is None:
                now, table = self._reference(model)
            elif part.name in judged:
                now, table = self._taken(model, judged[part.name], part.as_of)
            else:
                raise NotPossibleError(f"window {part.name} of {model!r} is not known any more")
            if now != part:
                raise NotPossibleError(
                    f"{part.name} is not what it was: {part.n_rows} labelled rows were taken from "
                    f"it, and now they would be {now.n_rows}, or others"
                )
            found.append(table)
        return _together(found)

    def _reference(self, model: str) -> tuple[Part, pa.Table]:
        path = self._references[model]
        rows = _with_label(labelled_reference(read_table(path), self._schemas(model)))
        return Part(path.name, rows.num_rows, sha256_of(path)), rows

    def _window(self, model: str, one: JudgedWindow, now: datetime) -> tuple[Part, pa.Table]:
        """Read a window's labelled rows, again only when it has a new revision.

        The few labels that come without making one are learned from at the next restart.
        """
        known = self._read.get((model, one.window.key))
        if known is not None and known[0] == one.revision:
            return known[1], known[2]
        part, rows = self._taken(model, one.window, now)
        self._read[model, one.window.key] = (one.revision, part, rows)
        return part, rows

    def _taken(self, model: str, window: Window, as_of: datetime) -> tuple[Part, pa.Table]:
        """Read a window's labelled rows as they were at an instant."""
        schema = self._schemas(model)
        names = [*schema.features, schema.prediction]
        # Labels count that were received before the window's end and a horizon.
        horizon = min(self._horizons[model], as_of - window.end + _INSTANT)
        rows = self._log.read(model, window, names, horizon=horizon)
        rows = _with_label(rows.filter(pc.field(RECEIVED_AT) <= pa.scalar(as_of, TIMESTAMP)))
        rows = rows.select([*names, EVENT_AT, MODEL_VERSION, LABEL])
        hashed = pd.util.hash_pandas_object(rows.to_pandas(), index=False).to_numpy()
        digest = hashlib.sha256(hashed.tobytes()).hexdigest()
        return Part(window.key, rows.num_rows, digest, as_of), rows


def _with_label(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.is_valid(rows.column(LABEL)))


def _together(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive").sort_by(EVENT_AT)


def _is_sound(one: JudgedWindow) -> bool:
    """Tell windows whose labels are fair: those that come early are not."""
    return not one.incident and not one.provisional
