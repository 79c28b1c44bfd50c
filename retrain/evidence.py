"""Evidence: what trials have shown since a champion was trained, window by window."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from monitor.checks.performance import METRICS, AnyArray, is_positive, performance
from monitor.schema import Schema, Task
from retrain.comparison import MIN_BLOCKS, Blocks, ComparisonPolicy, judged, pooled
from retrain.gate import N_LOOKS, confidence
from retrain.recipe import Recipe

Document = Mapping[str, Any]

COST_SHARE = 0.125
"""What a promotion costs where nobody said it: this share of what a model without skill loses in a
window."""

N_RECENT = 3
"""Trials by which the recipe that counts in the next one is chosen."""


@dataclass(frozen=True)
class Window:
    """A window that the champion and its recipe, fitted again on older rows, both predicted.

    Parameters
    ----------
    until : datetime
        Event time of its newest row.
    blocks : Blocks
        Their metric in blocks of its rows.
    unskilled : float
        What a model without skill loses there, see `unskilled`.
    n_windows : int
        Windows that it spans: several where a challenger was looked at again.
    """

    until: datetime
    blocks: Blocks
    unskilled: float
    n_windows: int = 1


def document(window: Window) -> dict[str, Any]:
    """Return a window as JSON values."""
    seen = window.blocks
    return {
        "until": window.until.isoformat(),
        "metric": seen.metric,
        "pairs": seen.pairs.tolist(),
        "unit": seen.unit,
        "n_rows": seen.n_rows,
        "unskilled": window.unskilled,
    }


def _from_document(document: Document) -> Window:
    pairs = np.array(document["pairs"], dtype=np.float64).reshape(-1, 2)
    blocks = Blocks(document["metric"], pairs, document["unit"], document["n_rows"])
    return Window(datetime.fromisoformat(document["until"]), blocks, document["unskilled"])


def unskilled(labels: AnyArray, schema: Schema, metric: str) -> float:
    """Return the loss of a model that always predicts the same, as well as one can.

    That is the median (regression), the share of the positive class (binary) or the most frequent
    class of these very labels: the denominator of a skill score (Murphy, *Skill scores based on the
    mean square error*, Monthly Weather Review 116, 1988).

    Parameters
    ----------
    labels : ndarray, shape (n_rows,)
        As `monitor.checks.performance.performance` takes them; at least one row.
    schema : Schema
        Task and classes.
    metric : str
        What decides.

    Returns
    -------
    float
        At least 0; 1 where such predictions do not define the metric, as of the precision.
    """
    if schema.task is Task.REGRESSION:
        always: Any = np.median(labels.astype(np.float64))
    elif schema.task is Task.BINARY:
        always = is_positive(labels, schema).mean()
    else:
        names, counts = np.unique(labels.astype(str), return_counts=True)
        always = names[counts.argmax()]
    found = performance(labels, np.full(len(labels), always), schema).get(metric)
    return METRICS[metric].loss(found.value) if found else 1.0


def windows_of(
    trials: Sequence[Document], metric: str, used_until: datetime | None
) -> list[Window]:
    """Return the windows on which a champion was tried, oldest first.

    Parameters
    ----------
    trials : sequence of mapping
        Those of this champion.
    metric : str
        What decides.
    used_until : datetime or None
        Windows up to here have trained it, or a version that was rolled back.
    """
    details = (one["details"] for one in trials)
    found = [_from_document(one["window"]) for one in details if "window" in one]
    return [
        one
        for one in found
        if one.blocks.metric == metric and (used_until is None or one.until > used_until)
    ]


def group(windows: Sequence[Window]) -> list[Blocks]:
    """Return the newest windows that are looked at together, the newest one among them.

    As of a challenger in the gate: five at most, and what is not ahead leaves. Each group has its
    own error of 5 %.
    """
    together: list[Blocks] = []
    for window in windows:
        together = [*joined(together), window.blocks]
    return together


def joined(together: list[Blocks]) -> list[Blocks]:
    """Return the windows that the next one is looked at with; none begins a new group."""
    if len(together) == N_LOOKS or (together and _is_behind(pooled(together))):
        return []
    return together


def _is_behind(seen: Blocks) -> bool:
    return len(seen.pairs) >= MIN_BLOCKS and bool(seen.gains.mean() <= 0)


def lost(windows: Sequence[Window]) -> float:
    """Return what the champion has lost by not being fitted again, in the metric's unit times rows.

    Windows that it was not tried on count nothing.
    """
    seen = [one.blocks for one in windows]
    return float(sum(one.gains.mean() * one.n_rows for one in seen if len(one.pairs)))


def usual_cost(windows: Sequence[Window]) -> float:
    """Return what a promotion costs where nobody said it, in the metric's unit times rows."""
    losses = sum(one.unskilled * one.blocks.n_rows for one in windows)
    return COST_SHARE * losses / sum(one.n_windows for one in windows)


def verdict(
    windows: Sequence[Window], *, minimum_gain: float, cost: float | None
) -> tuple[bool, str]:
    """Tell whether a run pays, and why.

    Parameters
    ----------
    windows : sequence of Window
        All on which the champion was tried, oldest first; at least one.
    minimum_gain : float
        The lower bound of the gain must be above it, in the metric's unit.
    cost : float or None
        What a promotion costs, in the metric's unit times rows; None is `usual_cost`.
    """
    together = group(windows)
    newest, n_windows = together[-1], len(together)
    policy = ComparisonPolicy(newest.metric, minimum_gain, confidence(n_windows / N_LOOKS))
    shown = judged(pooled(together), policy)
    on = "on one window" if n_windows == 1 else f"on {n_windows} windows together"
    reason = f"a trial {on}: {shown.reason}"
    if not shown.passed:
        return False, reason
    if newest.gains.size and newest.gains.mean() <= 0:
        return False, f"{reason}; but not in the newest window"
    pays, price = worth(windows, cost)
    return pays, f"{reason}; {price}"


def worth(windows: Sequence[Window], cost: float | None) -> tuple[bool, str]:
    """Tell whether a champion has lost more than a promotion costs, see `verdict`."""
    harm = lost(windows)
    cost = usual_cost(windows) if cost is None else cost
    title = METRICS[windows[-1].blocks.metric].title
    relation = "more" if harm > cost else "not more"
    return harm > cost, (
        f"without it the champion has lost {harm:.3g} of {title} times rows, {relation} than a "
        f"promotion costs ({cost:.3g})"
    )


def best(contenders: Sequence[Recipe], trials: Sequence[Document]) -> int:
    """Return the place of the recipe that did best in the newest trials; 0 before any.

    It is chosen on windows before the one that it will be tried on.

    Parameters
    ----------
    contenders : sequence of Recipe
        The champion's own first.
    trials : sequence of mapping
        Those of this champion, oldest first.
    """
    details = (one["details"] for one in trials)
    recent = [one["recipes"] for one in details if "recipes" in one][-N_RECENT:]

    def gain(recipe: Recipe) -> float:
        mine = asdict(recipe)
        shown = [one["gain"] for trial in recent for one in trial if one["recipe"] == mine]
        known = [one for one in shown if one is not None]
        return float(np.mean(known)) if len(known) == len(recent) else -np.inf

    return max(range(len(contenders)), key=lambda place: gain(contenders[place])) if recent else 0


def told_by(trial: Document) -> Recipe:
    """Return the recipe that counted in a trial."""
    details = trial["details"]
    return Recipe.from_document(details["recipes"][details["chosen"]]["recipe"])
