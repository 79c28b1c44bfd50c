"""Maturity: from when on the labels that a window has are a fair sample of its rows.

How late labels come is learned from the windows before: for each of them the log knows when, after
its end, labels came. By the curve of that (`monitor.label_lag`) a window is final once 95 % of the
labels that ever come have come, by number or, where fewer come than usual, by its age.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from monitor.label_lag import Cohort, label_lag
from monitor.window import Counts, JudgedWindow, LabelPolicy, Window, WindowPolicy

MATURE = 0.95
"""Share, of the labels that ever come, from which those that came are a fair sample."""

LEAST = 0.5
"""Share of the labels that should have come, without which no age makes a window final: then the
labels' own feed has stopped, and those that came are no sample of anything."""

BEFORE_CURVE = 0.9
"""Share of all rows that must have a label while nobody knows how late labels come."""

LEAST_WINDOWS, LEAST_LABELS = 4, 100
"""Fewer windows, or labels, teach nothing of how late labels come."""

MOST_WINDOWS = 64
"""Windows that are looked at, spread over `REMEMBERED` horizons: the curve is no finer for more."""

REMEMBERED = 2

REVISED_AT = (0.5, 0.95)
"""Shares of labelled rows whose crossing makes a new revision."""

REVISED_GROWTH = 0.01
"""Growth in rows that makes a new revision."""


@dataclass(frozen=True)
class Arrivals:
    """When labels of a window came.

    Parameters
    ----------
    window : Window
        The window.
    first_judged_at : datetime
        When it was first judged.
    counts : Counts
        Its rows when it was last judged, and its labels up to now by their lag.
    """

    window: Window
    first_judged_at: datetime
    counts: Counts


@dataclass(frozen=True)
class Maturity:
    """What makes the performance of a window final.

    Parameters
    ----------
    enough_ratio : float
        Share of its rows that must have a label, in 0-1.
    least_ratio : float
        The same for a window of the age `after`.
    after : timedelta or None
        Time since a window's end from which labels that still lack are not waited for; None where
        nobody knows.
    """

    enough_ratio: float
    least_ratio: float
    after: timedelta | None = None

    def is_final(self, counts: Counts, age: timedelta) -> bool:
        """Tell whether a window's labels are enough, by their number and its age.

        Examples
        --------
        >>> known = Maturity(0.92, 0.5, timedelta(days=7))
        >>> [known.is_final(Counts(100, 85), timedelta(days=days)) for days in (6, 7)]
        [False, True]
        """
        if not counts.n_labels:
            return False
        is_old = self.after is not None and age >= self.after
        return counts.maturity >= (self.least_ratio if is_old else self.enough_ratio)


def maturity(
    arrivals: Sequence[Arrivals], labels: LabelPolicy, windows: WindowPolicy, now: datetime
) -> Maturity:
    """Learn from windows when their labels were mature.

    Parameters
    ----------
    arrivals : sequence of Arrivals
        Of the windows that teach; see `teachers`.
    labels : LabelPolicy
        Where it names a share, that share decides alone.
    windows : WindowPolicy
        How rows are cut. A window that was judged long after its end was loaded from a history,
        and says nothing of how late labels come.
    now : datetime
        The present.
    """
    if labels.mature is not None:
        return Maturity(labels.mature, labels.mature)
    live = [one for one in arrivals if _is_live(one, windows)]
    ages = [min(now - one.window.end, labels.horizon) for one in live]
    cohorts = [
        Cohort(one.counts.n_rows, age.total_seconds(), one.counts.lags)
        for one, age in zip(live, ages, strict=True)
    ]
    n_labels = sum(one.counts.n_labels for one in live)
    if len(live) < LEAST_WINDOWS or n_labels < LEAST_LABELS:
        return Maturity(BEFORE_CURVE, BEFORE_CURVE)
    curve = label_lag(cohorts)
    after = min(labels.horizon, timedelta(seconds=curve.mature_after(MATURE)))
    # Labels that came until yesterday may come tomorrow: the curve is known once it has been flat
    # for as long as it took to rise, or once no label counts any more.
    if max(ages) < min(2 * after, labels.horizon):
        return Maturity(BEFORE_CURVE, BEFORE_CURVE)
    return Maturity(MATURE * curve.ever_ratio, LEAST * curve.ever_ratio, after)


def _is_live(one: Arrivals, policy: WindowPolicy) -> bool:
    if policy.every is None:
        return True  # a window of rows ends when they were received
    return one.first_judged_at <= one.window.end + policy.lateness + policy.every


def teachers(
    judged: Collection[JudgedWindow], labels: LabelPolicy, now: datetime
) -> Sequence[Window]:
    """Return the windows from which the lag is learned, oldest first.

    Parameters
    ----------
    judged : collection of JudgedWindow
        All windows of a model, oldest first.
    labels : LabelPolicy
        The horizon; where a share decides there is nothing to learn.
    now : datetime
        The present.
    """
    if labels.mature is not None:
        return []
    since = now - REMEMBERED * labels.horizon
    found = [one.window for one in judged if one.window.end >= since and one.counts.n_rows]
    if len(found) <= MOST_WINDOWS:
        return found
    places = np.linspace(0, len(found) - 1, MOST_WINDOWS).round().astype(int)
    return [found[place] for place in places]


def to_revise(judged: JudgedWindow, counts: Counts, known: Maturity, age: timedelta) -> bool:
    """Say whether a window's rows or labels have moved enough for a new revision.

    Parameters
    ----------
    judged : JudgedWindow
        The window as it was judged.
    counts : Counts
        What it has now.
    known : Maturity
        What makes its performance final.
    age : timedelta
        Time since its end.

    Examples
    --------
    >>> from monitor.window import MONDAY
    >>> week, known = timedelta(days=7), Maturity(0.9, 0.9)
    >>> before = JudgedWindow(Window(MONDAY, MONDAY + week), 1, Counts(100, 10))
    >>> [to_revise(before, Counts(100, n), known, age=week) for n in (20, 50, 90)]
    [False, True, True]
    """
    before, after = judged.counts.maturity, counts.maturity
    crossed = any((before < edge) != (after < edge) for edge in REVISED_AT)
    n_more = counts.n_rows - judged.counts.n_rows
    # What is final becomes provisional by rows that came without labels, never by a newer curve.
    other = judged.provisional if known.is_final(counts, age) else n_more and not judged.provisional
    grown = n_more >= max(1, REVISED_GROWTH * judged.counts.n_rows)
    return crossed or bool(other) or (judged.window.rows is None and grown)
