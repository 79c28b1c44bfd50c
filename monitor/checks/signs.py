"""Signs: since when the rows of a window show what no search is needed for."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.batch import EXTRA
from monitor.checks.onset import BoolArray, sign_onset
from monitor.checks.quality import MISSING, REPEATED
from monitor.checks.stale import STALE, at_one_time
from monitor.columns import TableColumns, numbers, texts
from monitor.duplicates import known, repeats
from monitor.reference import NumericReference, Reference

OF_VALUES = ("missing", "unseen", "out_of_range", "infinite")
"""Methods of the quality scores that tell how a column's values look, and not why."""

NOT_SENT = "schema_missing"
"""Method of the score of a column that did not arrive."""

NOT_AS_EXPECTED = ("schema_extra", "schema_retyped")
"""Methods of the scores of columns whose values are kept beside the row as they came."""


@dataclass(frozen=True)
class Signs:
    """The rows of a window, and what tells where in them a sign begins.

    Parameters
    ----------
    rows : pyarrow.Table, shape (n_rows, n_columns)
        In the order of time, with ``_event_at``, and ``_extra`` where columns came otherwise than
        the schema says.
    reference : Reference
        The champion's: what is usual.
    newest : pyarrow.Table or None
        The newest clean window before.
    gaps : collection of str
        Columns that have lost values: rows without them look alike.

    Examples
    --------
    >>> from monitor.schema import Kind, Schema, Task
    >>> from monitor.values import CategoricalValues
    >>> schema = Schema(Task.BINARY, {"g": Kind.CATEGORICAL}, "y")
    >>> known = CategoricalValues(("a",), np.array([9]), 9, 0)
    >>> rows = pa.table({"g": ["a"] * 20 + [None, "a"] + [None] * 30})
    >>> Signs(rows, Reference(schema, {"g": known}, {}, 9)).first("g", "missing")
    20
    """

    rows: pa.Table
    reference: Reference
    newest: pa.Table | None = None
    gaps: Collection[str] = ()

    def first(self, column: str, sign: str) -> int | None:
        """Return the row from which on a sign comes more often than usual; None if it does not.

        Parameters
        ----------
        column : str
            The column; empty where it is a sign of whole rows.
        sign : str
            Method of its quality score.
        """
        is_it, usual = self._of_column(column, sign) if column else self._of_rows(sign)
        return sign_onset(is_it, usual) if is_it.any() else None

    def _of_column(self, name: str, sign: str) -> tuple[BoolArray, float]:
        """Tell which rows show a sign of a column, and how many usually do."""
        if sign in NOT_AS_EXPECTED:
            return np.array([name in raw for raw in self._raw], dtype=np.bool_), 0.0
        if name not in self.rows.column_names:
            return self._nowhere  # another version's column
        column = self.rows.column(name)
        if sign in (MISSING, NOT_SENT):
            is_null = pc.is_null(column, nan_is_null=True)
            return np.asarray(is_null, dtype=np.bool_), self._usually_missing(name)
        return self._strange(name, column, sign), 0.0

    def _of_rows(self, sign: str) -> tuple[BoolArray, float]:
        """Tell which rows show a sign of whole rows, and how many usually do."""
        columns, features = TableColumns(self.rows), self.reference.schema.features
        usual = self.reference.repeated_ratio or 0.0
        if sign == REPEATED:
            return repeats(columns, features, gaps=self.gaps), usual
        if self.newest is None:
            return self._nowhere
        if sign == STALE:
            newest = TableColumns(self.newest)
            return known(columns, newest, features, gaps=self.gaps), usual
        return at_one_time(self.rows), float(at_one_time(self.newest).mean())

    @property
    def _nowhere(self) -> tuple[BoolArray, float]:
        return np.zeros(self.rows.num_rows, dtype=np.bool_), 0.0

    @cached_property
    def _raw(self) -> list[Collection[str]]:
        """Names of each row's values that are kept as they came."""
        kept = self.rows.column(EXTRA).to_pylist()
        return [frozenset(json.loads(one)) if one else frozenset() for one in kept]

    def _usually_missing(self, name: str) -> float:
        before = self.reference.columns.get(name)
        if before is None:
            return self.reference.missing_dates.get(name, 0.0)
        return before.n_null / max(before.n_rows, 1)

    def _strange(self, name: str, column: pa.ChunkedArray, sign: str) -> BoolArray:
        """Tell which values are unseen, infinite or far out of range."""
        before = self.reference.columns[name]
        if not isinstance(before, NumericReference):
            levels = texts(column)
            seen = pc.is_in(levels, value_set=pa.array(before.levels))
            return ~np.asarray(pc.or_(seen, pc.is_null(levels)), dtype=np.bool_)
        values = numbers(column)
        if sign == "infinite":
            return np.isinf(values)
        width = before.high - before.low
        inside = (values >= before.low - width) & (values <= before.high + width)
        return ~np.isnan(values) & ~inside
