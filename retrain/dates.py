"""Dates: what a model can learn of an instant, as numbers."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from monitor.columns import FloatArray

TimeArray = npt.NDArray[np.datetime64]
BoolArray = npt.NDArray[np.bool_]

DAY, EPOCH = np.timedelta64(1, "D"), np.datetime64("1970-01-01", "D")
DAYS_OF_YEAR = 365.2425
MONDAY = 4
"""Days since 1970 of its first Monday."""


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc] # sklearn is untyped
    """Expand each date into its parts; those that are constant on the training rows are dropped.

    The parts, in UTC: days since 1970 with their fraction, year, month, day of the month, day of
    the week from Monday 0, hour; and the place in the year, in the week and in the day as sine and
    cosine, so that December lies beside January. A missing date has NaN in each. Days and years
    that training has never seen are taken for the nearest that it has: no model knows more.

    Attributes
    ----------
    kept_ : ndarray of bool, shape (n_columns * 12,)
        The parts that vary; the days since 1970 always stay, so that something does.
    low_, high_ : ndarray of float, shape (n_columns, 2)
        The least and greatest number of days and year on the training rows.
    """

    kept_: BoolArray
    low_: FloatArray
    high_: FloatArray

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002, N803 - sklearn's own names
        """Learn which parts vary, from dates, shape (n_rows, n_columns)."""
        parts = _parts(_times(X))
        known = ~np.isnan(parts).all(axis=0)
        low, high = (np.full(parts.shape[1:], limit) for limit in (-np.inf, np.inf))
        low[known], high[known] = np.nanmin(parts[:, known], 0), np.nanmax(parts[:, known], 0)
        varies = known & (low < high)
        varies[:, 0] = True
        self.kept_ = varies.ravel()
        self.low_, self.high_ = low[:, :_PASSING], high[:, :_PASSING]
        return self

    def transform(self, X: Any) -> FloatArray:  # noqa: N803 - sklearn's own name
        """Return the parts that vary, shape (n_rows, n_parts)."""
        parts = _parts(_times(X))
        parts[:, :, :_PASSING] = np.clip(parts[:, :, :_PASSING], self.low_, self.high_)
        return np.asarray(parts.reshape(len(parts), -1)[:, self.kept_])


_PASSING = 2
"""The first parts, days and year, never come back."""


def _times(dates: Any) -> TimeArray:
    return np.asarray(dates, dtype="datetime64[us]")


def _parts(times: TimeArray) -> FloatArray:
    """Return every part of each date, shape (n_rows, n_columns, 12)."""
    years, months, days, hours = (times.astype(f"datetime64[{unit}]") for unit in "YMDh")
    since = (times - EPOCH) / DAY
    weekday = ((days - EPOCH).astype(np.float64) - MONDAY) % 7
    of_day, of_year = (times - days) / DAY, (times - years) / DAY
    # Whole parts come of whole numbers: a 24th of a day, times 24, may be less than 1.
    whole = [
        years.astype(np.float64) + 1970,
        (months - years).astype(np.float64) + 1,
        (days - months).astype(np.float64) + 1,
        weekday,
        (hours - days).astype(np.float64),
    ]
    turns = [of_year / DAYS_OF_YEAR, (weekday + of_day) / 7, of_day]
    cycles = [turn(2 * np.pi * share) for share in turns for turn in (np.sin, np.cos)]
    parts: FloatArray = np.stack([since, *whole, *cycles], axis=-1)
    parts[np.isnat(times)] = np.nan
    return parts
