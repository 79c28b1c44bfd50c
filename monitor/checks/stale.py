"""Stale: rows that have been there before, and a clock that stands still."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import EVENT_AT
from monitor.checks.onset import BoolArray
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import TableColumns
from monitor.duplicates import known_ratio
from monitor.reference import Reference

STALE = "stale"
"""Method of the score of rows that the window before had already."""

STILL = "still"
"""Method of the score of rows at one and the same time."""

JUMP = 0.25
"""Rise of either share over what is usual from which on the feed is stale."""

BATCHED = 0.1
"""Where one time has so many rows anyway they come in batches, of which one may be large."""


def stale_scores(
    rows: pa.Table,
    before: pa.Table | None,
    reference: Reference,
    *,
    gaps: Collection[str] = (),
) -> list[Score]:
    """Score how many rows are not new: by their features, and by their event time.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        The window's, with ``_event_at``.
    before : pyarrow.Table or None
        Those of the newest window before it that was clean; without one nothing is known.
    reference : Reference
        The champion's. Its rows repeat themselves more than two windows do, for it is longer.
    gaps : collection of str
        Columns that have lost values: rows without them look alike.
    """
    if before is None or not rows.num_rows or not before.num_rows:
        return []
    features = reference.schema.features
    known = known_ratio(TableColumns(rows), TableColumns(before), features, gaps=gaps)
    usual, now = float(at_one_time(before).mean()), at_one_time(rows)
    at = rows.column(EVENT_AT)[int(now.argmax())].as_py()
    spread = usual if usual < BATCHED else None
    return [
        _score(STALE, known, reference.repeated_ratio, rows.num_rows, ""),
        _score(STILL, float(now.mean()), spread, rows.num_rows, f"{at:%Y-%m-%d %H:%M:%S} UTC"),
    ]


def at_one_time(rows: pa.Table) -> BoolArray:
    """Tell which rows are of the time that most have.

    Parameters
    ----------
    rows : pyarrow.Table, at least one row
        With ``_event_at``.

    Returns
    -------
    ndarray of bool, shape (n_rows,)

    Examples
    --------
    >>> times = pa.array([0, 7, 7, 9], pa.timestamp("us", "UTC"))
    >>> at_one_time(pa.table({EVENT_AT: times})).tolist()
    [False, True, True, False]
    """
    codes = np.asarray(pc.dictionary_encode(rows.column(EVENT_AT).combine_chunks()).indices)
    return np.asarray(codes == np.bincount(codes).argmax(), dtype=np.bool_)


def _score(
    method: str, value: float | None, usual: float | None, n_rows: int, detail: str
) -> Score:
    return Score(
        check=Check.QUALITY,
        column=None,
        method=method,
        value=value,
        threshold=None if usual is None else usual + JUMP,
        breach_when=BreachWhen.ABOVE,
        n_reference=0,
        n_current=n_rows,
        reference_value=usual,
        detail=detail,
    )
