"""Repeat: make a run's model again, out of the rows that were recorded, and compare."""

from collections.abc import Mapping
from typing import Any

from monitor.batch import LABEL
from monitor.errors import NotPossibleError
from retrain.bundle import Bundle
from retrain.candidates import fit
from retrain.collected import Part
from retrain.dataset import Dataset, from_table, newest
from retrain.holdout import until
from retrain.lineage import Origin, lineage_of
from retrain.recipe import Recipe
from retrain.version import Retrained, with_logged
from retrain.world import World


def repeat(record: Mapping[str, Any], model: Retrained, world: World) -> str:
    """Fit the recipe of the version that a run made, on the rows it was fitted on.

    Parameters
    ----------
    record : mapping of str to object
        The run, as it was recorded.
    model : Retrained
        The model.
    world : World
        Everything outside; nothing in it is changed.

    Returns
    -------
    str
        That the model is the same, bit for bit.

    Raises
    ------
    NotPossibleError
        If the run made no version, if its rows are not what they were, or if another model comes
        out.
    """
    version = _made_by(record)
    made = world.registry.load(model.name, version)
    if made.lineage.run != record["id"]:
        raise NotPossibleError(f"version {version} was made by run {made.lineage.run}: repeat that")
    rows = _rows(record, made, model, world)
    recipe, window = Recipe.from_document(made.recipe), model.search.window
    learned = newest(rows, recipe.training_range, window)
    here = lineage_of(Origin("repeated"), learned, made.lineage.seed)
    if here.data_sha256 != made.lineage.data_sha256:
        raise NotPossibleError(f"the rows are not those that version {version} was fitted on")
    again = fit(recipe, rows, model.schema, window=window, seed=made.lineage.seed)
    if not world.registry.is_model_of(again, model.name, version):
        others = [
            f"{name} {there} then, {here.versions.get(name)} now"
            for name, there in made.lineage.versions.items()
            if here.versions.get(name) != there
        ]
        why = ", ".join(others) or "with the same seed and versions"
        raise NotPossibleError(
            f"run {record['id']} gives another model than version {version}: {why}"
        )
    return (
        f"run {record['id']} gives version {version} again, bit for bit: {recipe.name} on "
        f"{len(learned)} rows of {len(record['details']['parts'])} parts"
    )


def _made_by(record: Mapping[str, Any]) -> int:
    details = record["details"] or {}
    found = details.get("version") or details.get("challenger")
    if found is None or "parts" not in details:
        raise NotPossibleError(f"run {record['id']} made no version, or recorded no rows")
    return int(found)


def _rows(record: Mapping[str, Any], made: Bundle, model: Retrained, world: World) -> Dataset:
    parts = [Part.from_document(one) for one in record["details"]["parts"]]
    table = world.rows.again(model.name, parts)
    return until(from_table(table, with_logged(model.schema), LABEL), made.lineage.trained_until)
