"""The collector: what is slow or away holds up no other model."""

import threading
import time
from collections.abc import Iterator

import pytest

from monitor.batch import RowKind
from monitor.collection import Collected
from monitor.collector import Collector, Sources
from monitor.errors import SourceError
from monitor.piece import Piece
from monitor.ports import Stream


class Books:
    """Cursors in memory: what was noted of each model."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str | None]] = []

    def load(self, _stream):
        return {}

    def settle(self, *_arguments: object):
        pass

    def note(self, model, error, _at):
        self.noted.append((model, error))


class Clockwork:
    """A world of which only the books are touched, and a stopwatch set by hand."""

    def __init__(self) -> None:
        self.cursors, self.clock, self.seconds = Books(), self, 0.0

    def now(self):
        return None

    def __call__(self) -> float:
        return self.seconds


class Script:
    """A source that does what it is told at each collection."""

    def __init__(self, *acts: object) -> None:
        self.acts, self.n_asked = list(acts), 0

    def pieces(self, _cursors) -> Iterator[Piece]:
        self.n_asked += 1
        act = self.acts.pop(0) if self.acts else None
        if isinstance(act, Exception):
            raise act
        if callable(act):
            act()
        return iter(())


@pytest.fixture
def world():
    return Clockwork()


@pytest.fixture
def collector(world):
    """Make a collector of scripts by model; each is collected every ten seconds."""
    made = []

    def make(**scripts: Script) -> Collector:
        sources = {
            name: Sources(
                [Collected(Stream(name, RowKind.LABEL, "s"), one)], 10.0, frozenset({"pass"})
            )
            for name, one in scripts.items()
        }
        made.append(Collector(sources, world, world, threading.Event()))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_model_is_collected_when_its_time_has_come(collector, world):
    script = Script()
    found = collector(a=script)
    for world.seconds in (0.0, 5.0, 9.0, 10.0, 19.0, 21.0):
        assert found.collect() == frozenset()
    assert script.n_asked == 3


def test_a_source_that_is_away_is_asked_after_doubling_pauses_and_its_model_is_judged(
    collector, world
):
    script = Script(*[SourceError("gone with pass") for _ in range(3)])
    found, asked = collector(a=script), []
    for second in range(200):
        world.seconds = float(second)
        assert found.collect() == frozenset()
        if script.n_asked > len(asked):
            asked.append(second)
    assert asked[:5] == [0, 20, 60, 140, 150]
    assert world.cursors.noted[0] == ("a", "source of labels: gone with ***")
    assert world.cursors.noted[3] == ("a", None)


def test_a_server_that_wants_to_be_left_alone_is(collector, world):
    script = Script(SourceError("busy", retry_after_seconds=500))
    found = collector(a=script)
    for world.seconds in (0.0, 100.0, 499.0):
        found.collect()
    assert script.n_asked == 1
    world.seconds = 501.0
    found.collect()
    assert script.n_asked == 2


def test_an_error_nobody_thought_of_is_noted_and_the_others_go_on(collector, world):
    found = collector(a=Script(ZeroDivisionError("by pass")), b=Script())
    found.collect()
    assert sorted(world.cursors.noted, key=str) == [
        ("a", "source of labels: ZeroDivisionError: by ***"),
        ("b", None),
    ]


def test_a_slow_source_holds_back_its_own_model_only_and_not_for_ever(
    collector, world, monkeypatch, eventually
):
    monkeypatch.setattr("monitor.collector.GRACE_SECONDS", 0.2)
    done = threading.Event()
    slow, quick = Script(done.wait), Script()
    found = collector(slow=slow, quick=quick)
    began = time.monotonic()
    assert found.collect() == {"slow"}
    assert time.monotonic() - began < 5
    assert quick.n_asked == 1
    world.seconds = 700.0
    assert found.collect() == frozenset()
    assert (slow.n_asked, quick.n_asked) == (1, 2)
    done.set()
    eventually(lambda: ("slow", None) in world.cursors.noted, "the slow one ends")


def test_a_model_with_more_to_come_is_held_back_and_collected_at_once_again(collector, monkeypatch):
    monkeypatch.setattr("monitor.collector.MAX_PIECES", 2)
    monkeypatch.setattr("monitor.collection.MAX_PIECES", 2)
    left = list(range(5))

    class Backlog:
        def pieces(self, _cursors) -> Iterator[Piece]:
            while left:
                yield Piece("", left.pop())

    found = collector(a=Backlog())
    assert [found.collect() for _ in range(4)] == [{"a"}, {"a"}, frozenset(), frozenset()]
