"""Labelled rows out of the reference file and the prediction log."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from monitor.batch import EVENT_AT, LABEL, ROW, TIMESTAMP
from monitor.body import Body
from monitor.errors import SchemaError
from monitor.fitting import Misfits, fit_column
from monitor.ports import Log, Store
from monitor.schema import Schema
from monitor.window import JudgedWindow, Window

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
            return pa.csv.read_csv(path)
        return pa.parquet.read_table(path)
    except pa.ArrowException as error:
        raise SchemaError(f"{path}: neither Parquet nor CSV (by its ending): {error}") from error


def labelled_reference(table: pa.Table, schema: Schema) -> pa.Table:
    """Give reference rows the log's shape, so that both can be learned from together.

    Without a clock the rows get times long ago, in their order: before anything logged.
    """
    columns = {name: _fitted(table, name, schema) for name in schema.features}
    if schema.prediction in table.column_names:
        columns[schema.prediction] = _fitted(table, schema.prediction, schema)
    if schema.time is not None:
        times = table.column(schema.time)
        if pa.types.is_string(times.type):
            raise SchemaError(f"time column {schema.time!r} is text; store it as timestamps")
        columns[EVENT_AT] = pc.cast(times, pa.timestamp("us", times.type.tz), safe=False).cast(
            TIMESTAMP
        )
    else:
        columns[EVENT_AT] = pa.array(np.arange(table.num_rows), pa.int64()).cast(TIMESTAMP)
    columns[LABEL] = _fitted(table, schema.target, schema)
    return pa.table(columns)


def _fitted(table: pa.Table, name: str, schema: Schema) -> pa.Array | pa.ChunkedArray:
    body = Body({name: table.column(name)}, table.num_rows)
    return fit_column(body, name, schema.kinds()[name], schema, Misfits())


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
    horizon : mapping of str to timedelta
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

    def labelled(self, model: str, until: datetime) -> pa.Table:
        """Return labelled rows in time order, windows with an incident left out.

        A window without a verdict is left out as well: nobody knows yet whether it is broken.
        """
        schema = self._schemas(model)
        first = labelled_reference(read_table(self._references[model]), schema)
        names = [*schema.features, schema.prediction]
        logged = self._log.read(
            model, Window(LONG_AGO, until), names, horizon=self._horizons[model]
        )
        judged = self._store.judged(model).values()
        rows = logged.filter(_usable(logged, [one for one in judged if not one.incident]))
        both = pa.concat_tables(
            [first, rows.select([*names, EVENT_AT, LABEL])], promote_options="permissive"
        )
        return both.filter(pc.is_valid(both.column(LABEL))).sort_by(EVENT_AT)


def _usable(rows: pa.Table, windows: list[JudgedWindow]) -> pa.Array:
    """Mark the rows that lie in one of the windows."""
    mask = np.zeros(rows.num_rows, dtype=bool)
    times = rows.column(EVENT_AT).to_numpy()
    numbers_given = rows.column(ROW).to_numpy()
    for one in windows:
        if one.window.rows is not None:
            mask |= (numbers_given >= one.window.rows[0]) & (numbers_given < one.window.rows[1])
        else:
            start, end = (np.datetime64(t.replace(tzinfo=None), "us") for t in _ends(one.window))
            mask |= (times >= start) & (times < end)
    return pa.array(mask)


def _ends(window: Window) -> tuple[datetime, datetime]:
    return window.start.astimezone(UTC), window.end.astimezone(UTC)
