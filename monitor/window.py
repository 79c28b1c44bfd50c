"""Window: production rows of one stretch of event time, or of acknowledgement order."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.errors import NotPossibleError
from monitor.label_lag import Steps

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""The first Monday of Unix time: weeks start on Mondays, days and hours at their own edges."""


@dataclass(frozen=True)
class WindowPolicy:
    """How rows are cut into windows.

    Parameters
    ----------
    every : timedelta or None
        Length of a time window; exactly one of `every` and `rows` is given.
    rows : int or None
        Rows of a row window.
    lateness : timedelta
        How long after its end a time window is left open for rows that come late.
    anchor : datetime
        An instant at which a time window starts.
    min_rows : int or None
        Fewer rows are NO_DATA; by default half a typical window, at most 500.
    """

    every: timedelta | None = None
    rows: int | None = None
    lateness: timedelta = timedelta(0)
    anchor: datetime = MONDAY
    min_rows: int | None = None


@dataclass(frozen=True)
class Window:
    """One stretch of rows, ``[start, end)``.

    Parameters
    ----------
    start, end : datetime
        Event time (time windows) or time of receipt of the first and last row (row windows).
    rows : tuple of int or None
        For a row window: first row and the row after the last, counted from 0 in the order of
        acknowledgement.
    """

    start: datetime
    end: datetime
    rows: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        """Name of the window within its model.

        Examples
        --------
        >>> Window(MONDAY, MONDAY + timedelta(days=7)).key
        '1970-01-05T00:00:00Z'
        >>> Window(MONDAY, MONDAY, rows=(500, 1000)).key
        'rows-500'
        """
        if self.rows is not None:
            return f"rows-{self.rows[0]}"
        return self.start.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Extent:
    """How far a model's log reaches.

    Parameters
    ----------
    n_rows : int
        Rows ever acknowledged, retired ones included.
    first_event_at, last_event_at : datetime or None
        Event time of the earliest and the latest row; None for an empty log.
    """

    n_rows: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None


@dataclass(frozen=True)
class Counts:
    """Rows of one window, and how many of them have their label.

    Parameters
    ----------
    n_rows, n_labels : int
        Rows and labelled rows; a repeated prediction id counts once.
    n_repeated : int
        Rows left out because their prediction id had been acknowledged before.
    lags : Steps
        How many labels came by which time after the window's end, in seconds; empty where nobody
        looked.
    """

    n_rows: int
    n_labels: int
    n_repeated: int = 0
    lags: Steps = field(default=(), compare=False)

    @property
    def maturity(self) -> float:
        """Share of rows whose label has come, in [0, 1]."""
        return self.n_labels / self.n_rows if self.n_rows else 0.0


def floor(instant: datetime, policy: WindowPolicy) -> datetime:
    """Return the start of the time window that holds an instant.

    Examples
    --------
    >>> floor(datetime(2013, 2, 27, 15, tzinfo=UTC), WindowPolicy(every=timedelta(days=7)))
    datetime.datetime(2013, 2, 25, 0, 0, tzinfo=datetime.timezone.utc)
    """
    assert policy.every is not None
    return instant - (instant - policy.anchor) % policy.every


def due_time_windows(
    policy: WindowPolicy,
    *,
    extent: Extent,
    judged: Collection[Window],
    now: datetime,
    horizon: timedelta,
) -> Iterator[Window]:
    """Yield the time windows that have ended and have no verdict, oldest first.

    They follow from the log and from what is judged alone, so a missed tick, a restart or a
    second replica loses and doubles nothing. A stretch without a row is a window too. What would
    overlap a window judged with another length or anchor is shorter, and holds what that leaves.

    Parameters
    ----------
    policy : WindowPolicy
        With `every` set.
    extent : Extent
        How far the log reaches.
    judged : collection of Window
        The windows that have a verdict.
    now : datetime
        The present.
    horizon : timedelta
        Windows that ended longer ago are never begun.
    """
    if extent.first_event_at is None or policy.every is None:
        return
    start = floor(max(extent.first_event_at, now - horizon), policy)
    taken = deque(sorted((one.start, one.end) for one in judged if one.end > start))
    while (end := floor(start, policy) + policy.every) + policy.lateness <= now:
        if taken and taken[0][0] <= start:
            start = max(start, taken.popleft()[1])
            continue
        end = min(end, taken[0][0]) if taken else end
        if end > now - horizon:
            yield Window(start, end)
        start = end


def due_row_ranges(
    policy: WindowPolicy, *, extent: Extent, judged: Collection[Window]
) -> Iterator[tuple[int, int]]:
    """Yield the row ranges that are complete and have no verdict, oldest first.

    They begin where those that were judged end, whatever number of rows these had.
    """
    if policy.rows is None:
        return
    first, size = 0, policy.rows
    for start, end in sorted(one.rows for one in judged if one.rows is not None):
        yield from ((row, min(row + size, start)) for row in range(first, start, size))
        first = max(first, end)
    yield from ((row, row + size) for row in range(first, extent.n_rows - size + 1, size))


def check_kind(policy: WindowPolicy, judged: Collection[Window]) -> None:
    """Raise NotPossibleError when windows of time would follow windows of rows, or the other way.

    Rows need not come in the order of their events: some would be in two windows, some in none.
    """
    for other in (one for one in judged if (one.rows is None) != (policy.rows is None)):
        was = "every" if other.rows is None else "rows"
        raise NotPossibleError(
            f"window {other.key} was cut by window.{was}, and windows of the other kind would "
            f"overlap it: go back to window.{was}, or give the model another name"
        )


def count_due(
    policy: WindowPolicy,
    *,
    n_unjudged: int,
    judged_until: datetime | None,
    since: datetime,
    now: datetime,
) -> int:
    """Count the windows that should have a verdict and have none, without looking at each.

    Parameters
    ----------
    policy : WindowPolicy
        How rows are cut.
    n_unjudged : int
        Rows acknowledged after those of the newest judged window.
    judged_until : datetime or None
        End of the newest judged window; before any, the first event; None for an empty log.
    since : datetime
        Windows that ended before are never begun.
    now : datetime
        The present.

    Examples
    --------
    >>> weekly, week = WindowPolicy(every=timedelta(days=7)), timedelta(days=7)
    >>> now = MONDAY + 10 * week
    >>> known = {"n_unjudged": 100, "since": MONDAY, "now": now}
    >>> count_due(weekly, judged_until=now - 2 * week, **known)
    2
    >>> count_due(WindowPolicy(rows=40), judged_until=None, **known)
    2
    """
    if policy.rows is not None:
        return max(0, n_unjudged) // policy.rows
    if policy.every is None or judged_until is None:
        return 0
    start = floor(max(judged_until, since), policy)
    return max(0, (now - policy.lateness - start) // policy.every)


@dataclass(frozen=True)
class LabelPolicy:
    """When labels count.

    Parameters
    ----------
    horizon : timedelta
        Labels are joined, and windows reopened, this long after a window's end.
    mature : float or None
        Share of labelled rows from which performance is final; None where that follows from how
        late labels come.
    """

    horizon: timedelta = timedelta(days=90)
    mature: float | None = None


@dataclass(frozen=True)
class Seen:
    """How much of a model's log was there when a window was counted.

    Parameters
    ----------
    n_rows, n_labels : int
        Predictions and labels that had been acknowledged.
    """

    n_rows: int = 0
    n_labels: int = 0


NOTHING_SEEN = Seen()
"""Who has seen nothing looks at everything."""


@dataclass(frozen=True)
class JudgedWindow:
    """A window that has a verdict, with what the verdict rested on.

    Parameters
    ----------
    window : Window
        The window.
    revision : int
        How often it has been judged.
    counts : Counts
        What the verdict rests on.
    incident : bool
        Whether it was a data incident.
    seen : Seen
        The log when its rows were last counted.
    provisional : bool
        Whether labels were still waited for.
    """

    window: Window
    revision: int
    counts: Counts
    incident: bool = False
    seen: Seen = NOTHING_SEEN
    provisional: bool = True
