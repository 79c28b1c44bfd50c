"""Facts: what a replay reached and cost, as the JSON that demo and backtest write."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from monitor.action import GATE

Document = dict[str, Any]

NEVER = "never"
"""The policy that gains are told over, where it is among them."""

_KEPT = ("index", "start", "end", "n_rows", "status", "diagnosis", "decision", "reason", "champion")

_TOLD = ("check", "opened_at", "ended_at", "ended_how", "sentence")


def window_facts(window: Mapping[str, Any], metric: str) -> Document:
    """Return what is told of one window.

    Parameters
    ----------
    window : mapping
        A window of `monitor.adapters.history.History.windows`, or of the HTTP API.
    metric : str
        The metric that decides.
    """
    return {**{key: window[key] for key in _KEPT}, "metric": window["metrics"].get(metric)}


def opening_facts(alert: Mapping[str, Any]) -> Document:
    """Return what is told of one alert: its check, which window opened it, how it ended, and when.

    Parameters
    ----------
    alert : mapping
        An alert of `monitor.adapters.history.History.alerts`.
    """
    return {"window": alert["window_key"], **{key: alert[key] for key in _TOLD}}


def n_fits(runs: Sequence[Mapping[str, Any]]) -> int:
    """Count the runs that trained a challenger; a look at one that is in the gate trains none."""
    trained = ("promoted", "refused", "held")
    return sum(one["outcome"] in trained and one["trigger"] != GATE for one in runs)


def policy_facts(
    name: str,
    windows: Sequence[Document],
    costs: Mapping[str, int],
    *,
    bigger_is_better: bool,
) -> Document:
    """Return what a policy reached.

    Parameters
    ----------
    name : str
        The policy.
    windows : sequence of dict
        From `window_facts`.
    costs : mapping of str to int
        ``alerts``, ``fits``, ``promotions`` and ``rollbacks``.
    bigger_is_better : bool
        Which end of the metric is the worst.

    Returns
    -------
    dict
        ``mean`` is unweighted over the windows that have the metric; None without any.
    """
    reached = [window["metric"] for window in windows if window["metric"] is not None]
    worst = min if bigger_is_better else max
    return {
        "name": name,
        "mean": fmean(reached) if reached else None,
        "worst": worst(reached) if reached else None,
        **costs,
        "windows": list(windows),
    }


def compared_with(policies: Sequence[Document]) -> Document:
    """Return the policy that the others' gains are told over: never, else the first.

    Examples
    --------
    >>> compared_with([{"name": "always"}, {"name": "never"}])["name"]
    'never'
    """
    return next((one for one in policies if one["name"] == NEVER), policies[0])


def gain(policy: Document, over: Document, *, bigger_is_better: bool) -> float | None:
    """Return how much better a policy's mean is than another's; None where one has no labels.

    Examples
    --------
    >>> gain({"mean": 3.0}, {"mean": 5.0}, bigger_is_better=False)
    2.0
    """
    if policy["mean"] is None or over["mean"] is None:
        return None
    better, worse = (policy, over) if bigger_is_better else (over, policy)
    return float(better["mean"] - worse["mean"])
