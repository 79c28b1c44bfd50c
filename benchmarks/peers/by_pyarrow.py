"""Reading alone: the columns of a Parquet file one after another, nothing done with them."""

from pathlib import Path

import pyarrow.parquet as pq
from measure import Case, Work, measure


def read(path: Path) -> None:
    """Read every column and let go of it."""
    file = pq.ParquetFile(path)
    for name in file.schema_arrow.names:
        file.read(columns=[name])


def read_current(case: Case) -> Work:
    """Read the current file."""
    return Work(lambda: read(case.current), nothing)


def read_both(case: Case) -> Work:
    """Read both files."""
    return Work(lambda: (read(case.reference), read(case.current)), nothing)


def nothing(_: object) -> dict[str, float]:
    """Return no scores: reading gives none."""
    return {}


if __name__ == "__main__":
    measure({"current": read_current, "both": read_both})
