"""Replays: what several policies would have made of one history, as a page of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.pages.chart import Chart, chart
from dashboards.pages.page import rendered
from dashboards.pages.phrase import counted, metric_title, number
from dashboards.pages.timeline import Strip, summary, timeline

Document = Mapping[str, Any]

NEVER, ALWAYS, CONFIGURED = "never", "always", "configured"


@dataclass(frozen=True)
class Replay:
    """A history under one policy.

    Parameters
    ----------
    facts : mapping
        ``name``, ``mean``, ``gain``, ``worst``, and what it cost, as `leeway backtest --json`
        writes them.
    windows, alerts, runs : sequence of mapping
        As the HTTP API shows them.
    """

    facts: Document
    windows: Sequence[Document]
    alerts: Sequence[Document]
    runs: Sequence[Document]


@dataclass(frozen=True)
class Compared:
    """What was compared.

    Parameters
    ----------
    model, history : str
        The model, and the file its history came from.
    metric : str
        The metric that decides.
    bigger_is_better : bool
        Which way it is better.
    compared_with : str
        The policy that gains are told over.
    notes : sequence of str
        What was left out, and why.
    made_at : datetime
        When.
    """

    model: str
    history: str
    metric: str
    bigger_is_better: bool
    compared_with: str
    notes: Sequence[str]
    made_at: datetime


@dataclass(frozen=True)
class Track:
    """One policy as it is drawn.

    Parameters
    ----------
    replay : Replay
        What is drawn.
    meaning : str
        What the policy does, in words.
    strip : Strip
        Its windows.
    chart : Chart or None
        Its metric, with that of never retraining beside it; None where no label came.
    summary : str
        Its windows counted by status.
    """

    replay: Replay
    meaning: str
    strip: Strip
    chart: Chart | None
    summary: str


def replays_page(compared: Compared, replays: Sequence[Replay]) -> str:
    """Return a page that needs nothing but itself: no script, no font, no picture from elsewhere.

    Parameters
    ----------
    compared : Compared
        What was compared.
    replays : sequence of Replay
        A policy each, of the same windows.
    """
    tracks = [_track(compared, one, replays) for one in replays]
    return rendered(
        "replays.html",
        compared=compared,
        tracks=tracks,
        sentence=sentence(compared, [one.facts for one in replays]),
    )


def sentence(compared: Compared, policies: Sequence[Document]) -> str:
    """Say in words what the policies reached, the configured one first.

    Examples
    --------
    >>> compared = Compared("m", "h.parquet", "mae", False, "never", (), datetime(2026, 1, 5))
    >>> never = {"name": "never", "mean": 5.0, "gain": 0.0, "promotions": 0}
    >>> always = {"name": "always", "mean": 3.0, "gain": 2.0, "promotions": 9}
    >>> ours = {"name": "configured", "mean": 3.5, "gain": 1.5, "promotions": 2}
    >>> print(sentence(compared, [never, always, ours]).replace("; ", chr(10)))
    As configured Leeway reaches a mean MAE of 3.5 with 2 promotions, 1.5 better than never does
    replacing the champion after every window reaches 3 with 9 promotions
    75 % of that gain is kept
    """
    by_name = {one["name"]: one for one in policies if one["mean"] is not None}
    title = metric_title(compared.metric)
    if not by_name:
        return f"No window has labels, so that no policy has a {title}"
    told = by_name.get(CONFIGURED) or next(iter(by_name.values()))
    who = "As configured Leeway" if told["name"] == CONFIGURED else f"The policy {told['name']}"
    reached = f"{who} reaches a mean {title} of {_cost(told)}"
    if NEVER not in by_name or told["name"] == NEVER:
        return reached
    gain = told["gain"]
    parts = [f"{reached}, {_better(gain)} than never does"]
    if ALWAYS in by_name and told["name"] != ALWAYS:
        most = by_name[ALWAYS]["gain"]
        parts.append(f"replacing the champion after every window reaches {_cost(by_name[ALWAYS])}")
        if most > 0 and gain > 0:
            parts.append(f"{gain / most:.0%} of that gain is kept".replace("%", " %"))
    return "; ".join(parts)


def _cost(policy: Document) -> str:
    return f"{number(policy['mean'])} with {counted(policy['promotions'], 'promotion')}"


def _better(gain: float) -> str:
    return f"{number(abs(gain))} {'better' if gain >= 0 else 'worse'}"


def _track(compared: Compared, replay: Replay, replays: Sequence[Replay]) -> Track:
    never = next((one for one in replays if one.facts["name"] == NEVER), None)
    beside = () if never is None or never is replay else never.windows
    (strip,) = timeline(replay.windows, per_row=len(replay.windows))
    return Track(
        replay=replay,
        meaning=_meaning(replay.facts["name"]),
        strip=strip,
        chart=chart(
            replay.windows,
            compared.metric,
            None,
            beside=beside,
            others=[one.windows for one in replays],
        ),
        summary=summary(replay.windows),
    )


def _meaning(name: str) -> str:
    fixed = {
        NEVER: "Version 1 for ever.",
        ALWAYS: "The champion is replaced after every window, without a gate.",
        CONFIGURED: "What leeway.yaml says.",
    }
    return fixed.get(name) or (
        f"The champion is replaced after every {name.partition(':')[2]} windows, without a gate."
    )
