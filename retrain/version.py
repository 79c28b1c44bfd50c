"""Version: a bundle made of rows and a recipe."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from sklearn.pipeline import Pipeline

from monitor.batch import LABEL, MODEL_VERSION
from monitor.cells import windows
from monitor.checks.estimable import estimable
from monitor.checks.performance import performance
from monitor.checks.segments import Segments, segment_performance
from monitor.columns import TableColumns
from monitor.reference import Cut, Estimate, Reference, calibrated, prepare
from monitor.schema import Kind, Schema
from monitor.window import MONDAY, WindowPolicy
from retrain.bundle import Bundle, Notes
from retrain.calibrated import several_chances
from retrain.candidates import fit
from retrain.contenders import reference_windows
from retrain.dataset import Dataset, TargetArray, from_table, newest, take
from retrain.lineage import Origin, aware, lineage_of
from retrain.noticed import left_out, noticed, warned
from retrain.odd_windows import odd_windows
from retrain.out_of_fold import out_of_fold, with_predictions
from retrain.recipe import Recipe
from retrain.search import search
from retrain.search_policy import SearchPolicy
from retrain.servable import ANY_SENSIBLE, ServingPolicy
from retrain.side_by_side import at_once, stopping_early

MIN_REFERENCE_WINDOWS = 13
"""A promoted version's drift reference spans at least a quarter of weekly windows."""


@dataclass(frozen=True)
class Retrained:
    """One model as retraining needs it.

    Parameters
    ----------
    name : str
        The model.
    schema : Schema
        Its columns.
    search : SearchPolicy
        How candidates are compared.
    minimum_gain : float
        Gain a challenger must surely have, in the metric's unit.
    seed : int
        Seed of every random choice.
    segments : tuple of str
        Features whose levels are also looked at one by one.
    cost : float or None
        What a promotion costs, in the metric's unit times rows: the champion must have lost more
        before a trial opens a run. None is `retrain.evidence.usual_cost`.
    approval : bool
        A person promotes what has passed the gate.
    anchor : datetime
        An instant at which a window of event time starts.
    serving : ServingPolicy
        What a version may cost that takes over.
    """

    name: str
    schema: Schema
    search: SearchPolicy
    minimum_gain: float
    seed: int
    segments: tuple[str, ...] = ()
    cost: float | None = None
    approval: bool = False
    anchor: datetime = MONDAY
    serving: ServingPolicy = ANY_SENSIBLE

    @property
    def windows(self) -> WindowPolicy:
        """How rows are cut into windows."""
        window = self.search.window
        if isinstance(window, int):
            return WindowPolicy(rows=window)
        return WindowPolicy(every=window, anchor=self.anchor)


def first_version(
    table: pa.Table,
    model: Retrained,
    monotonic: Callable[[], float],
    progress: Callable[[float, str], None],
) -> Bundle:
    """Train version 1 on reference rows, without a gate: there is no champion to beat.

    Parameters
    ----------
    table : pyarrow.Table
        Labelled rows in the log's shape.
    model : Retrained
        The model.
    monotonic : callable
        A stopwatch in seconds.
    progress : callable
        Told the share done, in 0-1, and what is going on.
    """
    rows = from_table(table, model.schema, LABEL)
    found = search(
        rows,
        model.schema,
        model.search,
        seed=model.seed,
        monotonic=monotonic,
        progress=lambda done, total, text: progress(0.8 * done / max(total, 1), text),
    )
    performance = {name: one.overall for name, one in found.evaluation.items()}
    progress(0.8, f"fitting {found.recipe.name} on all rows")
    columns, importance = _out_of_fold(rows, found.recipe, model)
    reference = prepare(
        columns,
        model.schema,
        performance=performance,
        start=aware(rows.event_at[0]),
        end=aware(rows.event_at[-1]),
        segments=_segments(found.validation, found.predictions, model),
    )
    reference = replace(_watchable(reference, columns, rows, model), importance=importance)
    pipeline = fit(found.recipe, rows, model.schema, window=model.search.window, seed=model.seed)
    notes = noticed(pipeline, rows, found.recipe, model.schema, seed=model.seed)
    notes = replace(notes, calibration=found.calibration.reason)
    progress(0.95, warned(f"{found.recipe.name} is fitted", notes))
    notes = replace(notes, odd_windows=odd_windows(reference))
    lineage = lineage_of(Origin("first version", notes=notes), rows, model.seed)
    return Bundle(model.name, reference, pipeline, asdict(found.recipe), performance, lineage)


def watched_only(table: pa.Table, model: Retrained, pipeline: Any = None) -> Bundle:
    """Make version 1 of a model that is served elsewhere: a reference, and no model.

    Parameters
    ----------
    table : pyarrow.Table, shape (n_rows, n_columns)
        Labelled rows in the log's shape, with the model's predictions.
    model : Retrained
        The model.
    pipeline : object or None
        The model itself, where it is here to be asked for the chances of several classes.
    """
    schema = model.schema
    rows = from_table(table, with_logged(schema), LABEL)
    predictions = rows.features[schema.prediction].to_numpy()
    reached = performance(rows.target, predictions, schema)
    chances = several_chances(pipeline, rows.features[list(schema.features)], schema)
    columns = with_predictions(rows, schema, predictions, chances)
    reference = prepare(
        columns,
        schema,
        performance=reached,
        start=aware(rows.event_at[0]),
        end=aware(rows.event_at[-1]),
        segments=_segments(rows, predictions, model),
    )
    reference = _watchable(reference, columns, rows, model)
    notes = Notes(odd_windows=odd_windows(reference))
    lineage = lineage_of(Origin("watched only", notes=notes), rows, model.seed)
    return Bundle(model.name, reference, None, {}, reached, lineage)


def successor(
    rows: Dataset,
    recipe: Recipe,
    model: Retrained,
    *,
    before: Reference,
    gate: Mapping[str, Estimate],
    origin: Origin,
) -> Bundle:
    """Fit a recipe that passed the gate on all rows, the hold-out included.

    The drift reference is the newest rows, whatever the recipe learned from; the performance
    reference stays what it was: an easier one would hide later damage.

    Parameters
    ----------
    rows : Dataset
        All labelled rows.
    recipe : Recipe
        What passed.
    model : Retrained
        The model.
    before : Reference
        The champion's.
    gate : mapping of str to Estimate
        The challenger's metrics on the hold-out.
    origin : Origin
        Why it is made.
    """
    window = model.search.window
    n_windows = max(MIN_REFERENCE_WINDOWS, reference_windows(before, window))
    spanned = _newest_windows(rows, n_windows, model.windows)
    with stopping_early(), ThreadPoolExecutor(1) as beside:
        # One fit keeps one core busy; the few rows out of fold take little memory beside it.
        fitted = beside.submit(fit, recipe, rows, model.schema, window=window, seed=model.seed)
        if at_once([recipe.algorithm]) == 1:
            wait([fitted])
        columns, importance = _out_of_fold(spanned, recipe, model)
        reference = prepare(
            columns,
            model.schema,
            performance=before.performance,
            start=aware(spanned.event_at[0]),
            end=aware(spanned.event_at[-1]),
            segments=before.segments,
        )
        reference = _watchable(reference, columns, spanned, model)
        reference = replace(reference, importance=importance)
        pipeline = fitted.result()
    learned = newest(rows, recipe.training_range, window)
    without = left_out(learned, recipe, model.schema, seed=model.seed)
    notes = replace(origin.notes, odd_windows=odd_windows(reference), **without)
    lineage = lineage_of(replace(origin, notes=notes), learned, model.seed)
    return Bundle(model.name, reference, pipeline, asdict(recipe), gate, lineage)


def _newest_windows(rows: Dataset, n_windows: int, policy: WindowPolicy) -> Dataset:
    """Return the rows of the newest windows that have any: one with an incident has none."""
    if policy.rows is not None:
        return newest(rows, n_windows, policy.rows)
    cells = windows(rows.event_at, policy)
    return take(rows, cells.of_row >= len(cells.starts) - n_windows)


def frozen(
    rows: Dataset,
    recipe: Recipe,
    pipeline: Pipeline,
    model: Retrained,
    *,
    before: Bundle,
    origin: Origin,
) -> Bundle:
    """Return a challenger as it goes into the gate: the champion's bundle with another model.

    Parameters
    ----------
    rows : Dataset
        What it was fitted on.
    recipe : Recipe
        How.
    pipeline : Pipeline
        Fitted.
    model : Retrained
        The model.
    before : Bundle
        The champion.
    origin : Origin
        Why it is made.
    """
    lineage = lineage_of(
        origin, newest(rows, recipe.training_range, model.search.window), model.seed
    )
    # Nothing is told of windows by it: whoever is promoted gets a reference of its own.
    return Bundle(model.name, before.reference, pipeline, asdict(recipe), {}, lineage)


def _out_of_fold(
    rows: Dataset, recipe: Recipe, model: Retrained
) -> tuple[TableColumns, dict[str, float]]:
    return out_of_fold(rows, recipe, model.schema, window=model.search.window, seed=model.seed)


def _watchable(
    reference: Reference, columns: TableColumns, rows: Dataset, model: Retrained
) -> Reference:
    """Learn from a reference's windows how much they wobble, and how far estimates are off."""
    cut = Cut(rows.event_at, model.windows)
    return estimable(calibrated(reference, columns, cut), columns, cut, model.search.metric)


def _segments(rows: Dataset, predictions: TargetArray, model: Retrained) -> Segments:
    """Return the deciding metric by segment, on rows that the model was not fitted on."""
    features = pa.Table.from_pandas(rows.features[list(model.segments)], preserve_index=False)
    return segment_performance(
        rows.target,
        predictions,
        features,
        model.schema,
        segments=model.segments,
        metric=model.search.metric,
    )


def with_logged(schema: Schema) -> Schema:
    """Carry the logged prediction along, and who made it; no pipeline looks at them."""
    logged = {schema.prediction: schema.prediction_kind, MODEL_VERSION: Kind.NUMERIC}
    return replace(schema, features={**schema.features, **logged})
