"""Story: what happened in the demo, as facts and as one screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leeway.backtest.facts import n_fits, policy_facts, window_facts
from monitor.action import GATE
from monitor.probation import TrialStatus

METRIC = "roc_auc"
BARS = "▁▂▃▄▅▆▇█"
MOST_ALERTS = 10
"""Alerts that are listed: the rest would push the story off the screen."""

SIGNS = {"OK": "·", "WARNING": "~", "BREACH": "B", "NO_DATA": " ", "ERROR": "!"}
"""One character a week; a broken feed is X."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """What the server recorded, and the metric of the version that was never retrained.

    Parameters
    ----------
    windows, alerts, runs, trials, versions, probations : list of dict
        Documents of the HTTP API.
    never : mapping of datetime to float
        ROC AUC of version 1 by start of week.
    """

    windows: list[Document]
    alerts: list[Document]
    runs: list[Document]
    trials: list[Document]
    versions: list[Document]
    probations: list[Document]
    never: Mapping[datetime, float]


def story_document(story: Story, seconds: float) -> Document:
    """Return the facts, in the form in which `leeway backtest` gives its policies."""
    configured = [window_facts(window, METRIC) for window in story.windows]
    never = [
        {
            **{key: one[key] for key in ("index", "start", "end", "n_rows")},
            "metric": story.never[_start(one)],
            "status": None,
            "diagnosis": None,
            "decision": "none",
            "reason": "never retrained",
            "champion": 1,
        }
        for one in configured
    ]
    outcomes = [run["outcome"] for run in story.runs]
    costs = {
        "alerts": len(story.alerts),
        "fits": n_fits(story.runs) + sum(one["n_fits"] for one in story.trials),
        "promotions": outcomes.count("promoted"),
        "rollbacks": [one["ended_how"] for one in story.probations].count(TrialStatus.BREACHED),
    }
    nothing = dict.fromkeys(costs, 0)
    return {
        "metric": METRIC,
        "bigger_is_better": True,
        "seconds": round(seconds, 1),
        "policies": [
            policy_facts("never", never, nothing, bigger_is_better=True),
            policy_facts("configured", configured, costs, bigger_is_better=True),
        ],
        "alerts": story.alerts,
        "runs": story.runs,
    }


def _start(window: Document) -> datetime:
    return datetime.fromisoformat(window["start"])


def show_story(console: Console, story: Story, document: Document, url: str) -> None:
    """Print the story on one screen."""
    never, configured = document["policies"]
    n_rows = sum(window["n_rows"] for window in story.windows)
    console.rule("Leeway: a year of flights from New York")
    console.print(
        f"{n_rows:,} flights in {len(story.windows)} weeks. The model predicts which arrive more "
        "than 15 minutes late;\nit was trained on January and February 2013. Labels came a week "
        "late.\n"
    )
    console.print(_strips(story, configured))
    gain = configured["mean"] - never["mean"]
    console.print(
        f"\nMean ROC AUC [bold]{configured['mean']:.3f}[/] with Leeway, {never['mean']:.3f} never "
        f"retrained: [bold]{gain:+.3f}[/] with {configured['promotions']} promotions.\n"
    )
    console.print(_alerts(story), no_wrap=True, overflow="ellipsis")
    console.print(_runs(story), no_wrap=True, overflow="ellipsis")
    console.print(
        f"\nTold in {document['seconds']:.0f} s. Pages {url}/  metrics {url}/metrics  "
        f"API {url}/docs"
    )


def _strips(story: Story, configured: Document) -> Table:
    """Draw a character a week: verdicts, and both metrics on one scale."""
    table = Table.grid(padding=(0, 2))
    windows = configured["windows"]
    both = [w["metric"] for w in windows if w["metric"] is not None] + list(story.never.values())
    low, high = min(both), max(both)
    table.add_row("", _months(windows), "")
    signs = "".join(map(_sign, windows))
    table.add_row("verdict", Text(signs), "B breach  ~ seen once, not confirmed  X broken feed")
    table.add_row("champion", Text("".join(_champion_marks(windows))), "number of its version")
    for name, values in (
        ("with Leeway", [w["metric"] for w in windows]),
        ("never retrained", [story.never[_start(w)] for w in windows]),
    ):
        bars = "".join(_bar(value, low, high) for value in values)
        table.add_row(name, Text(bars), f"ROC AUC, {low:.2f} to {high:.2f}")
    return table


def _months(windows: list[Document]) -> Text:
    line = [" "] * (len(windows) + 3)
    for place, window in enumerate(windows):
        start = _start(window)
        if start.day <= timedelta(days=7).days:
            line[place : place + 3] = f"{start:%b}"
    return Text("".join(line).rstrip())


def _sign(window: Document) -> str:
    return "X" if window["diagnosis"] == "incident" else SIGNS[window["status"]]


def _champion_marks(windows: list[Document]) -> list[str]:
    marks, line = -1, []
    for window in windows:
        changed = window["champion"] != marks
        line.append(str(window["champion"])[-1] if changed else "─")
        marks = window["champion"]
    return line


def _bar(value: float | None, low: float, high: float) -> str:
    if value is None:
        return " "
    return BARS[round((value - low) / max(high - low, 1e-9) * (len(BARS) - 1))]


def _alerts(story: Story) -> Text:
    broken = [alert for alert in story.alerts if alert["check"] == "quality"]
    others = [alert for alert in story.alerts if alert["check"] != "quality"]
    shown = [*broken, *others[: MOST_ALERTS - len(broken)]]
    rows = [
        (
            _day(alert["opened_at"]),
            alert["check"],
            _day(alert["ended_at"]) if alert["ended_at"] else "open",
            alert["sentence"],
        )
        for alert in sorted(shown, key=lambda one: int(one["id"]))
    ]
    if len(story.alerts) > len(shown):
        n_more = len(story.alerts) - len(shown)
        rows.append(("", "", "", f"and {n_more} more, on the page of the model"))
    return _lines("Alerts", ("on", "check", "until", "what"), rows)


def _runs(story: Story) -> Text:
    """Draw a line a challenger; the gate may have looked at it in several runs."""
    challengers: list[list[Document]] = []
    for run in story.runs:
        if run["trigger"] == GATE and challengers:
            challengers[-1].append(run)
        else:
            challengers.append([run])
    rows = [
        (
            _day(looks[0]["started_at"]),
            looks[0]["trigger"],
            _day(looks[-1]["started_at"]),
            looks[-1]["outcome"],
            looks[-1]["reason"],
        )
        for looks in challengers
    ]
    return _lines("Challengers", ("found", "trigger", "decided", "outcome", "why"), rows)


def _lines(title: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Text:
    """Lay rows out in columns, a line each: what does not fit the screen is cut off."""
    widths = [max(len(row[i]) for row in (names, *rows)) for i in range(len(names) - 1)]
    lines = ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) for row in (names, *rows)]
    text = Text("\n".join(["", title, *lines]), no_wrap=True, overflow="ellipsis")
    text.highlight_words([title], "bold")
    return text


def _day(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%d %b}"
