"""Broken: what was done to one column of a window."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Break:
    """What was done to one column.

    Parameters
    ----------
    column : str
        The column; empty where whole rows came twice.
    sign : str
        Which kind: repeated, scale, units, sign, swap, shift, spelling, renamed, frozen, fill,
        collapse.
    name : str
        What was done, in words.
    first : int
        The row, in the order of time, from which on.
    n_rows : int
        Rows from there on.
    since : datetime or None
        Event time of the first of them.
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
