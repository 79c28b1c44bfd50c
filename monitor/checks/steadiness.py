"""Steadiness: whether levels that were always there have fallen away, or come and go anyway."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.checks.calibrated import uncalibrated
from monitor.checks.score import Score
from monitor.checks.surprise import surprise
from monitor.contrast import contrasted, contrasts_of
from monitor.profile import Profile, whole
from monitor.reference import Reference
from monitor.schema import Kind
from monitor.season import design
from monitor.window import Window, WindowPolicy

BY_CHANCE = 0.001
"""Levels have fallen away when a reference window would lack so many of them less often than
this, for the least likely of them and by Bonferroni."""

UNSEEN = "unseen"
"""Method of the score of values that the reference never had."""


def spare_newcomers(
    scores: Sequence[Score],
    reference: Reference,
    counted: Profile | None,
    window: Window,
    policy: WindowPolicy,
) -> list[Score]:
    """Take the limit from unseen levels that displace none which the reference always had.

    A level that nobody has seen may be a broken feed (all names were changed) or news (autumn has
    come, and the reference ended in summer). Where the reference's own windows lack one level or
    another all the time, a window full of a new one is what the column does. Where each window had
    all of them, and now they are gone, something was done to the names. Without a calibration
    nobody knows which of both it is, and the limit stays.

    Parameters
    ----------
    scores : sequence of Score
        What the checks found.
    reference : Reference
        With its calibration, or without.
    counted : Profile or None
        The window's features, over the reference's bins.
    window : Window
        The window.
    policy : WindowPolicy
        How rows are cut now.
    """
    calibration = reference.calibration
    if counted is None or calibration is None or uncalibrated(calibration, policy):
        return list(scores)
    one = replace(whole(counted), starts=(window.start,))
    return [
        replace(score, threshold=None, detail="levels come and go in the reference, too")
        if _is_many(score) and not _steady_fell(str(score.column), reference, one)
        else score
        for score in scores
    ]


def _is_many(score: Score) -> bool:
    if score.method != UNSEEN or score.value is None or score.threshold is None:
        return False
    return score.value > score.threshold


def _steady_fell(name: str, reference: Reference, window: Profile) -> bool:
    """Say whether a level's share lies below all that the reference's windows let expect."""
    calibration = reference.calibration
    if calibration is None or name not in calibration.columns:
        return True
    made = contrasts_of(reference.columns[name], calibration.n_windows, feature=True)
    assert reference.columns[name].kind is Kind.CATEGORICAL
    found = surprise(
        calibration.columns[name],
        contrasted(made, window.columns[name]),
        design(window.starts, calibration.periods),
    )
    n_levels = len(made.levels)
    t, p = found.t[0, :n_levels], found.p[0, :n_levels]
    return bool(np.any((t < 0) & (p * n_levels < BY_CHANCE)))
