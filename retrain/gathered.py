"""Gathered: what all trials have shown of a champion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from retrain.comparison import Blocks
from retrain.dataset import Dataset
from retrain.evidence import Document, Window, group, joined, told_by, windows_of
from retrain.lineage import aware
from retrain.recipe import Recipe
from retrain.version import Retrained
from retrain.world import World


@dataclass(frozen=True)
class Gathered:
    """What trials have shown of a champion.

    Parameters
    ----------
    windows : sequence of Window
        On which it was held against its recipe, fitted again; oldest first.
    recipe : Recipe or None
        The one that counted in the newest trial.
    """

    windows: Sequence[Window]
    recipe: Recipe | None

    @property
    def newest_since(self) -> datetime | None:
        """Event time after which the rows of the newest trial are; None where it is the first."""
        return self.windows[-2].until if len(self.windows) > 1 else None

    def before(self, rows: Dataset) -> list[Window]:
        """Return the windows before some rows."""
        begin = aware(rows.event_at[0])
        return [one for one in self.windows if one.until < begin]

    def together(self, rows: Dataset) -> list[Blocks]:
        """Return the windows before some rows that are looked at together with them."""
        return joined(group(self.before(rows)))


def gathered(model: Retrained, champion: int, world: World) -> Gathered:
    """Return what trials have shown of a champion since it was trained."""
    trials = trials_of(model.name, champion, world)
    used_until = world.registry.used_until(model.name)
    told = [one for one in trials if "recipes" in one["details"]]
    windows = windows_of(trials, model.search.metric, used_until)
    return Gathered(windows, told_by(told[-1]) if told else None)


def trials_of(model: str, champion: int, world: World) -> list[Document]:
    """Return the trials of a champion, oldest first."""
    return [one for one in world.runs.trials(model) if one["champion"] == champion]
