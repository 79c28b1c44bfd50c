"""Labelled rows out of the reference file and the prediction log."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from monitor.batch import EVENT_AT, LABEL, MODEL_VERSION, TIMESTAMP
from monitor.body import Body
from monitor.columns import without_index
from monitor.errors import SchemaError
from monitor.fitting import Misfits, fit_column
from monitor.ports import Log, Store
from monitor.schema import Schema
from monitor.window import JudgedWindow


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
    kinds = schema.kinds()
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
    mature : mapping of str to float
        Share of labelled rows from which a window's labels are fair, by model: those that come
        early are not.
    """

    def __init__(
        self,
        log: Log,
        store: Store,
        references: Mapping[str, Path],
        schemas: Callable[[str], Schema],
        horizons: Mapping[str, timedelta],
        mature: Mapping[str, float],
    ) -> None:
        self._log = log
        self._store = store
        self._references = references
        self._schemas = schemas
        self._horizons = horizons
        self._mature = mature
        self._read: dict[tuple[str, str], tuple[int, pa.Table]] = {}

    def labelled(self, model: str, until: datetime) -> pa.Table:
        """Return labelled rows in time order, without windows that are broken or not mature.

        A window without a verdict is left out as well: nobody knows yet whether it is broken.
        """
        schema = self._schemas(model)
        names = [*schema.features, schema.prediction]
        judged = self._store.judged(model).values()
        usable = [one for one in judged if one.window.end <= until and self._is_sound(model, one)]
        parts = [
            labelled_reference(read_table(self._references[model]), schema),
            *(self._window(model, one, names) for one in usable),
        ]
        rows = pa.concat_tables(
            [part.filter(pc.is_valid(part.column(LABEL))) for part in parts],
            promote_options="permissive",
        )
        return rows.sort_by(EVENT_AT)

    def _is_sound(self, model: str, one: JudgedWindow) -> bool:
        return not one.incident and one.counts.maturity >= self._mature[model]

    def _window(self, model: str, one: JudgedWindow, names: Sequence[str]) -> pa.Table:
        """Read a window's labelled rows, again only when it has a new revision.

        The few labels that come without making one are learned from at the next restart.
        """
        known = self._read.get((model, one.window.key))
        if known is not None and known[0] == one.revision:
            return known[1]
        rows = self._log.read(model, one.window, names, horizon=self._horizons[model])
        labelled = rows.filter(pc.is_valid(rows.column(LABEL)))
        kept = labelled.select([*names, EVENT_AT, MODEL_VERSION, LABEL])
        self._read[model, one.window.key] = (one.revision, kept)
        return kept
