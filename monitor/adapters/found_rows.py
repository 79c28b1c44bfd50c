"""Found rows: what was measured, estimated and compared of all rows of windows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from monitor.adapters import tables as t
from monitor.checks.multivariate import ATTRIBUTION
from monitor.checks.score import Check
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from monitor.reference import Z95

Document = dict[str, Any]

NOTHING_FOUND: Document = {
    "metrics": {}, "bands": {}, "estimate": None, "slow_fall": None, "multivariate": None,
}  # fmt: skip


def read_found(connection: Connection, revisions: Sequence[int]) -> dict[int, Document]:
    """Return, by revision, what was found of all its rows; `NOTHING_FOUND` has the members."""
    s = t.scores.c
    query = select(*(t.scores.c[name] for name in _OF_ALL)).where(
        s.check.in_((Check.PERFORMANCE, Check.ESTIMATE, Check.MULTIVARIATE)),
        s.level.is_(None),
        s.revision_id.in_(revisions),
    )
    found: dict[int, Document] = {}
    parts: dict[int, dict[str, float]] = {}
    for row in connection.execute(query):
        if row.method == ATTRIBUTION:
            parts.setdefault(row.revision_id, {})[row.column] = row.value
        else:
            one = found.setdefault(row.revision_id, {**NOTHING_FOUND, "metrics": {}, "bands": {}})
            _note(one, row)
    for revision, one in found.items():
        if one["multivariate"]:
            ordered = sorted(parts.get(revision, {}).items(), key=lambda part: -part[1])
            one["multivariate"]["attribution"] = dict(ordered)
    return found


_OF_ALL = (
    *("revision_id", "check", "column", "method", "value", "threshold"),
    *("standard_error", "detail"),
)


def _note(one: Document, row: Any) -> None:
    if row.check == Check.ESTIMATE:
        told = {"metric": row.method, "value": row.value, **_band(row), "note": row.detail}
        one["estimate"] = told
    elif row.check == Check.MULTIVARIATE:
        one["multivariate"] = _held(row)
    elif row.method == SLOW_FALL:
        one["slow_fall"] = _held(row)
    elif row.value is not None:
        one["metrics"][row.method] = row.value
        one["bands"][row.method] = _band(row)


def _band(row: Any) -> Document:
    """Return the 95 % band of a value, where it has one."""
    if row.value is None or row.standard_error is None:
        return {"lower": None, "upper": None}
    margin = Z95 * row.standard_error
    return {"lower": row.value - margin, "upper": row.value + margin}


def _held(row: Any) -> Document:
    """Return a score beside its limit, or why there is none."""
    return {"value": row.value, "threshold": row.threshold, "note": row.detail}
