"""The story of one model over HTTP, told to a real server and a real webhook."""

import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from leeway.client import Client, ClientError, Predictions

MOVED = {"by_x": 1.0, "by_y": 4.0}
MODEL = "late"


def worker_of(server):
    """Return the process ids of a server's children that work."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if parent == server.process.pid and b"worker" in command:
            found.append(int(status.parent.name))
    return found


def is_running(pid):
    """Tell whether a process is there, and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def ending(pid):
    """End a process in the end, should it still be there."""
    try:
        yield
    finally:
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def live(home, made_up, week_start) -> Callable[..., Predictions]:
    """Live through a week over HTTP: predictions, labels, checks."""

    def through(client: Client, number: int, **concept: float) -> Predictions:
        frame = made_up(number, **concept)
        home.clock.set(week_start(number + 1))
        rows = frame.drop(columns="late")
        made = client.predict(MODEL, rows, request_id=f"week {number}", durable=True)
        client.log_labels(MODEL, frame[["id", "late"]], request_id=f"labels {number}")
        client.post(f"/v1/models/{MODEL}/checks")
        return made

    return through


def decided(client):
    return [(w["decision"], w["reason"]) for w in client.get(f"/v1/models/{MODEL}/windows")]


def champion_of(client):
    return next(v["number"] for v in client.get(f"/v1/models/{MODEL}/versions") if v["champion"])


def test_a_model_is_watched_retrained_promoted_and_rolled_back(
    home, serve, live, webhook, eventually
):
    home.configure("tick:", f"notify: {{to: ['{webhook.address}']}}\ntick:")
    server = serve()
    with server.client() as client:
        made = live(client, 0)
        assert (made.version, made.positive_class, made.probabilities) == (1, "1", None)
        assert made.classes == ["1" if value >= 0.5 else "0" for value in made.values]
        assert decided(client) == [("none", "all well")]
        assert webhook.received == []
        for number in range(1, 7):  # the world has changed
            live(client, number, **MOVED)
            eventually(
                lambda: not client.get(f"/v1/models/{MODEL}/requests"), "no run is going on", 120
            )
        assert ("retrain", "performance breach") in decided(client)
        check_the_alert(webhook, eventually)
        check_the_promotion(client, live)
        check_the_console(home)
        back = home.cli("rollback", MODEL, "1", "--why", "a drill")
        assert (back.returncode, back.stderr) == (0, "")
        assert "version 1 of late is the champion again" in back.stdout
        starred = [r for r in home.cli("versions", MODEL).stdout.splitlines() if "*" in r]
        assert [line.split()[:2] for line in starred] == [["*", "1"]]
        assert live(client, 8, **MOVED).version == 1
    assert "Traceback" not in server.output.read_text()


def check_the_alert(webhook, eventually):
    eventually(lambda: webhook.received, "the alert is delivered")
    opened = webhook.received[0]
    assert opened["title"] == "[late] performance has fallen"
    assert "roc_auc" in opened["message"]
    assert "/models/late/windows/2026-02-09T00:00:00Z" in opened["message"]


def check_the_promotion(client, live):
    runs = client.get(f"/v1/models/{MODEL}/runs")
    assert "promoted" in [run["outcome"] for run in runs], runs
    assert all(run["reason"] for run in runs)
    champion = champion_of(client)
    assert live(client, 7, **MOVED).version == champion > 1
    weeks = client.get(f"/v1/models/{MODEL}/windows")
    assert (weeks[1]["champion"], weeks[-1]["champion"]) == (1, champion)
    assert weeks[-1]["metrics"]["roc_auc"] > weeks[1]["metrics"]["roc_auc"] + 0.1


def check_the_console(home):
    for words, *command in (
        (MODEL, "status"),
        ("2026-02-09T00:00:00Z", "windows", MODEL),
        ("retrain (performance breach)", "why", MODEL),
    ):
        said = home.cli(*command)
        assert (said.returncode, said.stderr) == (0, "")
        assert words in said.stdout


def test_a_request_of_a_person_is_carried_out_by_the_worker(home, serve, live, eventually):
    with serve().client() as client:
        for number in range(3):
            live(client, number)
        asked = home.cli("retrain", MODEL, "--why", "a drill")
        assert (asked.returncode, asked.stderr) == (0, "")
        eventually(lambda: client.get(f"/v1/models/{MODEL}/runs"), "the run has begun")
        eventually(lambda: not client.get(f"/v1/models/{MODEL}/requests"), "the run is over")
        (run,) = client.get(f"/v1/models/{MODEL}/runs")
        assert run["why"] == "a drill"
        assert run["outcome"] in {"refused", "held"}, run
        assert champion_of(client) == 1


def test_retrain_promote_and_rollback_from_the_command_line_change_who_serves(
    home, serve, live, eventually
):
    home.configure("budget: PT20S", "budget: PT20S, approval: true")
    home.cli("pause", MODEL)  # what is retrained is asked for by a person alone
    server = serve()
    with server.client() as client:
        for number in range(5):
            assert live(client, number, **MOVED).version == 1
        home.cli("retrain", MODEL, "--why", "a second depot")
        eventually(lambda: not client.get(f"/v1/models/{MODEL}/requests"), "the run is over")
        (run,) = client.get(f"/v1/models/{MODEL}/runs")
        assert run["reason"].endswith("; it waits for a person: leeway promote late 2"), run
        assert live(client, 5, **MOVED).version == 1
        home.cli("promote", MODEL, "2", "--why", "it knows the depot")
        assert live(client, 6, **MOVED).version == 2
        (run,) = client.get(f"/v1/models/{MODEL}/runs")
        assert run["outcome"] == "promoted"
        assert run["reason"].endswith("; promoted by a person: it knows the depot")
        back = home.cli("rollback", MODEL, "--why", "a drill")
        assert "version 1 of late is the champion again" in back.stdout
        assert live(client, 7, **MOVED).version == 1
    assert "Traceback" not in server.output.read_text()


def test_windows_are_judged_by_the_tick_alone(home, serve, made_up, week_start, eventually):
    with serve("--role", "all").client() as client:
        home.clock.set(week_start(1))
        client.predict(MODEL, made_up(0).drop(columns="late"))
        eventually(lambda: client.get(f"/v1/models/{MODEL}/windows"), "the tick has judged")


def test_the_worker_ends_when_its_server_is_killed(serve, eventually):
    server = serve()
    eventually(lambda: worker_of(server), "there is a worker")
    (worker,) = worker_of(server)
    with ending(worker):
        server.kill()
        eventually(lambda: not is_running(worker), "the worker has ended")


def test_a_worker_that_dies_is_started_again(serve, eventually):
    server = serve()
    eventually(lambda: worker_of(server), "there is a worker")
    (first,) = worker_of(server)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: worker_of(server) not in ([], [first]), "there is another worker")


def test_a_server_that_is_told_to_stop_ends_with_its_worker(serve, eventually):
    server = serve()
    eventually(lambda: worker_of(server), "there is a worker")
    (worker,) = worker_of(server)
    with ending(worker):
        server.process.terminate()
        assert server.process.wait(60) in (0, -signal.SIGTERM)
        eventually(lambda: not is_running(worker), "the worker has ended")


def test_beyond_loopback_a_server_without_a_key_refuses_to_start(home):
    ended = home.cli("serve", "--host", "0.0.0.0")
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert "set a key before listening on 0.0.0.0" in line


def test_a_server_with_a_key_answers_those_who_have_it(serve):
    server = serve("--role", "api", "--host", "0.0.0.0", LEEWAY_API_KEY="secret of a test")
    with server.client() as client:
        assert [model["model"] for model in client.get("/v1/models")] == [MODEL]
    server.api_key = None
    with server.client() as client:
        assert client.get("/healthz") == {"status": "ok"}
        with pytest.raises(ClientError, match="401: send LEEWAY_API_KEY"):
            client.get("/v1/models")
