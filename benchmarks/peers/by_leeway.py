"""Leeway: from memory or from Parquet, with a prepared reference or without one.

Drift, and the share of missing, new and far-out values, which Leeway finds on the same way.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
from measure import Case, Work, measure

from leeway.comparison.unprepared import UnpreparedColumns
from monitor.adapters.column_files import open_columns
from monitor.adapters.reference_files import open_reference, save_reference
from monitor.checks.columns import column_scores
from monitor.checks.drift import DriftPolicy
from monitor.checks.quality import QualityPolicy
from monitor.checks.score import Check, Score
from monitor.columns import Columns, TableColumns
from monitor.reference import Reference
from monitor.schema import Kind, Schema, Task


def kinds(case: Case) -> Mapping[str, Kind]:
    """Return how each column is compared."""
    numeric = dict.fromkeys(case.numeric, Kind.NUMERIC)
    return {**numeric, **dict.fromkeys(case.categorical, Kind.CATEGORICAL)}


def read_when_asked(case: Case, rows: Columns) -> Reference:
    """Return a reference whose columns are prepared one by one, as `leeway compare` does."""
    schema = Schema(Task.REGRESSION, kinds(case), "no such column")
    return Reference(schema, UnpreparedColumns(rows, kinds(case)), {}, rows.n_rows)


def stored(case: Case) -> Reference:
    """Prepare the reference and open it from where it is stored, as a server does."""
    folder = Path(tempfile.mkdtemp(dir=case.reference.parent))
    with open_columns(case.reference) as rows:
        return open_reference(save_reference(read_when_asked(case, rows), folder), folder)


def in_memory(case: Case) -> Work:
    """Compare a frame in memory with a prepared reference."""
    reference, current = stored(case), TableColumns(pq.read_table(case.current))
    return Work(lambda: column_scores(reference, current, DriftPolicy(), QualityPolicy()), values)


def current_from_parquet(case: Case) -> Work:
    """Compare a file with a prepared reference."""
    reference = stored(case)

    def work() -> list[Score]:
        with open_columns(case.current) as current:
            return column_scores(reference, current, DriftPolicy(), QualityPolicy())

    return Work(work, values)


def both_from_parquet(case: Case) -> Work:
    """Compare two files, nothing prepared."""

    def work() -> list[Score]:
        with open_columns(case.reference) as rows, open_columns(case.current) as current:
            reference = read_when_asked(case, rows)
            return column_scores(
                reference, current, DriftPolicy(), QualityPolicy(), columns_at_once=1
            )

    return Work(work, values)


def values(scores: list[Score]) -> Mapping[str, float]:
    """Read the drift; a column without a value is left out, and missed when scores are checked."""
    return {
        str(score.column): score.value
        for score in scores
        if score.check is Check.DRIFT and score.value is not None
    }


if __name__ == "__main__":
    measure({"memory": in_memory, "current": current_from_parquet, "both": both_from_parquet})
