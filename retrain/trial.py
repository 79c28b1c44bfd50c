"""Trial: a request for a trial, carried out, and what all of a champion's have shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.errors import NotPossibleError
from retrain.comparison import Blocks
from retrain.dataset import Dataset
from retrain.evidence import Document, Window, group, joined, told_by, windows_of
from retrain.gain import Champion, promised
from retrain.lineage import aware
from retrain.ports import Request, Shown
from retrain.recipe import Recipe
from retrain.version import Retrained
from retrain.world import World, collect


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
    trials = _trials(model, champion, world)
    used_until = world.registry.used_until(model.name)
    told = [one for one in trials if "recipes" in one["details"]]
    windows = windows_of(trials, model.search.metric, used_until)
    return Gathered(windows, told_by(told[-1]) if told else None)


def trial(request: Request, model: Retrained, world: World) -> None:
    """Tell whether a run would pay, and ask for it if so.

    Parameters
    ----------
    request : Request
        What is asked for.
    model : Retrained
        The model.
    world : World
        Everything outside.
    """
    champion = world.registry.champion(model.name)
    try:
        found = _shown(champion, model, world)
    except Exception as error:  # noqa: BLE001 - a trial that breaks says so, and opens no run
        kind = "" if isinstance(error, NotPossibleError) else f"{type(error).__name__}: "
        found = Shown(pays=False, n_fits=0, reason=f"{kind}{error}", details={})
    world.runs.tried(request, champion, found, world.clock.now())


def _shown(champion: int, model: Retrained, world: World) -> Shown:
    if world.gate.inside(model.name) is not None:
        raise NotPossibleError("a run has brought a challenger into the gate meanwhile")
    bundle = world.registry.load(model.name, champion)
    used_until = world.registry.used_until(model.name)
    trials = _trials(model, champion, world)
    return promised(Champion(bundle, used_until, trials), collect(model, world), model)


def _trials(model: Retrained, champion: int, world: World) -> list[Document]:
    return [one for one in world.runs.trials(model.name) if one["champion"] == champion]
