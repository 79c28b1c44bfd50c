"""Trial: a request for a trial, carried out."""

from monitor.errors import NotPossibleError
from retrain.gain import Champion, promised
from retrain.gathered import trials_of
from retrain.record import Request, Shown
from retrain.version import Retrained
from retrain.world import World, collect


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
    if world.runs.inside(model.name) is not None:
        raise NotPossibleError("a run has brought a challenger into the gate meanwhile")
    bundle = world.registry.load(model.name, champion)
    used_until = world.registry.used_until(model.name)
    trials = trials_of(model.name, champion, world)
    return promised(Champion(bundle, used_until, trials), collect(model, world), model)
