"""What a person has said is right, judged by the real cycle: the word holds, and goes no further."""

from collections.abc import Callable

import pytest

from monitor.adapters.history import History
from monitor.alert import Judged

WHY = "so it is from now on"
LATE = 240
"""Row of the week's 280 with which a break begins: the next week has many times more of it."""


@pytest.fixture
def send(app, made_up, week_start):
    """Log a week with its columns changed from some row on, end it, and judge it."""

    def judged(number: int, since: int = 0, /, **changed: Callable) -> Judged:
        rows = made_up(number).drop(columns="late")
        app.clock.set(week_start(number + 1))
        before, after = rows[:since], rows[since:]
        for name, change in changed.items():
            made = change(after[name])
            after = after.drop(columns=name) if made is None else after.assign(**{name: made})
        for part in (before, after):
            if len(part):
                app.predict(part, f"week {number} from row {part.index[0]}")
        return app.deployment.watcher().check("late")[-1]

    return judged


@pytest.fixture
def close(app):
    """Close the incident that is open."""
    return lambda: app.deployment.store.close_incident("late", None, app.clock.now(), WHY)


@pytest.fixture
def closed(send, close):
    """Live through a sound week and one that breaks late, and close its incident."""

    def closed(**changed: Callable) -> None:
        send(0)
        assert send(1, LATE, **changed).diagnosis.kind == "incident"
        close()

    return closed


def gone(values):
    return [None] * len(values)


def alternately(value):
    return lambda values: [value if at % 2 else one for at, one in enumerate(values)]


def times(factor):
    return lambda values: values * factor


BREAKS = {
    "missing": {"g": gone},
    "not sent": {"g": lambda _values: None},
    "of another type": {"x": lambda values: [f"<{one:.3f}>" for one in values]},
    "infinite": {"y": alternately(float("inf"))},
    "scale": {"y": times(1000.0)},
    "spelling": {"g": lambda values: values.str.upper()},
    "renamed": {"g": lambda values: values.map({"a": "10", "b": "20", "c": "30"})},
    "frozen": {"y": lambda values: [values.iloc[0]] * len(values)},
    "fill": {"y": alternately(-999.0)},
    "two columns, whose rows then look alike": {"x": gone, "y": gone},
}


@pytest.mark.parametrize("changed", BREAKS.values(), ids=BREAKS)
def test_the_next_windows_with_what_a_person_has_closed_are_no_incidents(
    app, send, closed, changed
):
    closed(**changed)
    later = [send(number, **changed) for number in range(2, 6)]
    assert [(one.diagnosis.findings, one.verdict.checks["quality"]) for one in later] == [
        ((), "OK")
    ] * 4
    alerts = History(app.deployment.engine).alerts("late")
    assert [one["ended_how"] for one in alerts if one["check"] == "quality"] == ["closed"]


def test_what_is_accepted_is_shown_with_the_reason_and_said_of_the_window(send, closed):
    closed(g=gone)
    found = send(2, g=gone)
    (score,) = [s for s in found.verdict.scores if (s.column, s.method) == ("g", "missing")]
    assert (score.value, score.threshold, score.status) == (1.0, None, "OK")
    assert score.detail == f"accepted by a person: {WHY}"
    assert found.diagnosis.sentence.endswith("; what a person has accepted goes on: g")
    sound = send(3)
    (score,) = [s for s in sound.verdict.scores if (s.column, s.method) == ("g", "missing")]
    assert (score.value, score.threshold, score.detail) == (0.0, 0.1, "")
    assert "accepted" not in sound.diagnosis.sentence


@pytest.mark.parametrize(
    ("column", "sign", "changed"),
    [
        ("y", "missing", {"g": gone, "y": gone}),
        ("g", "spelling", {"g": lambda values: values.str.upper()}),
    ],
    ids=["another column", "another sign of it"],
)
def test_what_breaks_besides_is_an_incident_of_its_own_and_ends(
    app, send, closed, column, sign, changed
):
    closed(g=gone)
    assert send(2, g=gone).diagnosis.kind == "none"
    (finding,) = send(3, **changed).diagnosis.findings
    assert (finding.column, finding.sign) == (column, sign)
    assert send(4, g=gone).diagnosis.findings == ()
    alerts = [a for a in History(app.deployment.engine).alerts("late") if a["check"] == "quality"]
    assert [one["ended_how"] for one in alerts] == ["closed", "resolved"]


def test_another_factor_is_another_break(send, closed):
    closed(y=times(1000.0))
    for number in range(2, 6):
        assert send(number, y=times(1000.0)).diagnosis.findings == ()
    (finding,) = send(6, y=times(1e5)).diagnosis.findings
    assert (finding.column, finding.transform) == ("y", "times 100")


def test_the_limits_of_another_version_hold_again_until_it_goes(app, send, closed):
    closed(g=gone)
    registry, now = app.deployment.registry, app.clock.now()
    registry.promote("late", registry.register(registry.load("late", 1), now), now, "to see")
    (finding,) = send(2, g=gone).diagnosis.findings
    assert (finding.column, finding.sign) == ("g", "missing")
    registry.roll_back("late", app.clock.now(), "by hand")
    assert send(3, g=gone).diagnosis.findings == ()


def test_an_incident_that_ended_by_itself_was_nobodys_word(app, send):
    for number in range(4):
        broken = number % 2 == 1
        kind = send(number, **({"g": gone} if broken else {})).diagnosis.kind
        assert kind == ("incident" if broken else "none")
    alerts = [a for a in History(app.deployment.engine).alerts("late") if a["check"] == "quality"]
    assert [one["ended_how"] for one in alerts] == ["resolved", None]


def test_what_breaks_after_a_persons_word_is_not_covered_by_it(send, close, closed):
    closed(g=gone)
    send(2, y=gone)
    send(3)  # this ends by itself
    assert [one.column for one in send(4, g=gone, y=gone).diagnosis.findings] == ["y"]
    close()
    assert send(5, g=gone, y=gone).diagnosis.findings == ()
