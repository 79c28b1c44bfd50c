"""Drift report: Evidently's own HTML page about some of the compared columns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leeway.comparison.comparison import Comparison
from leeway.comparison.text import by_excess
from monitor.alignment import align
from monitor.checks.evidently import drift_page
from monitor.checks.score import Check
from monitor.columns import Columns, numbers, texts
from monitor.errors import NotPossibleError
from monitor.pairing import TypedColumns, listed
from monitor.schema import Kind

MAX_ROWS = 50_000
"""Rows of each side that are drawn: Evidently puts its histograms' data into the page."""

MAX_COLUMNS = 50
"""Columns in one page; Evidently takes about half a second for each."""

CLOSEST = 5
"""Columns that are shown when none has drifted."""

SEED = 0


@dataclass(frozen=True)
class DriftReport:
    """The page, and a sentence on what is in it."""

    html: str
    sentence: str


def render_report(
    found: Comparison, reference: TypedColumns, current: TypedColumns, *, every_column: bool
) -> DriftReport:
    """Render the page of the drifted columns, or of every column that was compared.

    Parameters
    ----------
    found : Comparison
        What was found.
    reference, current : TypedColumns
        Both sides, still open.
    every_column : bool
        True when a person has named the columns.

    Raises
    ------
    NotPossibleError
        If no column has values on both sides.
    """
    kinds, about = _chosen(found, every_column=every_column)
    before = _sample(align(reference, current, kinds), kinds)
    after = _sample(align(current, reference, kinds), kinds)
    kinds = {n: k for n, k in kinds.items() if before[n].notna().any() and after[n].notna().any()}
    if not kinds:
        raise NotPossibleError("there is no page to write: no column could be compared")
    names = list(kinds)
    try:
        html = drift_page(reference=before[names], current=after[names], kinds=kinds)
    except Exception as error:
        reason = f"Evidently could not draw it: {type(error).__name__}: {error}"
        raise NotPossibleError(f"there is no page to write: {reason}") from error
    rows = ""
    if max(reference.n_rows, current.n_rows) > MAX_ROWS:
        rows = f"; drawn from {MAX_ROWS:,} random rows a side, so its scores differ a little"
    return DriftReport(html, f"{about}: {listed(names)}{rows}")


def _chosen(found: Comparison, *, every_column: bool) -> tuple[dict[str, Kind], str]:
    scores = [score for score in by_excess(found) if score.value is not None]
    breached = found.verdict.breached(Check.DRIFT)
    if every_column:
        about, shown = "the columns asked for", scores
    elif breached:
        about, shown = "the drifted columns", breached
    else:
        about, shown = "no column has drifted, so those closest to it", scores[:CLOSEST]
    if len(shown) > MAX_COLUMNS:
        about, shown = f"the first {MAX_COLUMNS} of {about}", shown[:MAX_COLUMNS]
    return {str(score.column): score.kind for score in shown if score.kind}, about


def _sample(columns: Columns, kinds: Mapping[str, Kind]) -> pd.DataFrame:
    n_rows = min(MAX_ROWS, columns.n_rows)
    draw = np.random.default_rng(SEED)
    rows = np.sort(draw.choice(columns.n_rows, n_rows, replace=False))
    return pd.DataFrame({name: _take(columns, name, kind, rows) for name, kind in kinds.items()})


def _take(columns: Columns, name: str, kind: Kind, rows: np.ndarray) -> pd.Series:
    start = 0
    taken = []
    for chunk in columns.chunks(name):
        first, end = np.searchsorted(rows, (start, start + len(chunk)))
        piece = chunk.take(rows[first:end] - start)
        taken.append(numbers(piece) if kind is Kind.NUMERIC else np.asarray(texts(piece), object))
        start += len(chunk)
    return pd.Series(np.concatenate(taken))
