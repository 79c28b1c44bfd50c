"""Reference: the training-time rows, prepared once so that each comparison is cheap."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from monitor.back_test import BackTest
from monitor.calibration import Calibration, calibrate
from monitor.cells import Cells, TimeArray, regrouped, stretches, typical, windows
from monitor.columns import Columns, FloatArray
from monitor.contrast import Contrasted, contrasted, contrasts_of
from monitor.dependence import Dependence
from monitor.duplicates import repeated_ratio
from monitor.grid import OUTER_QUANTILES, grid_of
from monitor.profile import Profile, grouped, profile
from monitor.sample import Sample
from monitor.schema import Kind, Schema
from monitor.values import PIECE_ROWS, CategoricalValues, NumericValues, read_values
from monitor.window import WindowPolicy

Z95 = 1.96
"""Standard errors on each side of a 95 % band."""


@dataclass(frozen=True)
class NumericReference(NumericValues):
    """A numeric column of the reference.

    Parameters
    ----------
    std : float
        Standard deviation of the values, ddof 0; NaN when there are none.
    low, high : float
        Their .1 % and 99.9 % quantiles; NaN when there are none.
    """

    std: float
    low: float
    high: float


ColumnReference = NumericReference | CategoricalValues


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its sampling error.

    Parameters
    ----------
    value : float
        The metric.
    standard_error : float
        One standard error, in the metric's unit.
    n : int
        Labelled rows it rests on.
    """

    value: float
    standard_error: float
    n: int


@dataclass(frozen=True)
class Reference:
    """What a model's windows are compared with.

    Parameters
    ----------
    schema : Schema
        The columns.
    columns : mapping of str to ColumnReference
        Every column of the schema that the reference has.
    performance : mapping of str to Estimate
        The metrics on rows the model was not fitted on.
    n_rows : int
        Rows of the reference.
    start, end : datetime or None
        Event time of the first and the last row; None without a clock.
    segments : mapping of str to mapping of str to Estimate
        The metric that decides, by segment column and level.
    repeated_ratio : float or None
        Share of rows that repeat an earlier row in every feature, 0-1.
    calibration : Calibration or None
        How much its windows wobble; None where it was not cut into windows.
    sample : Sample or None
        Labelled rows that estimates rest on; None where there are none.
    back_test : BackTest or None
        How far estimates of its own windows were off.
    importance : mapping of str to float, or None
        How much greater the loss is without each feature; None where no model could be asked.
    dependence : Dependence or None
        How well its windows are told from one another by what comes together in them; None where
        there are no two features to compare.
    missing_dates : mapping of str to float
        Share of rows, 0-1, without each feature that is a date: dates are not compared otherwise.
    by_window : mapping of str to tuple of Estimate
        The metric that decides, in each of its windows.
    stretches : callable or None
        Returns the profile of its rows by the hour or the day, so that windows can be cut again.
    is_recut : bool
        Whether windows are cut otherwise now than they were for `by_window`, `back_test` and
        `dependence`, which cannot be learned again from a profile.
    """

    schema: Schema
    columns: Mapping[str, ColumnReference]
    performance: Mapping[str, Estimate]
    n_rows: int
    start: datetime | None = None
    end: datetime | None = None
    segments: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    repeated_ratio: float | None = None
    calibration: Calibration | None = None
    sample: Sample | None = None
    back_test: BackTest | None = None
    importance: Mapping[str, float] | None = None
    dependence: Dependence | None = None
    missing_dates: Mapping[str, float] = field(default_factory=dict)
    by_window: Mapping[str, tuple[Estimate, ...]] = field(default_factory=dict)
    stretches: Callable[[], Profile] | None = None
    is_recut: bool = False

    @property
    def other_windows(self) -> str:
        """Say why what its windows taught beside `calibration` is not used; empty where it is."""
        return "the reference was cut into other windows than now" if self.is_recut else ""


@dataclass(frozen=True)
class Cut:
    """How reference rows fall into windows.

    Parameters
    ----------
    event_at : ndarray of datetime64, shape (n_rows,)
        Event time of each row, UTC without a zone, ascending.
    policy : WindowPolicy
        How windows are cut.
    """

    event_at: TimeArray
    policy: WindowPolicy


def prepare(
    columns: Columns,
    schema: Schema,
    *,
    performance: Mapping[str, Estimate],
    start: datetime | None = None,
    end: datetime | None = None,
    segments: Mapping[str, Mapping[str, Estimate]] | None = None,
) -> Reference:
    """Prepare reference rows for comparison, one column at a time.

    Parameters
    ----------
    columns : Columns, n_rows rows
        The reference rows; columns that the schema names and the rows lack are left out.
    schema : Schema
        The columns to prepare.
    performance : mapping of str to Estimate
        What the model reaches on rows it was not fitted on.
    start, end : datetime or None
        Event time of the first and the last row.
    segments : mapping of str to mapping of str to Estimate
        The metric that decides, by segment column and level.
    """
    names = set(columns.names)
    prepared = {
        name: prepare_column(columns, name, kind)
        for name, kind in schema.kinds().items()
        if name in names
    }
    return Reference(
        schema,
        prepared,
        performance,
        columns.n_rows,
        start,
        end,
        segments or {},
        repeated_ratio(columns, schema.features),
        missing_dates={name: _missing(columns, name) for name in schema.dates if name in names},
    )


def calibrated(reference: Reference, columns: Columns, cut: Cut) -> Reference:
    """Learn how much the windows of a reference wobble; labels come late and are left out.

    Parameters
    ----------
    reference : Reference
        Prepared from these rows.
    columns : Columns, n_rows rows
        The rows.
    cut : Cut
        How they fall into windows.
    """
    grids = {
        name: grid_of(one)
        for name, one in reference.columns.items()
        if name != reference.schema.target
    }

    def counted(cells: Cells) -> Profile:
        return profile(columns, grids, cells=cells.of_row, starts=cells.starts)

    cells, fine = windows(cut.event_at, cut.policy), counted(stretches(cut.event_at))
    found = replace(reference, stretches=lambda: fine)
    return _learned(found, counted(cells), typical(cells), cut.policy)


def recut(reference: Reference, policy: WindowPolicy) -> Reference:
    """Learn how much the windows of a reference wobble that are cut otherwise than it was.

    Counts add up exactly, so this gives what `calibrated` gives of the rows.

    Parameters
    ----------
    reference : Reference
        With its profile by stretches.
    policy : WindowPolicy
        How windows are cut now.

    Returns
    -------
    Reference
        With the calibration it had where its profile is not there, or its stretches do not fit into
        windows: of a count of rows, or shorter than a stretch.
    """
    reference = replace(reference, is_recut=True)
    if reference.stretches is None:
        return reference
    fine = reference.stretches()
    cells = regrouped(fine.starts, policy)
    if cells is None:
        return reference
    rows = Cells(np.repeat(cells.of_row, fine.n_rows), cells.starts)
    return _learned(reference, grouped(fine, cells), typical(rows), policy)


def _learned(
    reference: Reference, counted: Profile, kept: Sequence[int], policy: WindowPolicy
) -> Reference:
    """Learn the wobble from a profile by windows, of which some are kept."""
    found = {}
    for name, one in counted.columns.items():
        feature = name in reference.schema.features
        made = contrasts_of(reference.columns[name], len(kept), feature=feature)
        of_all = contrasted(made, one)
        found[name] = (made, Contrasted(*(part[kept] for part in vars(of_all).values())))
    learned = calibrate(found, [counted.starts[at] for at in kept], policy)
    return replace(reference, calibration=learned)


def prepare_column(columns: Columns, name: str, kind: Kind) -> ColumnReference:
    """Prepare one column."""
    found = read_values(columns, name, kind)
    if isinstance(found, CategoricalValues):
        return found
    low, high = (_quantile(found.values, share) for share in OUTER_QUANTILES)
    return NumericReference(
        found.values, found.n_rows, found.n_null, found.whole, _std(found.values), low, high
    )


def _missing(columns: Columns, name: str) -> float:
    n_null = sum(piece.null_count for piece in columns.chunks(name))
    return n_null / columns.n_rows if columns.n_rows else 0.0


def _std(values: FloatArray) -> float:
    """Return the standard deviation, a piece at a time: no second column is made on the way."""
    if not values.size:
        return np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        mean = values.mean()
        pieces = np.split(values, range(PIECE_ROWS, values.size, PIECE_ROWS))
        return float(np.sqrt(sum(np.sum((piece - mean) ** 2) for piece in pieces) / values.size))


def _quantile(ordered: FloatArray, share: float) -> float:
    if not ordered.size:
        return np.nan
    place = share * (ordered.size - 1)
    around = ordered[[int(np.floor(place)), int(np.ceil(place))]]
    return float(np.interp(place % 1, (0, 1), around))
