"""Aftermath: what became of a run since it ended, and how to undo it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrain.gate import N_LOOKS
from retrain.ports import Registry, Runs
from retrain.record import Entry, Outcome
from retrain.waiting import Waiting

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Way:
    """What a person can do about a run.

    Parameters
    ----------
    what : str
        What it leads to.
    command : str
        For a shell on the machine that runs Leeway.
    version : int or None
        Who serves then; None where that stays as it is.
    """

    what: str
    command: str
    version: int | None = None


@dataclass(frozen=True)
class Standing:
    """Where a model stands now.

    Parameters
    ----------
    moves : sequence of mapping
        Every promotion and rollback, oldest first; there is one.
    inside : Entry or None
        Who is in the gate.
    waiting : Waiting or None
        Who waits for a person.
    runs, probations : sequence of mapping
        The model's, oldest first.
    """

    moves: Sequence[Document]
    inside: Entry | None
    waiting: Waiting | None
    runs: Sequence[Document]
    probations: Sequence[Document]

    @property
    def champion(self) -> int:
        """The version that serves."""
        return int(self.moves[-1]["version"])


@dataclass(frozen=True)
class Aftermath:
    """What became of a run.

    Parameters
    ----------
    sentence : str
        The same in words.
    undo : Way or None
        How to take back what it did; None where it has changed nothing, or not any more.
    undone : str
        Why there is nothing to undo; empty where there is.
    ways : tuple of Way
        What else a person can do.
    """

    sentence: str
    undo: Way | None = None
    undone: str = ""
    ways: tuple[Way, ...] = ()


def standing(
    model: str, registry: Registry, runs: Runs, probations: Sequence[Document]
) -> Standing:
    """Read where a model stands; its probations are the watch's, and handed in."""
    return Standing(
        registry.moves(model),
        runs.inside(model),
        runs.waiting(model),
        runs.runs(model),
        probations,
    )


def version_of(run: Document) -> int | None:
    """Return the version that a run is about, where it came to one.

    Examples
    --------
    >>> version_of({"details": {"challenger": 2, "version": 3}}), version_of({"details": None})
    (3, None)
    """
    details = run["details"] or {}
    return details.get("version") or details.get("challenger")


def aftermath(run: Document, now: Standing) -> Aftermath:
    """Say what became of a run.

    Parameters
    ----------
    run : mapping of str to object
        The run, as it is recorded.
    now : Standing
        Where its model stands.
    """
    version, nothing = version_of(run), "it has not changed the champion"
    if run["outcome"] is None:
        serves = f"version {now.champion} serves meanwhile"
        return Aftermath(f"It is going on, and {serves}", undone=nothing)
    if version is not None and _made_way(run):
        return _held(run, version, now)
    if version is not None and any(move["version"] == version for move in now.moves):
        return _served(run, version, now)
    if version is not None and run["outcome"] == Outcome.HELD:
        return _held(run, version, now)
    ways: tuple[Way, ...] = ()
    if run["outcome"] == Outcome.FAILED:
        ways = (Way("To try again", f"leeway retrain {_name(run)}"),)
    elif version is not None:
        what = f"Version {version} stays registered; to let it serve all the same"
        ways = (_promote(run, version, what),)
    return Aftermath(_served_on(run, now), undone=nothing, ways=ways)


def _made_way(run: Document) -> bool:
    """Tell whether a run did nothing, since another's version was in the gate or waited."""
    return run["outcome"] == Outcome.HELD and "parts" not in run["details"]


def _served(run: Document, version: int, now: Standing) -> Aftermath:
    """Say how it went with a version that has been champion."""
    its = [place for place, move in enumerate(now.moves) if move["version"] == version]
    began, before = now.moves[its[-1]], now.moves[its[0]]["previous"]
    if now.champion == version:
        sentence = f"Version {version} serves since {_at(began)}{_probation(began, now)}"
        if before is None:
            return Aftermath(sentence, undone="there is no former version")
        what = f"go back to version {before}, with its reference and thresholds"
        return Aftermath(sentence, Way(what, f"leeway rollback {_name(run)} {before}", before))
    ended, undone = now.moves[its[-1] + 1], f"version {version} does not serve any more"
    serves = _serves_now(ended["version"], now)
    if ended["kind"] != "roll_back":
        sentence = f"Version {ended['version']} has replaced version {version} on {_at(ended)}"
        return Aftermath(f"{sentence}{serves}", undone=undone)
    told = f"Version {version} was rolled back to version {ended['version']} on {_at(ended)}"
    again = _promote(run, version, "To let it serve again")
    return Aftermath(f"{told}{serves}: {ended['why']}", undone=undone, ways=(again,))


def _probation(began: Document, now: Standing) -> str:
    """Say what the watch after a promotion has found; a rollback opens none."""
    if began["kind"] != "promote" or began["previous"] is None:
        return ""
    found = [one for one in now.probations if one["id"] == began["id"]]
    if not found:
        return f"; no labelled window has told it from version {began['previous']} yet"
    probation = found[-1]
    if probation["ended_at"] is None:
        return f", on probation: {probation['sentence']}"
    ended = f"{probation['ended_how']} on {probation['ended_at']:%Y-%m-%d %H:%M}"
    return f"; its probation {ended}: {probation['sentence']}"


def _held(run: Document, version: int, now: Standing) -> Aftermath:
    """Say how it stands with a version in the gate, or with one that waits for a person."""
    name, nothing = _name(run), "it has not changed the champion"
    if now.waiting is not None and now.waiting.version == version:
        sentence = f"Version {version} waits for a person since {now.waiting.since:%Y-%m-%d %H:%M}"
        decline = Way("To decline it, and look for another", f"leeway retrain {name}")
        ways = (_promote(run, version, "To let it serve"), decline)
        return Aftermath(f"{sentence}{_serves_now(None, now)}", undone=nothing, ways=ways)
    if now.inside is not None and now.inside.version == version:
        looks = f"look {now.inside.looks} of {N_LOOKS} was the newest"
        sentence = (
            f"Version {version} is in the gate: {looks}, and labels of a window bring the next"
        )
        return Aftermath(f"{sentence}{_serves_now(None, now)}", undone=nothing)
    later = [one for one in now.runs if one["id"] > run["id"] and _is_about(version, one)]
    if later:
        said = f"Run {later[-1]['id']} has looked at version {version} again: {_came_to(later[-1])}"
    elif any(move["version"] == version for move in now.moves):
        said = f"Version {version} was promoted since"
    else:
        said = f"Version {version} is out of the gate: another one has become the champion"
    return Aftermath(f"{said}{_serves_now(None, now)}", undone=nothing)


def _is_about(version: int, run: Document) -> bool:
    return bool((run["details"] or {}).get("challenger") == version and not _made_way(run))


def _came_to(run: Document) -> str:
    if run["outcome"] is None:
        return "it is going on"
    made = f" version {version_of(run)}" if run["outcome"] == Outcome.PROMOTED else ""
    return f"{run['outcome']}{made}{', fitted on all rows' if made else ''}"


def _served_on(run: Document, now: Standing) -> str:
    served = f"Version {run['champion']} served on"
    return (
        f"{served}, and serves now"
        if now.champion == run["champion"]
        else (f"{served}{_serves_now(None, now)}")
    )


def _serves_now(said: int | None, now: Standing) -> str:
    return "" if said == now.champion else f"; version {now.champion} serves now"


def _promote(run: Document, version: int, what: str) -> Way:
    return Way(what, f"leeway promote {_name(run)} {version}", version)


def _name(run: Document) -> str:
    return shlex.quote(run["model"])


def _at(move: Document) -> str:
    return f"{move['at']:%Y-%m-%d %H:%M}"
