"""Champions in memory, swapped by a real registry while many threads predict."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from monitor.errors import BundleRefusedError, NotFoundError
from retrain.serving import Served, Serving

FEATURES = ["x", "y", "g"]


@pytest.fixture
def two(app, made_up):
    """The registry with a second, different version that does not serve yet."""
    registry = app.deployment.registry
    bundle = registry.load("late", 1)
    frame = made_up(0, by_x=-3.0)
    pipeline = bundle.pipeline.fit(frame[FEATURES], frame["late"].astype(str))
    registry.register(replace(bundle, pipeline=pipeline), app.clock.now())
    return registry


def answers(registry, version, features):
    return Served(version, registry.load("late", version)).predict(features).to_pylist()


def test_every_answer_is_of_the_champion_at_the_time(two, made_up, app):
    features, serving = pa.Table.from_pandas(made_up(1)[FEATURES]), Serving(two)
    assert serving.champion("late").version == 1
    two.promote("late", 2, app.clock.now(), "better")
    assert serving.champion("late").version == 2
    assert serving.champion("late").predict(features).to_pylist() == answers(two, 2, features)
    two.roll_back("late", app.clock.now(), "worse")
    assert serving.champion("late").version == 1


def test_no_answer_fails_or_is_mixed_while_champions_are_swapped(two, made_up, app):
    features = pa.Table.from_pandas(made_up(1)[FEATURES].head(20))
    expected = {version: answers(two, version, features) for version in (1, 2)}
    assert expected[1] != expected[2]
    serving, done = Serving(two), Event()

    def ask() -> list[tuple[int, list[float]]]:
        found = []
        while not done.is_set():
            served = serving.champion("late")
            found.append((served.version, served.predict(features).to_pylist()))
        return found

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            for number in range(13):
                two.promote("late", 2 - number % 2, app.clock.now(), "to and fro")
        finally:
            done.set()
        found = [answer for future in asking for answer in future.result(60)]
    assert len(found) > 12
    assert all(made == expected[version] for version, made in found)


def test_a_champion_is_loaded_once_and_kept(two):
    serving = Serving(two)
    assert serving.champion("late") is serving.champion("late")


def test_a_champion_with_an_altered_file_is_refused_and_a_rollback_serves_again(two, app):
    two.promote("late", 2, app.clock.now(), "better")
    path = two.model_file("late", 2).path
    path.write_bytes(b"altered")
    serving = Serving(two)
    with pytest.raises(BundleRefusedError, match="not the file that was registered"):
        serving.champion("late")
    two.roll_back("late", app.clock.now(), "its file was altered")
    assert serving.champion("late").version == 1


def test_champions_are_in_memory_before_anybody_asks_and_who_cannot_be_is_told_later(two):
    serving = Serving(two)
    serving.warm_up(["late", "stranger"])
    two.model_file("late", 1).path.unlink()
    assert serving.champion("late").version == 1
    with pytest.raises(NotFoundError, match="stranger"):
        serving.champion("stranger")


FIRST_PREDICTION = """
import sys
import leeway.app
import pyarrow as pa
from tests.conftest import Home
from pathlib import Path

with Home(Path(sys.argv[1])).opened() as app:
    champion = app.serving.champion("late")
    before = set(sys.modules)
    champion.predict(pa.table({"x": [1.0], "y": [None], "g": ["unseen"]}))
    print(sorted(set(sys.modules) - before))
"""


def test_the_first_prediction_of_a_process_imports_nothing(home):
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PREDICTION, str(home.folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_model_nobody_registered_is_not_found(two):
    with pytest.raises(NotFoundError, match="stranger"):
        Serving(two).champion("stranger")
