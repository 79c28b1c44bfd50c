"""Scored: rows of several requests as one version predicts them together."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from monitor.batch import (
    EVENT_AT,
    MODEL_VERSION,
    PREDICTION_ID,
    RECEIVED_AT,
    Batch,
    RowKind,
)
from retrain.live import Live, differences
from retrain.serving import Served

MAX_ERROR_LENGTH = 300


@dataclass(frozen=True)
class Scored:
    """Batches that a version has predicted together, or one that it could not.

    Parameters
    ----------
    served : Served
        The version.
    batches : sequence of Batch
        Rows that the champion answered.
    rows : pyarrow.Table, shape (n_rows, n_columns)
        The same, in one table.
    made : mapping of str to pyarrow.Array, or None
        Its predictions and what else is logged of them, by column, each of shape (n_rows,); None
        where it could not.
    error : str
        Why it could not.
    seconds : float
        What the predictions took.
    """

    served: Served
    batches: Sequence[Batch]
    rows: pa.Table
    made: Mapping[str, pa.Array] | None
    error: str = ""
    seconds: float = 0.0

    def shadows(self) -> list[Batch]:
        """Return its predictions as the log takes them, a batch for each.

        Without features: the row that it shadows has them. The request id has the version before
        it, so that of a request that is repeated each version's rows are stored once.
        """
        version = self.served.version
        rows = self.rows.select([PREDICTION_ID, EVENT_AT, RECEIVED_AT])
        versions = pa.array([version] * rows.num_rows, self.rows.schema.field(MODEL_VERSION).type)
        for name, values in {**(self.made or {}), MODEL_VERSION: versions}.items():
            rows = rows.append_column(name, values)
        ends = np.cumsum([one.n_rows for one in self.batches]).tolist()
        return [
            replace(
                one,
                kind=RowKind.SHADOW,
                request_id=f"{version}/{one.request_id}",
                table=rows,
                changes=(),
                start=end - one.n_rows,
                stop=end,
            )
            for one, end in zip(self.batches, ends, strict=True)
        ]

    def live(self, before: Live, logged: Sequence[bool]) -> Live:
        """Return what came of the batches that were logged now, and not before.

        Parameters
        ----------
        before : Live
            Who predicted beside whom, with nothing counted.
        logged : sequence of bool
            For each batch whether its shadow rows were added to the log.
        """
        if self.made is None:
            return replace(before, n_failed=self.rows.num_rows, error=self.error)
        kept = pa.array(np.repeat(logged, [one.n_rows for one in self.batches]))
        schema = self.served.schema
        answered = self.rows.column(schema.prediction).filter(kept)
        made = pa.chunked_array([self.made[schema.prediction]]).filter(kept)
        n_other, difference = differences(made, answered, schema.task)
        return replace(before, n_rows=len(made), n_other=n_other, difference=difference)


def scored(served: Served, batches: Sequence[Batch]) -> Iterator[Scored]:
    """Predict batches together; where that fails, in halves: what one brings is no other's fault.

    Parameters
    ----------
    served : Served
        Who predicts.
    batches : sequence of Batch
        Of one model, at least one.
    """
    started, found = time.perf_counter(), None
    rows = batches[0].rows
    try:
        rows = pa.concat_tables([one.rows for one in batches], promote_options="permissive")
        made = served.columns(rows)
        found = Scored(served, batches, rows, made, "", time.perf_counter() - started)
    except Exception as error:  # noqa: BLE001 - whatever a pipeline raises, it is counted and shown
        told = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:MAX_ERROR_LENGTH]
        if len(batches) == 1:
            found = Scored(served, batches, rows, None, told)
    if found is not None:
        yield found
        return
    half = len(batches) // 2
    yield from scored(served, batches[:half])
    yield from scored(served, batches[half:])
