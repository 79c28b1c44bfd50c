"""Recut: references whose windows are cut as the configuration says now."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from monitor.ports import Champion, References
from monitor.reference import Reference, recut
from monitor.window import WindowPolicy


class Recut:
    """The `monitor.ports.References`, calibrated anew where windows were cut otherwise.

    A version is made with the windows of its day. Who changes them keeps the alert budget: the
    reference's profile is added up to the new windows, once for each version.

    Parameters
    ----------
    references : References
        As they were made.
    policies : mapping of str to WindowPolicy
        How each model's rows are cut now.
    """

    def __init__(self, references: References, policies: Mapping[str, WindowPolicy]) -> None:
        self._references = references
        self._policies = policies
        self._known: dict[tuple[str, int], Reference] = {}

    def at(self, model: str, instant: datetime) -> Champion:
        """Return who was champion just before an instant; NotFoundError without any version."""
        champion = self._references.at(model, instant)
        known, policy = champion.reference.calibration, self._policies[model]
        if known is None or (known.every, known.rows) == (policy.every, policy.rows):
            return champion
        key = model, champion.version
        if key not in self._known:
            self._known[key] = recut(champion.reference, policy)
        return replace(champion, reference=self._known[key])
