"""Card: what a version is, of what it was made and how good it is, for a person to read."""

from collections.abc import Iterable, Iterator, Mapping

from monitor.checks.performance import METRICS
from monitor.reference import Z95, Estimate
from monitor.schema import Schema, Task
from retrain.bundle import Bundle, Lineage
from retrain.fading import HALF_WEIGHT_WINDOWS


def card(bundle: Bundle) -> str:
    """Return a version's model card, in Markdown.

    Parameters
    ----------
    bundle : Bundle
        The version; its number is not known before it is registered.

    References
    ----------
    Mitchell et al. (2019), "Model cards for model reporting", FAT*.
    """
    lineage, schema = bundle.lineage, bundle.reference.schema
    sections = {
        f"# {_plain(bundle.model)}": _what(schema),
        "## How it was made": [*_made(bundle), *_of_rows(lineage)],
        "## How good it is": [
            *_metrics("On rows that decided its promotion", bundle.gate),
            *_metrics("Its windows are held against", bundle.reference.performance),
        ],
        "## What to know": _to_know(bundle),
        "## What it takes": [f"- {_code(name)}: {kind}" for name, kind in schema.features.items()],
        "## Made with": [f"- {name} {version}" for name, version in lineage.versions.items()],
    }
    return "\n".join(f"{title}\n\n{_lines(lines)}" for title, lines in sections.items())


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def _what(schema: Schema) -> Iterator[str]:
    target = _code(schema.target)
    if schema.task is Task.REGRESSION:
        yield f"Predicts the number {target}."
    elif schema.task is Task.BINARY:
        yield f"Predicts how likely {target} is {_code(schema.positive)}."
    else:
        yield f"Predicts {target}: {', '.join(map(_code, schema.classes))}."


def _made(bundle: Bundle) -> Iterator[str]:
    recipe, lineage = bundle.recipe, bundle.lineage
    yield f"- why: {_plain(lineage.reason)}"
    if lineage.parent is not None:
        yield f"- in place of version {lineage.parent}, by run {lineage.run}"
    if not recipe:
        yield "- elsewhere: Leeway has no recipe of it"
        return
    yield f"- recipe: {_plain(str(recipe['name']))} ({_code(str(recipe['algorithm']))})"
    for part in ("params", "preprocessing"):
        named = recipe[part]
        assert isinstance(named, Mapping)
        given = ", ".join(f"{name} {value}" for name, value in named.items())
        yield f"- {part}: {_plain(given) or 'none'}"
    mapping = recipe.get("calibration")
    if isinstance(mapping, Mapping):
        slope, intercept = mapping["slope"], mapping["intercept"]
        yield f"- log-odds of its probabilities: {slope:.4g} times the model's, {intercept:+.4g}"
    newest = recipe["training_range"]
    yield f"- learned from {f'the newest {newest} windows' if newest else 'all rows'}" + (
        f", each weighing 1 / (1 + its age in windows / {HALF_WEIGHT_WINDOWS})"
        if recipe.get("fading")
        else ""
    )


def _of_rows(lineage: Lineage) -> Iterator[str]:
    yield f"- rows: {lineage.n_rows}, SHA-256 {lineage.data_sha256}"
    if lineage.trained_from and lineage.trained_until:
        yield f"- from {lineage.trained_from.isoformat()} until {lineage.trained_until.isoformat()}"
    yield f"- seed: {lineage.seed}"


def _metrics(title: str, found: Mapping[str, Estimate]) -> Iterator[str]:
    if found:
        yield f"{title}, with 95 % bands:\n"
        for name, one in found.items():
            margin = Z95 * one.standard_error
            yield f"- {METRICS[name].title}: {one.value:.4g} ± {margin:.2g} ({one.n} rows)"
        yield ""


def _to_know(bundle: Bundle) -> Iterator[str]:
    notes = bundle.lineage.notes
    for alarm in notes.leakage:
        yield f"- leakage alarm: {_plain(alarm)}: is it known when a prediction is made?"
    if notes.rows_left_out:
        yield f"- {notes.rows_left_out} of these rows are left out by its preparation"
    for name, why in notes.left_out.items():
        yield f"- {_code(name)} is left out: {why}"
    for start, columns in notes.odd_windows.items():
        listed = ", ".join(map(_code, columns))
        yield f"- {listed}: drift is judged without the reference window of {start}: it stands out"
    if bundle.reference.schema.task is not Task.REGRESSION:
        asked = notes.calibration or "nobody has asked whether to calibrate them"
        yield f"- probabilities: {asked}"


def _code(text: str) -> str:
    return f"`{_plain(text).replace('`', chr(39))}`"


def _plain(text: str) -> str:
    """Return text on one line, so that a name makes no heading of its own."""
    return " ".join(text.split())
