"""Running: what a run carries from step to step, and how it looks at a challenger."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from sklearn.pipeline import Pipeline

from monitor.action import Reason, Trigger
from retrain.bundle import Bundle, Notes
from retrain.candidates import fit
from retrain.dataset import Dataset
from retrain.evidence import Window, unskilled, worth
from retrain.gate import N_LOOKS, Contest, Look, Step, guesses, look_at
from retrain.gathered import Gathered, gathered
from retrain.lineage import Origin, aware
from retrain.prediction import predict
from retrain.recipe import Recipe
from retrain.record import BY_HAND, Ended, Entry, Outcome, Request
from retrain.version import Retrained
from retrain.world import World

CALM = frozenset({Reason.SCHEDULE, Reason.NEW_ROWS, BY_HAND})
"""What opens a run without an alarm or a trial, in the words in which it is on record: a window's
decision asks by its reason."""


@dataclass(frozen=True)
class Running:
    """One run: what was asked for, its number, the champion at its beginning, and the world.

    With what opened the run that found the challenger, what was noticed about its rows, and what a
    person may ask about it so far, as JSON values.
    """

    request: Request
    number: int
    champion: int
    model: Retrained
    world: World
    opened_by: str
    notes: Notes = field(default_factory=Notes)
    details: Mapping[str, Any] = field(default_factory=dict)

    def tell(self, share: float, text: str) -> None:
        """Note how far it is; raises for a run that was ended meanwhile."""
        self.world.runs.progress(self.number, share, text)

    def knowing(self, **facts: Any) -> Self:
        """Return the run with more known of it: from now on that is on record, however it ends."""
        details = {**self.details, **facts}
        self.world.runs.note(self.number, details)
        return replace(self, details=details)

    def end(
        self, outcome: Outcome, reason: str, inside: Entry | None = None, **facts: Any
    ) -> Ended:
        """Return how it ends, with what is known of it; `Ended` says the rest."""
        return Ended(self.number, outcome, reason, {**self.details, **facts}, inside)

    def gathered(self) -> Gathered:
        """Return what trials have shown of the champion."""
        return gathered(self.model, self.champion, self.world)

    @property
    def origin(self) -> Origin:
        """Why a version is made."""
        return Origin(self.request.why, self.champion, self.number, self.notes)


def stand(
    run: Running,
    bundle: Bundle,
    recipe: Recipe,
    training: Dataset,
    holdout: Dataset,
    n_windows: int,
) -> tuple[Recipe, Pipeline, Look]:
    """Fit a recipe, and hold it against the champion for the first time.

    Parameters
    ----------
    run : Running
        The run.
    bundle : Bundle
        The champion.
    recipe : Recipe
        What to fit.
    training, holdout : Dataset
        What it learns from, and what decides.
    n_windows : int
        Windows of the hold-out.
    """
    model = run.model
    run.tell(0.7, f"fitting {recipe.name}")
    challenger = fit(recipe, training, model.schema, window=model.search.window, seed=model.seed)
    run.tell(0.8, f"comparing {recipe.name} with the champion")
    return recipe, challenger, look_with(run, bundle, challenger, holdout, n_windows)


def look_with(
    run: Running, bundle: Bundle, challenger: Pipeline, rows: Dataset, n_windows: int
) -> Look:
    """Hold a challenger against the champion on fresh rows, after what trials have shown.

    What an alarm has opened must also pay. A trial has weighed that, and a schedule, or a person,
    has said how often a version may be replaced.
    """
    model, evidence = run.model, run.gathered()
    contest = Contest(
        rows,
        guesses(bundle, rows, model.schema),
        predict(challenger, rows.features, model.schema),
        model.schema,
        model.segments,
    )
    metric, earlier = model.search.metric, evidence.together(rows)
    look = look_at(
        contest,
        min(N_LOOKS, n_windows + len(earlier)),
        metric=metric,
        minimum_gain=model.minimum_gain,
        earlier=earlier,
    )
    if look.step is not Step.PASS or run.opened_by in {Trigger.GAIN, *CALM}:
        return look
    lost = unskilled(rows.target, model.schema, metric)
    seen = Window(aware(rows.event_at[-1]), look.seen, lost, n_windows)
    pays, price = worth([*evidence.before(rows), seen], model.cost)
    step = Step.PASS if pays else Step.REFUSE
    return replace(look, step=step, reason=f"{look.reason}; {price}")
