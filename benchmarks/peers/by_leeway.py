"""Leeway: from memory or from Parquet, with a prepared reference or without one.

Drift, and the share of missing, new and far-out values, which Leeway finds on the same way.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from measure import Case, Work, measure

from monitor.adapters.reference_files import open_reference, save_reference
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.quality import QualityPolicy
from monitor.checks.score import Check, Score
from monitor.columns import Columns, TableColumns
from monitor.reference import Reference, prepare
from monitor.schema import Kind, Schema, Task


class ParquetColumns:
    """Columns of a Parquet file, read one by one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._metadata = pq.read_metadata(path)
        self.n_rows = self._metadata.num_rows
        self.names: Sequence[str] = self._metadata.schema.names

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """Read one column, a row group at a time."""
        # opened anew for each column: several are read at the same time
        with pq.ParquetFile(self._path, metadata=self._metadata) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, columns=[name]).column(name).chunks


def stored(case: Case) -> Reference:
    """Prepare the reference and open it from where it is stored, as a server does."""
    folder = Path(tempfile.mkdtemp(dir=case.reference.parent))
    return open_reference(save_reference(prepared(case), folder), folder)


def prepared(case: Case) -> Reference:
    """Prepare the reference, read from its file."""
    kinds = dict.fromkeys(case.numeric, Kind.NUMERIC)
    kinds |= dict.fromkeys(case.categorical, Kind.CATEGORICAL)
    schema = Schema(Task.REGRESSION, kinds, "no such column")
    return prepare(ParquetColumns(case.reference), schema, performance={})


def compared(reference: Reference, current: Columns) -> list[Score]:
    """Score every column."""
    return column_scores(reference, current, DriftPolicy(), QualityPolicy())


def in_memory(case: Case) -> Work:
    """Compare a frame in memory with a prepared reference."""
    reference, current = stored(case), TableColumns(pq.read_table(case.current))
    return Work(lambda: compared(reference, current), values)


def current_from_parquet(case: Case) -> Work:
    """Compare a file with a prepared reference."""
    reference = stored(case)
    return Work(lambda: compared(reference, ParquetColumns(case.current)), values)


def both_from_parquet(case: Case) -> Work:
    """Compare two files, nothing prepared."""
    return Work(lambda: compared(prepared(case), ParquetColumns(case.current)), values)


def values(scores: list[Score]) -> Mapping[str, float]:
    """Read the drift; a column without a value is left out, and missed when scores are checked."""
    return {
        str(score.column): score.value
        for score in scores
        if score.check is Check.DRIFT and score.value is not None
    }


if __name__ == "__main__":
    measure({"memory": in_memory, "current": current_from_parquet, "both": both_from_parquet})
