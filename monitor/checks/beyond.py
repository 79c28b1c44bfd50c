"""Beyond: a window's rows counted, and held against the wobble of the reference's windows."""

from dataclasses import dataclass

import pyarrow as pa

from monitor.batch import EVENT_AT
from monitor.cells import hours
from monitor.checks.calibrated import METHOD, AlertBudget, calibrated_scores
from monitor.checks.score import BreachWhen, Check, Score
from monitor.columns import TableColumns
from monitor.grid import grid_of
from monitor.profile import Profile, profile
from monitor.reference import Reference
from monitor.window import Window, WindowPolicy


@dataclass(frozen=True)
class Beyond:
    """What was counted of a window, and what its counts say.

    Parameters
    ----------
    profile : Profile or None
        Its features and prediction, hour by hour; None when they could not be counted.
    scores : tuple of Score
        Not judged yet.
    """

    profile: Profile | None
    scores: tuple[Score, ...]


def beyond_wobble(
    rows: pa.Table,
    window: Window,
    reference: Reference,
    policy: WindowPolicy,
    budget: AlertBudget | None,
) -> Beyond:
    """Count a window, and score it where there is a budget; a crash is a failed score.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        As `monitor.ports.Log.read` gives them, with ``_event_at``.
    window : Window
        The window.
    reference : Reference
        The champion's.
    policy : WindowPolicy
        How rows are cut.
    budget : AlertBudget or None
        Without one nothing is scored; the profile is kept all the same.
    """
    try:
        counted = count_window(rows, reference)
        if budget is None or not rows.num_rows:
            return Beyond(counted, ())
        return Beyond(counted, tuple(calibrated_scores(reference, counted, window, policy, budget)))
    except Exception as error:  # noqa: BLE001 - the other checks must not be lost with this one
        return Beyond(None, (_failed(rows, error),))


def count_window(rows: pa.Table, reference: Reference) -> Profile:
    """Count features and prediction; the target is left out: labels come late, profiles stay."""
    cells = hours(rows.column(EVENT_AT).cast(pa.timestamp("us")).to_numpy())
    names = [name for name in reference.columns if name != reference.schema.target]
    grids = {name: grid_of(reference.columns[name]) for name in names}
    return profile(TableColumns(rows), grids, cells=cells.of_row, starts=cells.starts)


def _failed(rows: pa.Table, error: Exception) -> Score:
    return Score(
        check=Check.DRIFT,
        column=None,
        method=METHOD,
        value=None,
        threshold=None,
        breach_when=BreachWhen.BELOW,
        n_reference=0,
        n_current=rows.num_rows,
        detail=f"the wobble could not be looked at: {type(error).__name__}: {error}",
        failed=True,
    )
