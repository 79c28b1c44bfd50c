"""What `leeway why` says of a window, out of what the databases hold."""

from datetime import UTC, datetime

import pytest

from leeway.reasons import Followed, reasons

AT = datetime(2026, 2, 16, 8, 30, tzinfo=UTC)
KEY = "2026-02-09T00:00:00Z"

WELL = ("none", "all well", "nothing stands out")
MOVED = ("none", "a trial tells", "x moved; whether newer rows help, a trial tells")
BEFORE = ("none", "decided before", "decided when the window was first judged")
FELL = ("retrain", "performance breach", "it fell")
COOLING = ("hold", "cooling down", "it fell; not retrained: cooling down")


def window(key=KEY, estimate=None):
    return {
        "id": key,
        "status": "BREACH",
        "sentence": "it fell",
        "change": None,
        "diagnosis": "none",
        "diagnosis_sentence": "nothing stands out",
        "estimate": estimate,
    }


def decided(decisions):
    names = ("decision", "reason", "sentence")
    return [
        {"revision": i + 1, **dict(zip(names, one, strict=True))} for i, one in enumerate(decisions)
    ]


def said(decisions=(FELL,), followed=None):
    """Return the sentences on one window."""
    nothing = {
        **dict.fromkeys(("alerts", "requests", "trials", "runs"), ()),
        "pages": "/models/late",
    }
    found = Followed({KEY: decided(decisions)}, **{**nothing, **(followed or {})})
    ((_, sentences),) = reasons([window()], found)
    return sentences


@pytest.mark.parametrize(
    ("decisions", "told"),
    [
        ([WELL], ["none (all well)"]),
        ([WELL, WELL, FELL], ["retrain (performance breach)"]),
        ([MOVED, BEFORE, BEFORE], ["none (a trial tells)"]),
        ([MOVED, FELL, BEFORE], ["none (a trial tells)", "retrain (performance breach)"]),
        ([FELL, COOLING], ["retrain (performance breach)", "hold (cooling down)"]),
        ([BEFORE], ["none (decided before)"]),
    ],
)
def test_each_kind_of_decision_is_told_in_its_order_and_what_says_nothing_only_alone(
    decisions, told
):
    first, *later = said(decisions)
    assert first.startswith(f"BREACH  {told[0]}: ")
    assert [one.partition(": ")[2].partition(": ")[0] for one in later] == told[1:]
    assert all(one.startswith("judged again: ") for one in later)


def test_a_decision_that_was_made_twice_is_told_as_it_was_said_last():
    early = ("retrain", "performance breach", "it fell by a little")
    assert said([early, FELL]) == ["BREACH  retrain (performance breach): it fell"]


def asked(kind="retrain", finished_at=None):
    return {"id": 7, "window_key": KEY, "kind": kind, "finished_at": finished_at, "version": 4}


def ended(outcome, details=None):
    return {"id": 3, "request_id": 7, "outcome": outcome, "reason": "why", "details": details}


GOING = {"id": 3, "request_id": 7, "outcome": None, "doing": "fitting tree"}


@pytest.mark.parametrize(
    ("followed", "told"),
    [
        ({"requests": [asked()]}, "a retrain run is asked for, and not carried out yet"),
        ({"requests": [asked()], "runs": [GOING]}, "run 3 is going on: fitting tree"),
        (
            {"requests": [asked(finished_at=AT)], "runs": [ended("promoted", {"version": 4})]},
            "run 3: promoted version 4: why",
        ),
        ({"requests": [asked("look", AT)], "runs": [ended("held")]}, "run 3: held: why"),
        ({"requests": [asked(finished_at=AT)], "runs": [ended("refused")]}, "run 3: refused: why"),
        ({"requests": [asked(finished_at=AT)], "runs": [ended("failed")]}, "run 3: failed: why"),
        (
            {"requests": [asked(finished_at=AT)]},
            "a retrain run was given up before it began",
        ),
        (
            {"requests": [asked("trial", AT)], "trials": [{"request_id": 7, "reason": "no gain"}]},
            "no gain",
        ),
        (
            {"requests": [asked("roll_back", AT)]},
            "version 4 does not serve any more, since 2026-02-16 08:30",
        ),
        (
            {"requests": [asked("roll_back")]},
            "a rollback is asked for, and not carried out yet",
        ),
    ],
)
def test_what_came_of_a_window_is_told_with_it(followed, told):
    told += " (/models/late/runs/3)" if "runs" in followed else ""
    assert said(followed=followed) == ["BREACH  retrain (performance breach): it fell", told]
    other = [{**one, "window_key": "another"} for one in followed["requests"]]
    assert len(said(followed={**followed, "requests": other})) == 1


def test_why_nothing_is_estimated_is_said_once_until_it_changes():
    notes = ["not estimated: too few"] * 2 + [None] + ["not estimated: too few"] * 2
    windows = [
        window(str(i), note and {"metric": "mae", "value": None, "note": note})
        for i, note in enumerate(notes)
    ]
    decisions = {one["id"]: decided([WELL]) for one in windows}
    found = [told for _, (told,) in reasons(windows, Followed(decisions, (), (), (), (), ""))]
    assert [one.partition("stands out")[2] for one in found] == [
        *("; not estimated: too few", "; not estimated, as before", ""),
        *("; not estimated: too few", "; not estimated, as before"),
    ]
