"""`kill -9` in the middle of the demo's replay: nothing acknowledged is lost, nothing is doubled."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import pandas as pd
import pyarrow.compute as pc
import pytest
import yaml

from leeway.client import Client, ClientError
from leeway.demo.flights import ID, REFERENCE_END, TARGET, TIME, load_flights
from leeway.demo.run import MODEL, WEEK, as_sent, between, free_port, prepare_folder
from monitor.adapters.clocks import FileClock
from monitor.adapters.history import History
from monitor.batch import LABEL, PREDICTION_ID
from monitor.window import Window

N_WEEKS = 3
ONE_IN = 8
"""Every eighth flight tells the same story in less time."""

DAY = WEEK / 7
RETRY_SECONDS = 120.0
SPAN = Window(REFERENCE_END, REFERENCE_END + N_WEEKS * WEEK)


@pytest.fixture(scope="module")
def flights():
    """Some flights of the reference and of the weeks that are replayed."""
    some = load_flights().iloc[::ONE_IN]
    return some[some[TIME] < pd.Timestamp(SPAN.end)].reset_index(drop=True)


@pytest.fixture
def folder(new_home, flights):
    """The demo's folder, with one quick algorithm."""
    prepare_folder(new_home.folder, flights, free_port())
    config = yaml.safe_load(new_home.config.read_text())
    config["models"][MODEL]["retrain"]["candidates"] = ["logistic"]
    config["tick"] = "PT0.2S"
    new_home.config.write_text(yaml.safe_dump(config))
    return new_home


@dataclass
class Replay:
    """The demo's client, which repeats what was not acknowledged; it runs beside the test."""

    flights: pd.DataFrame
    clock: FileClock
    url: str = ""
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    n_retries: int = 0
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            for number in range(N_WEEKS):
                self.week(REFERENCE_END + number * WEEK)
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            self.failure = error

    def week(self, start: datetime) -> None:
        """Replay a week, its labels and its checks."""
        for day in range(7):
            first = start + day * DAY
            self.clock.set(first + DAY)
            rows = as_sent(between(self.flights, first, first + DAY))
            name = f"flights-{first:%Y-%m-%d}"
            predict = partial(
                Client.predict, model=MODEL, frame=rows, request_id=name, durable=True
            )
            self._send(name, predict, rows[ID].tolist())
        labels = between(self.flights, start, start + WEEK)[[ID, TARGET]].dropna()
        name = f"labels-{start:%Y-%m-%d}"
        self._send(name, partial(Client.log_labels, model=MODEL, frame=labels, request_id=name))
        check = partial(Client.post, path=f"/v1/models/{MODEL}/checks")
        self._send(f"checks-{start:%Y-%m-%d}", check)

    def _send(self, name: str, send: Callable[[Client], object], ids: Sequence[str] = ()) -> None:
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                with Client(self.url) as client:
                    send(client)
            except ClientError:
                if time.monotonic() > deadline:
                    raise
                self.n_retries += 1
                time.sleep(0.05)
            else:
                self.acknowledged[name] = list(ids)
                return


def stored_ids(opened):
    rows = opened.deployment.log.read(MODEL, SPAN, [])
    return rows.column(PREDICTION_ID).to_pylist()


def check_what_was_promised(folder, promised):
    with folder.opened() as left:
        counted = Counter(stored_ids(left))
    rows = {one for name, ids in promised.items() if name.startswith("flights") for one in ids}
    assert rows <= counted.keys()
    assert set(counted.values()) == {1}


def check_rows_and_labels(left, flights):
    log, sent = left.deployment.log, between(flights, SPAN.start, SPAN.end)
    assert sorted(stored_ids(left)) == sorted(sent[ID])
    assert log.extent(MODEL).n_rows == len(sent)
    assert log.verify() == []
    labels = log.read(MODEL, SPAN, [], horizon=WEEK).column(LABEL)
    assert pc.count(labels).as_py() == sent[TARGET].count()


def check_windows_and_alerts(left):
    history = History(left.deployment.engine)
    windows = history.windows(MODEL)
    assert [w["start"] for w in windows] == [SPAN.start + n * WEEK for n in range(N_WEEKS)]
    assert sum(w["n_rows"] for w in windows) == left.deployment.log.extent(MODEL).n_rows
    for window in windows:
        revisions = history.window(MODEL, window["id"])["revisions"]
        assert [one["revision"] for one in revisions] == list(range(1, len(revisions) + 1))
    opened = [(alert["check"], alert["window_key"]) for alert in history.alerts(MODEL)]
    assert len(set(opened)) == len(opened)


def test_killed_thrice_in_the_middle_of_the_replay_nothing_is_lost_or_doubled(
    folder, flights, serve_in, eventually
):
    server = serve_in(folder)
    replay = Replay(flights, folder.clock, server.url)
    thread = threading.Thread(target=replay.run, daemon=True)
    thread.start()
    # In the middle of a week, while a week is judged, and while the next one comes in.
    for n_requests in (3, 8, 14):
        eventually(
            lambda n=n_requests: len(replay.acknowledged) >= n or replay.failure,
            f"{n_requests} requests are acknowledged",
        )
        server.kill()
        check_what_was_promised(folder, dict(replay.acknowledged))
        server = serve_in(folder)
        replay.url = server.url
    thread.join(RETRY_SECONDS)
    assert replay.failure is None
    assert not thread.is_alive()
    assert replay.n_retries > 0
    with server.client() as client:
        client.post(f"/v1/models/{MODEL}/checks")
        eventually(lambda: not client.get(f"/v1/models/{MODEL}/requests"), "no run is going on")
    server.kill()
    with folder.opened() as left:
        check_rows_and_labels(left, flights)
        check_windows_and_alerts(left)


def test_the_story_goes_on_after_a_kill(folder, flights, serve_in):
    server = serve_in(folder)
    replay = Replay(flights, folder.clock, server.url)
    replay.week(REFERENCE_END)
    with server.client() as client:
        before = client.get(f"/v1/models/{MODEL}/windows")
    server.kill()
    again = serve_in(folder)
    replay.url = again.url
    with again.client() as client:
        assert client.get(f"/v1/models/{MODEL}/windows") == before
        replay.week(REFERENCE_END + WEEK)
        windows = client.get(f"/v1/models/{MODEL}/windows")
        assert [w["index"] for w in windows] == [0, 1]
        assert windows[1]["n_rows"] == len(
            between(flights, SPAN.start + WEEK, SPAN.start + 2 * WEEK)
        )
        assert client.get(f"/v1/models/{MODEL}")["error"] is None
