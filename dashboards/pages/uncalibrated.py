"""Uncalibrated: what it means that nobody knows how much drift is usual, and what mends it."""

from monitor.calibration import MIN_WINDOWS


def uncalibrated(why: str) -> str:
    """Say who judges drift then, and what mends it.

    Parameters
    ----------
    why : str
        As `monitor.checks.calibrated.uncalibrated` has it; empty for a model that is calibrated.

    Examples
    --------
    >>> uncalibrated("uncalibrated: the reference has 4 windows, 8 are needed")
    "Uncalibrated: the reference has 4 windows, 8 are needed. So Evidently's thresholds judge drift, and false alerts keep to no budget. What mends it: windows so short that the reference has at least 8 of them, or a version with a longer reference; the next one that is promoted takes the newest windows."
    """  # noqa: E501 - one sentence
    if not why:
        return ""
    return (
        f"{why[0].upper()}{why[1:]}. So Evidently's thresholds judge drift, and false alerts keep "
        "to no budget. What mends it: windows so short that the reference has at least "
        f"{MIN_WINDOWS} of them, or a version with a longer reference; the next one that is "
        "promoted takes the newest windows."
    )
