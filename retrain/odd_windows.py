"""Odd windows: those of a reference that stand out, so that what drifts is judged without them."""

from collections.abc import Mapping, Sequence

from monitor.reference import Reference

N_NAMED = 3
"""Windows, and columns of each, that a sentence names; the version's card has all."""


def odd_windows(reference: Reference) -> dict[str, list[str]]:
    """Return the columns that each odd window was left out of, by when it starts, in its order.

    Somebody may know what happened then: a feed that was broken, a load that came twice.

    Parameters
    ----------
    reference : Reference
        The version's. Without a calibration no window is left out.
    """
    found: dict[str, list[str]] = {}
    calibration = reference.calibration
    for name, one in calibration.columns.items() if calibration else ():
        for start in one.left_out:
            found.setdefault(f"{start:%Y-%m-%d %H:%M}", []).append(name)
    return dict(sorted(found.items()))


def judged_without(odd: Mapping[str, Sequence[str]]) -> str:
    """Say in a sentence which windows were left out, and of what; empty where none was.

    Examples
    --------
    >>> judged_without({"2026-01-05 00:00": ["x", "y"]})
    'drift is judged without 1 reference window that stands out: 2026-01-05 00:00 (x, y)'
    """
    if not odd:
        return ""
    named = [f"{start} ({_listed(columns)})" for start, columns in odd.items()]
    windows = "window that stands" if len(odd) == 1 else "windows that stand"
    return f"drift is judged without {len(odd)} reference {windows} out: {_listed(named)}"


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - N_NAMED} more"] if len(names) > N_NAMED else []
    return ", ".join([*names[:N_NAMED], *more])
