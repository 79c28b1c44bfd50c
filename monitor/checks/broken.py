"""Broken: what was done to a column of a window, or to its rows."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Break:
    """What was done to one column, or to whole rows.

    Parameters
    ----------
    column : str
        The column; empty where it is whole rows.
    sign : str
        Which kind: scale, units, sign, swap, shift, spelling, renamed, frozen, fill, collapse; or
        the method of the quality score in which it shows.
    name : str
        What was done, in words; empty where it shows in a score.
    first : int
        The row, in the order of time, from which on; 0 of rows that were refused.
    n_rows : int
        Rows from there on; of rows that were refused, how many.
    since : datetime or None
        Event time of the first of them; of rows that were refused, when the first came.
    ratio : float or None
        Distance of the mended rows from clean ones, in that of clean stretches; None where nothing
        is mended.
    """

    column: str
    sign: str
    name: str
    first: int
    n_rows: int
    ratio: float | None = None
    since: datetime | None = None
