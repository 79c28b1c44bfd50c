"""Oracle: what can be known of levels that changed places, were column, names and row known.

It knows which column, which names and which row, and only has to say whether it was done: what
comes with the rows, learned from the clean windows, must make the true names likelier by more than
in 49 of 50 windows in which nothing was done. Nobody who knows less can find more, by these means.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from monitor.batch import EVENT_AT
from monitor.checks.company import company
from monitor.columns import texts
from monitor.reference import Reference

ALLOWED = 0.02


def gain(
    rows: pa.Table, windows: Sequence[pa.Table], reference: Reference, name: str, first: int
) -> float:
    """Return how much likelier the rows from one on are when each name is the one before it."""
    rows, before = rows.sort_by(EVENT_AT), pa.concat_tables(windows).sort_by(EVENT_AT)
    met = company(before, rows, reference.schema.features)
    if met is None or not met.levels[name]:
        return -np.inf
    levels, known = met.levels[name], list(reference.columns[name].levels)
    shares = met.shares[name]
    expected = met.expected(name)[1]
    chances = np.clip(shares + expected * np.sqrt(shares * (1 - shares)), 0.005, 1.0)
    logs = np.log(chances / chances.sum(axis=1, keepdims=True)) - np.log(shares)
    gains = []
    for row, level in enumerate(texts(rows.column(name)).to_pylist()[first:], first):
        if level not in known:
            continue
        was = known[(known.index(level) + 1) % len(known)]
        named = [logs[row, levels.index(one)] if one in levels else 0.0 for one in (was, level)]
        gains.append(named[0] - named[1])
    return float(np.sum(gains))


def tells(planted: float, clean: Sequence[float]) -> bool:
    """Say whether a gain stands out from those of windows in which nothing was done."""
    return planted > max(0.0, float(np.quantile(clean, 1 - ALLOWED)))
