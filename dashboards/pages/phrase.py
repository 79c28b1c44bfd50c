"""Phrase: times, numbers and names as the pages write them."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.checks.performance import METRICS

TINY, BIG = 1e-3, 1e4
"""Below and above these a number without an exponent is hard to read."""

N_NAMED = 3
"""Names in a sentence; the others are counted."""


def day(instant: datetime) -> str:
    """Write a time in UTC, without the clock where it is midnight.

    Examples
    --------
    >>> day(datetime(2013, 5, 13, tzinfo=UTC)), day(datetime(2013, 5, 13, 14, 2, tzinfo=UTC))
    ('2013-05-13', '2013-05-13 14:02')
    """
    instant = instant.astimezone(UTC)
    midnight = instant.hour == instant.minute == 0
    return f"{instant:%Y-%m-%d}" if midnight else f"{instant:%Y-%m-%d %H:%M}"


def moment(instant: datetime) -> str:
    """Write a time in UTC with its clock.

    Examples
    --------
    >>> moment(datetime(2013, 5, 13, tzinfo=UTC))
    '2013-05-13 00:00'
    """
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"


def parsed(text: str) -> datetime:
    """Read a time in ISO 8601, as JSON documents hold it.

    Examples
    --------
    >>> moment(parsed("2013-05-13T14:02:00+00:00"))
    '2013-05-13 14:02'
    """
    return datetime.fromisoformat(text)


def stretch(window: Mapping[str, Any]) -> str:
    """Write a window's first and last moment, and for a row window where its rows begin.

    Examples
    --------
    >>> monday, sunday = datetime(2013, 5, 13, tzinfo=UTC), datetime(2013, 5, 20, tzinfo=UTC)
    >>> stretch({"id": "2013-05-13T00:00:00Z", "start": monday, "end": sunday})
    '2013-05-13 to 2013-05-20'
    >>> stretch({"id": "rows-500", "start": monday, "end": sunday})
    'rows from 500, 2013-05-13 to 2013-05-20'
    """
    times = f"{day(window['start'])} to {day(window['end'])}"
    kind, _, first = window["id"].partition("rows-")
    return f"rows from {first}, {times}" if first and not kind else times


def number(value: float | None) -> str:
    """Write a number with three or four digits that count.

    Examples
    --------
    >>> [number(value) for value in (0.70312, 0, 12.345, 3.2e-31, 123456.7, None)]
    ['0.703', '0', '12.3', '3.2e-31', '123,457', '—']
    """
    if value is None or math.isnan(value):
        return "—"
    size = abs(value)
    if size == 0 or math.isinf(value):
        return f"{value:g}"
    if size < TINY:
        return f"{value:.1e}"
    if size >= BIG:
        return f"{value:,.0f}"
    return f"{value:.3f}" if size < 1 else f"{value:.3g}" if size < 1 / TINY else f"{value:.0f}"


def listing(names: Sequence[str]) -> str:
    """Name up to three things and count the rest.

    Examples
    --------
    >>> listing(["temp", "dewp", "humid"])
    'temp, dewp and humid'
    >>> listing(["temp", "dewp", "humid", "wind", "hour"])
    'temp, dewp, humid and 2 more'
    """
    named, n_more = list(names[:N_NAMED]), len(names) - N_NAMED
    if n_more > 0:
        return f"{', '.join(named)} and {n_more} more"
    return " and ".join([", ".join(named[:-1]), *named[-1:]] if len(named) > 1 else named)


def counted(n: int, noun: str) -> str:
    """Count things.

    Examples
    --------
    >>> counted(1, "window"), counted(12345, "row")
    ('1 window', '12,345 rows')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def metric_title(name: str) -> str:
    """Name a metric as people do; one that is not ours keeps its name.

    Examples
    --------
    >>> metric_title("roc_auc")
    'ROC AUC'
    """
    return METRICS[name].title if name in METRICS else name


def lasted(duration: timedelta) -> str:
    """Write a duration in its largest fitting unit.

    Examples
    --------
    >>> [lasted(timedelta(seconds=s)) for s in (0.2, 42, 600, 9000)]
    ['under 1 s', '42 s', '10 min', '2.5 h']
    """
    seconds = duration.total_seconds()
    if seconds < 1:
        return "under 1 s"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.0f} s"


def from_one_to_the_next(length: timedelta) -> str:
    """Name the step between two windows of a length.

    Examples
    --------
    >>> from_one_to_the_next(timedelta(days=7)), from_one_to_the_next(timedelta(hours=6))
    ('week-to-week', 'window-to-window')
    """
    for name, known in (("week", 7 * 24), ("day", 24), ("hour", 1)):
        if length == timedelta(hours=known):
            return f"{name}-to-{name}"
    return "window-to-window"
