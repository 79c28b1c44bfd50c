"""Multivariate: whether columns come together otherwise than before, though none may have moved."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from monitor.checks.estimate import SEED
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import TableColumns
from monitor.dependence import Apart, apart
from monitor.reference import Reference
from monitor.sample import encode

METHOD = "domain_classifier"

N_NAMED = 3
"""Columns that are named."""


def multivariate_score(rows: pa.Table, reference: Reference) -> Score:
    """Score how well a window's rows are told from the reference's by what comes together.

    The score has no value where nothing can be compared, and says why. A crash is a failed score.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        As `monitor.ports.Log.read` gives them.
    reference : Reference
        The champion's.
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
        return replace(plain, detail=against) if against else _compared(plain, rows, reference)
    except Exception as error:  # noqa: BLE001 - the other checks must not be lost with this one
        why = f"columns could not be compared together: {type(error).__name__}: {error}"
        return replace(plain, detail=why, failed=True)


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


def _compared(plain: Score, rows: pa.Table, reference: Reference) -> Score:
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
    return replace(
        plain,
        value=auc,
        threshold=usual.limit,
        reference_value=usual.usual,
        n_reference=len(found.rows) - drawn.size,
        n_current=drawn.size,
        detail=_attributed(found, names) if auc > usual.limit else "",
    )


def _attributed(found: Apart, names: list[str]) -> str:
    """Name the columns without which the rows would be told apart the least."""
    drops = found.drops(SEED)
    order = [at for at in np.argsort(-drops) if drops[at] > 0][:N_NAMED]
    named = ", ".join(names[at] for at in order)
    return f"what comes together has changed, most of all in {named}" if named else ""
