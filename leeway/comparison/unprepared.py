"""Unprepared columns: a reference whose columns are prepared when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from monitor.checks.score import Check, Score
from monitor.columns import Columns
from monitor.errors import LeewayError
from monitor.reference import ColumnReference, NumericReference, prepare_column
from monitor.schema import Kind
from monitor.values import NO_LEVELS

NO_NUMBERS = NumericReference(np.empty(0), 0, 0, whole=False, std=np.nan, low=np.nan, high=np.nan)


class UnpreparedColumns(Mapping[str, ColumnReference]):
    """The reference's side of one comparison: only the columns in work are in memory.

    Parameters
    ----------
    columns : Columns, n_rows rows
        The reference rows.
    kinds : mapping of str to Kind
        The columns there are, and how each is compared.
    """

    def __init__(self, columns: Columns, kinds: Mapping[str, Kind]) -> None:
        self._columns = columns
        self._kinds = kinds
        self._failures: dict[str | None, str] = {}

    def __getitem__(self, name: str) -> ColumnReference:
        """Prepare one column; one that cannot be read has no values, see `with_failures`."""
        kind = self._kinds[name]
        try:
            return prepare_column(self._columns, name, kind)
        except Exception as error:  # noqa: BLE001 - one broken column never loses the rest
            known = isinstance(error, LeewayError)
            self._failures[name] = str(error) if known else f"{type(error).__name__}: {error}"
            return NO_NUMBERS if kind is Kind.NUMERIC else NO_LEVELS

    def __iter__(self) -> Iterator[str]:
        """Yield the columns' names."""
        return iter(self._kinds)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self._kinds)

    def with_failures(self, scores: Sequence[Score]) -> list[Score]:
        """Return scores of which those of columns that could not be read have failed."""
        return [
            replace(score, failed=True, value=None, detail=self._failures[score.column])
            if score.column in self._failures
            else score
            for score in scores
            if score.column not in self._failures or score.check is Check.DRIFT
        ]
