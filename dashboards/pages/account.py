"""Account: what one run did, as its page tells it.

Records differ: a run may have ended before it came to a step, and old ones lack what is recorded
now. Whatever is absent is left out, or said to be.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dashboards.pages.phrase import counted, day, lasted, parsed
from monitor.checks.performance import METRICS
from retrain.aftermath import Aftermath, version_of
from retrain.gate import SEGMENT_LEVEL
from retrain.live import Live
from retrain.odd_windows import judged_without
from retrain.registered import Version

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Account:
    """One run, ready to be shown.

    Parameters
    ----------
    run : mapping of str to object
        As it is recorded.
    since : Aftermath
        What became of it.
    request : mapping or None
        What asked for it.
    versions : mapping of int to Version
        The model's.
    before, after : int or None
        Numbers of the model's runs before and after it.
    """

    run: Document
    since: Aftermath
    request: Document | None
    versions: Mapping[int, Version]
    before: int | None
    after: int | None

    @property
    def details(self) -> Document:
        """What is known of it."""
        return self.run["details"] or {}

    @property
    def made(self) -> Version | None:
        """The version that it has made itself, while that is registered."""
        version = self._version(version_of(self.run))
        return version if version and version.lineage.get("run") == self.run["id"] else None

    @property
    def found_by(self) -> int | None:
        """The earlier run that found the challenger, where this one looked at it again."""
        version = self._version(self.details.get("challenger"))
        found = version.lineage.get("run") if version else None
        return found if found != self.run["id"] else None

    def _version(self, number: int | None) -> Version | None:
        return None if number is None else self.versions.get(number)

    @property
    def recipe(self) -> Document | None:
        """The challenger's recipe, where it is on record."""
        about = self._version(version_of(self.run))
        return self.details.get("recipe") or (about.recipe if about else None)


def in_order(details: Document) -> Sequence[Document]:
    """Return the candidates of a run: the winner, the finished by score, then the others.

    Examples
    --------
    >>> def tried(name, score, won=False):
    ...     return {"recipe": {"name": name}, "score": score, "won": won}
    >>> better = tried("mlp", 0.6), tried("linear", 0.7, True), tried("wide", 0.71)
    >>> details = {"trials": [tried("tree", None), *better], "comparison": {"metric": "roc_auc"}}
    >>> [one["recipe"]["name"] for one in in_order(details)]
    ['linear', 'wide', 'mlp', 'tree']
    """
    compared = details.get("comparison")

    def place(trial: Document) -> tuple[bool, bool, float]:
        score, worth = trial["score"], 0.0
        if score is not None and compared is not None:
            worth = METRICS[compared["metric"]].gain(champion=0.0, challenger=score)
        return score is None, not trial.get("won"), -worth

    return sorted(details["trials"], key=place)


def effort(trials: Sequence[Document]) -> str:
    """Say what the candidates have taken.

    Examples
    --------
    >>> effort([{"n_fits": 2, "seconds": 0.5}, {"n_fits": 3, "seconds": 12.0}])
    '2 candidates, 5 fits, 12 s'
    """
    n_fits, seconds = (sum(trial[name] for trial in trials) for name in ("n_fits", "seconds"))
    took = lasted(timedelta(seconds=seconds))
    return f"{counted(len(trials), 'candidate')}, {counted(n_fits, 'fit')}, {took}"


def learned_from(recipe: Document) -> str:
    """Say which rows a recipe learns from.

    Examples
    --------
    >>> learned_from({"training_range": None, "fading": True})
    'all rows, older ones weighing less'
    >>> learned_from({"training_range": 8, "fading": False})
    'the newest 8 windows'
    """
    newest = recipe.get("training_range")
    rows = f"the newest {counted(newest, 'window')}" if newest else "all rows"
    return f"{rows}, older ones weighing less" if recipe.get("fading") else rows


def settings(recipe: Document) -> str:
    """Say how a recipe is set and how it prepares features.

    Examples
    --------
    >>> settings({"params": {"max_depth": 8}, "preprocessing": {"missing": "median"}})
    'max_depth 8; missing median'
    """
    parts = (recipe.get("params", {}), recipe.get("preprocessing", {}))
    told = (", ".join(f"{name} {value}" for name, value in part.items()) for part in parts)
    return "; ".join(part for part in told if part)


def from_to(times: Document) -> str:
    """Say from when until when rows go.

    Examples
    --------
    >>> from_to({"from": "2013-03-31 23:57:00+00:00", "until": "2013-04-14 23:55:00+00:00"})
    '2013-03-31 23:57 to 2013-04-14 23:55'
    """
    begin, end = (parsed(times[name]) for name in ("from", "until"))
    return f"{day(begin)} to {day(end)}"


def signed(value: float | None) -> str:
    """Write a gain.

    Examples
    --------
    >>> signed(0.01063), signed(-0.00453), signed(None)
    ('+0.0106', '-0.00453', '—')
    """
    return "—" if value is None else f"{value:+.3g}"


def sure(confidence: float) -> str:
    """Write a confidence in percent, with two digits of what is missing.

    Examples
    --------
    >>> sure(0.95996), sure(0.9971951), sure(0.999955)
    ('96.0 %', '99.72 %', '99.9955 %')
    """
    missing = 100 * (1 - confidence)
    digits = 1 if missing <= 0 else max(0, 1 - math.floor(math.log10(missing)))
    return f"{100 * confidence:.{min(digits, 8)}f} %"


def segments(details: Document) -> str:
    """Say what the segments have shown, in a sentence; a table beside it has the numbers.

    Examples
    --------
    >>> segments({"comparison": {"passed": False}, "segments": []})
    'not asked: that takes a gain that is sure'
    >>> segments({"comparison": {"passed": True}})
    'not on record'
    >>> harmed = {"column": "shop", "level": "north", "p": 0.001}
    >>> segments({"comparison": {"passed": True}, "segments": [harmed, {"p": 0.4}]})
    'shop is north: surely harmed, which refuses it; 2 tested'
    """
    found = details.get("segments")
    if found is None:
        return "not on record"
    if not details["comparison"]["passed"]:
        return "not asked: that takes a gain that is sure"
    if not found:
        return "none is declared that has rows enough"
    worst = found[0]
    if worst["p"] > SEGMENT_LEVEL / len(found):
        return f"none is surely harmed; {len(found)} tested"
    told = f"{worst['column']} is {worst['level']}: surely harmed, which refuses it"
    return f"{told}; {len(found)} tested"


def checked(details: Document) -> Iterator[tuple[str, str]]:
    """Say what was checked beside the gain, by name, in the order of a run."""
    if "notes" not in details:
        return
    notes = details["notes"]
    alarms = "; ".join(notes.get("leakage", ()))
    yield "Leakage", f"alarm: {alarms}" if alarms else "no feature seems to know the label"
    left_out = ", ".join(f"{name} ({why})" for name, why in notes.get("left_out", {}).items())
    yield "Features left out", left_out or "none"
    if notes.get("rows_left_out"):
        yield "Training rows left out", f"{notes['rows_left_out']:,} by how it prepares features"
    if notes.get("odd_windows"):
        yield "Reference windows", judged_without(notes["odd_windows"])
    if notes.get("calibration"):
        yield "Probabilities", notes["calibration"]
    if details.get("live"):
        yield "Live traffic", Live(**details["live"]).sentence
    yield "Skew", _skew(details)
    yield "Serving", _serving(details)


def _skew(details: Document) -> str:
    skew = details.get("skew")
    if skew is None:
        return "not asked: the gate comes first"
    if not skew["n_rows"]:
        return "not asked: no logged prediction is the champion's own"
    rows = counted(skew["n_rows"], "logged prediction")
    if not skew["n_off"]:
        return f"none: {rows} of the champion, predicted again, are the same"
    return f"{skew['n_off']:,} of {rows} of the champion differ, by up to {skew['largest']:.3g}"


def _serving(details: Document) -> str:
    costs = details.get("serving")
    if costs is None:
        return "not measured: the gate comes first"
    if not costs:
        return "not measured: the champion is served elsewhere"
    told = (
        f"{who} {cost['seconds'] * 1e3:.3g} ms and {cost['n_bytes'] / 1024:,.0f} KiB"
        for who, cost in sorted(costs.items())
    )
    return f"{', '.join(told)}: a prediction of one row, and the model file"
