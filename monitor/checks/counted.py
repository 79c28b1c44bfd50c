"""Counted: the rows of a window as a profile, over the bins of the champion's reference."""

import pyarrow as pa

from monitor.batch import EVENT_AT
from monitor.cells import hours
from monitor.columns import TableColumns
from monitor.grid import grid_of
from monitor.profile import Profile, profile
from monitor.reference import Reference


def count_window(rows: pa.Table, reference: Reference) -> Profile:
    """Count a window's features and prediction, hour by hour.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        As `monitor.ports.Log.read` gives them, with ``_event_at``.
    reference : Reference
        Freezes the bins. The target is left out: labels come late, profiles stay.
    """
    cells = hours(rows.column(EVENT_AT).cast(pa.timestamp("us")).to_numpy())
    names = [name for name in reference.columns if name != reference.schema.target]
    grids = {name: grid_of(reference.columns[name]) for name in names}
    return profile(TableColumns(rows), grids, cells=cells.of_row, starts=cells.starts)
