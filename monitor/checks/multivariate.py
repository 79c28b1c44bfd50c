"""Multivariate: whether columns come together otherwise than before, though none may have moved."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from monitor.checks.estimate import SEED
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import TableColumns
from monitor.dependence import MOST_ASKED, Apart, apart
from monitor.reference import Reference
from monitor.sample import encode

METHOD = "domain_classifier"

ATTRIBUTION = "permutation_drop"
"""Method of a column's part: by how much ROC AUC falls when nothing comes together with it."""

N_NAMED = 3
"""Columns that are named."""


def multivariate_scores(rows: pa.Table, reference: Reference) -> list[Score]:
    """Score how well a window's rows are told from the reference's by what comes together.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        As `monitor.ports.Log.read` gives them.
    reference : Reference
        The champion's.

    Returns
    -------
    list of Score
        The first is of no column. It has no value where nothing can be compared, and says why; a
        crash is a failed score. Beyond its limit one of each column follows, `ATTRIBUTION`, which
        has no limit, the greatest first.
    """
    plain = Score(
        check=Check.MULTIVARIATE,
        column=None,
        method=METHOD,
        value=None,
        threshold=None,
        breach_when=BreachWhen.ABOVE,
        n_reference=0,
        n_current=rows.num_rows,
    )
    try:
        against = _against(rows, reference)
        return [replace(plain, detail=against)] if against else _compared(plain, rows, reference)
    except Exception as error:  # noqa: BLE001 - the other checks must not be lost with this one
        why = f"columns could not be compared together: {type(error).__name__}: {error}"
        return [replace(plain, detail=why, failed=True)]


def _against(rows: pa.Table, reference: Reference) -> str:
    """Say why nothing can be compared; empty where nothing is against it."""
    if reference.sample is None:
        return "this version's reference keeps no labelled rows to compare together"
    if reference.dependence is None:
        return "this version's reference has no columns that could be compared together"
    against = reference.other_windows or reference.dependence.against()
    if against:
        return f"uncalibrated: {against}"
    # The fewer rows, the less they are told apart: with some less a change is only found later.
    needed = reference.dependence.n_rows // 2
    return f"{rows.num_rows} rows came, {needed} are needed" if rows.num_rows < needed else ""


def _compared(plain: Score, rows: pa.Table, reference: Reference) -> list[Score]:
    sample, usual = reference.sample, reference.dependence
    assert sample is not None
    assert usual is not None
    names = [name for name in sample.levels if name != reference.schema.prediction]
    levels = {name: sample.levels[name] for name in names}
    drawn = np.random.default_rng(SEED).permutation(rows.num_rows)[: usual.n_rows]
    kept = sample.features[:, [list(sample.levels).index(name) for name in names]]
    current = encode(TableColumns(rows), levels, np.sort(drawn))
    found = apart(reference=kept, current=current)
    auc = found.auc
    whole = replace(
        plain,
        value=auc,
        threshold=usual.limit,
        reference_value=usual.usual,
        n_reference=len(found.rows) - drawn.size,
        n_current=drawn.size,
    )
    if auc <= usual.limit:
        return [whole]
    parts = _attributed(whole, found, names)
    return [replace(whole, detail=_named(parts)), *parts]


def _attributed(whole: Score, found: Apart, names: Sequence[str]) -> list[Score]:
    """Score by how much less the rows are told apart without each column, the greatest first."""
    drops = found.drops(SEED)
    plain = replace(
        whole,
        method=ATTRIBUTION,
        threshold=None,
        reference_value=None,
        n_reference=min(whole.n_reference, MOST_ASKED),
        n_current=min(whole.n_current, MOST_ASKED),
    )
    order = np.argsort(-drops, kind="stable")
    return [replace(plain, column=names[at], value=float(drops[at])) for at in order]


def _named(parts: Sequence[Score]) -> str:
    """Name the columns without which the rows would be told apart the least, with their part."""
    told = [f"{one.column} ({one.value:.3f})" for one in parts[:N_NAMED] if (one.value or 0) > 0]
    most = f", most of all in {', '.join(told)}: by so much ROC AUC falls without it"
    return f"what comes together has changed{most if told else ''}"
