"""Times: a raw column read as instants, for event times and for features that are dates."""

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import TIMESTAMP
from monitor.body import RawColumn, values_of
from monitor.inferred import is_date

TimeArray = npt.NDArray[np.datetime64]

EARLIEST, LATEST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59:59", "us")
"""Python knows no earlier and no later time."""

_ZONED = len("2013-07-01T15:00:00Z")


def parse_times(raw: RawColumn) -> TimeArray:
    """Parse times as UTC; what is not a time becomes NaT. Numbers are refused: which unit?

    Parameters
    ----------
    raw : sequence or Arrow column, shape (n_rows,)
        Timestamps, dates, or texts in ISO 8601; one without a zone is taken for UTC.

    Examples
    --------
    >>> parse_times(["2013-07-01", "2013-07-01T15:00+02:00", "soon", 7, None]).astype(str).tolist()
    ['2013-07-01T00:00:00.000000', '2013-07-01T13:00:00.000000', 'NaT', 'NaT', 'NaT']
    """
    if not isinstance(raw, list) and is_date(raw.type):
        return np.asarray(_plain(raw), dtype="datetime64[us]")
    values = values_of(raw)
    fast = _parse_zoned(values)
    if fast is not None:
        return fast
    # pandas takes "now" and "today" for times; a time begins with its year.
    texts = [
        v if isinstance(v, datetime) or (isinstance(v, str) and v.strip()[:1].isdigit()) else None
        for v in values
    ]
    parsed = pd.to_datetime(
        pd.Series(texts, dtype="object"), utc=True, errors="coerce", format="ISO8601"
    )
    return np.asarray(parsed.dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")


def _plain(column: pa.Array | pa.ChunkedArray) -> Any:
    cast = pc.cast(column, pa.timestamp("us"), safe=False)
    return cast.to_numpy() if isinstance(cast, pa.ChunkedArray) else np.asarray(cast)


def _parse_zoned(values: list[Any]) -> TimeArray | None:
    """Parse texts that all are full times with their zone, as programs write them."""
    if not all(type(value) is str and len(value) >= _ZONED for value in values):
        return None
    try:
        zoned = pa.array(values, pa.string()).cast(TIMESTAMP)
    except (pa.ArrowException, UnicodeEncodeError):
        return None
    return np.asarray(zoned.to_numpy(zero_copy_only=False))
