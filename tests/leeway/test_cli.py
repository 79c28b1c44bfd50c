"""The command line as a person meets it: its output and its exit status."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from leeway import console
from leeway.cli import main
from leeway.demo.run import free_port
from leeway.policies import retrained
from retrain import ports
from retrain.record import Outcome, Shown
from retrain.trial import trial
from retrain.world import claim

HEAVY = ("pandas", "sklearn", "evidently", "pyarrow", "fastapi", "scipy", "sqlalchemy")
WRONG_USE, FAILED = 2, 3


@dataclass(frozen=True)
class Ended:
    """What became of a command line."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def leeway(monkeypatch, capsys):
    """Run a command line in this process, in a folder: a new one takes seconds to import."""

    def run(*arguments: object, cwd: Path, **environment: str) -> Ended:
        monkeypatch.chdir(cwd)
        for name, value in {"LEEWAY_API_KEY": "", "LEEWAY_CLOCK_FILE": "", **environment}.items():
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return Ended(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def cli(leeway, home):
    """Run a command line on the deployment."""
    clock = str(home.folder / "clock")
    return partial(leeway, cwd=home.folder, LEEWAY_CLOCK_FILE=clock)


def is_one_line(ended, status):
    """Tell whether a command ended with a status and one line on stderr."""
    lines = ended.stderr.splitlines()
    assert (ended.returncode, len(lines)) == (status, 1), ended.stderr
    assert lines[0].startswith("leeway: ")
    return lines[0]


def test_help_names_every_command(leeway, tmp_path):
    ended = leeway("--help", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    for command in (
        "demo",
        "init",
        "compare",
        "serve",
        "check",
        "status",
        "windows",
        "why",
        "versions",
        "close",
    ):
        assert f"\n  {command} " in ended.stdout


def test_a_cold_help_loads_nothing_heavy(tmp_path):
    program = (
        "import sys, json\n"
        "from leeway.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        f"print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stderr) == []


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        (None, "leeway.yaml: file: not found; make one with `leeway init`"),
        ("models: [", "leeway.yaml: file: not valid YAML"),
        ("text", "leeway.yaml: file: expected keys: models"),
        ("models: {m: {}}", "leeway.yaml: models.m.reference: this key is required"),
        (
            "models: {m: {reference: r, columns: {target: t}, windw: {}}}",
            "leeway.yaml: models.m.windw: unknown key",
        ),
        (
            "models: {m: {reference: r, columns: {target: t}, window: {every: soon}}}",
            "leeway.yaml: models.m.window.every: ",
        ),
        (
            "models: {m: {reference: r, columns: {target: t}}}\nnotify: {to: ['${NO_SUCH}']}",
            "leeway.yaml: notify.to.0: the environment has no variable NO_SUCH",
        ),
    ],
)
def test_a_wrong_configuration_is_told_in_a_line_by_file_and_key(leeway, tmp_path, yaml, expected):
    if yaml is not None:
        (tmp_path / "leeway.yaml").write_text(yaml)
    assert expected in is_one_line(leeway("status", cwd=tmp_path), WRONG_USE)


def test_a_configuration_that_is_a_folder_is_told_in_a_line(leeway, tmp_path):
    ended = leeway("status", "--config", tmp_path, cwd=tmp_path)
    assert str(tmp_path) in is_one_line(ended, WRONG_USE)


def test_a_wrong_configuration_ends_a_process_with_one_line(home):
    home.config.write_text("models: [")
    assert "not valid YAML" in is_one_line(home.cli("status"), WRONG_USE)


def test_a_missing_reference_is_told_in_a_line(home, cli):
    (home.folder / "reference.parquet").unlink()
    home.configure("late:\n", "other:\n")
    assert "reference.parquet" in is_one_line(cli("check", "other"), WRONG_USE)


def test_a_reference_that_is_no_table_is_told_in_a_line(leeway, tmp_path):
    (tmp_path / "r.parquet").write_text("no table")
    ended = leeway("init", "--data", "r.parquet", "--target", "y", cwd=tmp_path)
    assert "neither Parquet nor CSV" in is_one_line(ended, WRONG_USE)


def test_a_wrong_webhook_address_is_told_in_a_line(home, cli):
    home.configure("tick:", "notify: {to: ['nosuch://user:secret@host']}\ntick:")
    line = is_one_line(cli("check", "late"), WRONG_USE)
    assert "notify.to.0" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "command", ["windows", "why", "versions", "check", "close", "pause", "retrain"]
)
def test_a_model_that_is_not_there_is_told_in_a_line(cli, command):
    assert "'stranger'" in is_one_line(cli(command, "stranger"), FAILED)


def test_a_rollback_to_nowhere_is_told_in_a_line(cli):
    assert "no version to go back to" in is_one_line(cli("rollback", "late"), FAILED)
    assert "'7 of late'" in is_one_line(cli("promote", "late", "7"), FAILED)


def test_a_broken_database_is_told_in_a_line(home, cli):
    for file in (home.folder / "leeway-data").glob("state.db*"):
        file.write_bytes(b"no database" * 1000)
    assert "state.db" in is_one_line(cli("status"), FAILED)


def test_an_unknown_role_is_told_in_a_line(cli):
    assert "--role" in is_one_line(cli("serve", "--role", "king"), WRONG_USE)


def test_an_address_others_can_reach_needs_a_key(cli):
    for host in ("0.0.0.0", "::", "example.org"):
        line = is_one_line(cli("serve", "--host", host, "--port", "0"), WRONG_USE)
        assert "LEEWAY_API_KEY" in line


def test_a_port_in_use_is_told_and_fails(home, serve):
    server = serve("--role", "api")
    port = server.url.rpartition(":")[2]
    ended = home.cli("serve", "--role", "api", "--port", port)
    assert ended.returncode == FAILED
    assert "Traceback" not in ended.stderr
    assert port in ended.stderr


def test_a_demo_folder_in_use_is_refused(leeway, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    ended = leeway("demo", "--folder", tmp_path, "--port", free_port(), cwd=tmp_path)
    assert "not empty" in is_one_line(ended, WRONG_USE)


def test_init_writes_a_configuration_that_serves_and_says_what_it_guessed(cli):
    arguments = ("init", "--data", "reference.parquet", "--target", "late", "--config", "new.yaml")
    ended = cli(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "time is 'at'" in ended.stdout
    assert cli("status", "--config", "new.yaml").returncode == 0
    assert "exists already" in is_one_line(cli(*arguments), WRONG_USE)


def test_check_ends_with_one_when_a_window_breached(home, cli):
    with home.opened() as app:
        app.live(0)
        app.live(1, by_x=-3.0)
    ended = cli("check", "late")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "2026-02-02T00:00:00Z  OK" in ended.stdout
    assert "2026-02-09T00:00:00Z  BREACH" in ended.stdout
    again = cli("check", "late")
    assert (again.returncode, again.stdout) == (0, "nothing is due\n")


def test_why_tells_what_trials_have_shown(home, cli):
    with home.opened() as app:
        world, watcher = app.deployment.retrain_world(), app.deployment.watcher()
        model = retrained(
            "late", app.deployment.config.models["late"], app.deployment.schema("late")
        )
        for number in range(3):
            app.live(number)
            watcher.check("late")
            if number:
                trial(claim(world, "test"), model, world)
    lines = cli("why", "late").stdout.splitlines()
    told = [line for line in lines if "  a trial on " in line]
    assert len(told) == 2
    assert told[-1].split()[0] == lines[-2].split()[0]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED])
def test_why_tells_what_became_of_the_run_that_a_window_led_to(home, cli, outcome):
    with home.opened() as app:
        world, now = app.deployment.retrain_world(), app.clock.now
        app.live(0)
        app.live(1)
        app.deployment.watcher().check("late")
        asked_by = world.runs.requests("late")[-1]["window_key"]
        pays = Shown(pays=True, n_fits=1, reason="a run would pay", details={})
        world.runs.tried(claim(world, "test"), 1, pays, now())
        run = world.runs.start(claim(world, "test"), 1, now())
        world.runs.finish(ports.Ended(run, outcome, "what stood against it", {}), now())
    lines = cli("why", "late").stdout.splitlines()
    first = lines.index(f"{asked_by}  a run would pay")
    page = f"http://127.0.0.1:8000/models/late/runs/{run}"
    assert lines[first + 1] == f"{asked_by}  run {run}: {outcome}: what stood against it ({page})"


def test_why_is_wrapped_between_words_on_a_terminal_and_one_line_elsewhere(home, monkeypatch):
    with home.opened() as app:
        app.live(0)
        app.live(1, by_x=-3.0)
        app.deployment.watcher().check("late")
    screen, pipe = StringIO(), StringIO()
    for file, terminal in ((screen, True), (pipe, False)):
        shown = Console(file=file, force_terminal=terminal, width=80, highlight=False)
        shown.soft_wrap = True
        monkeypatch.setattr(console, "out", shown)
        console.show_reasons(home.config, "late")
    on_screen = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue())
    assert len(on_screen.splitlines()) > len(pipe.getvalue().splitlines())
    assert max(map(len, on_screen.splitlines())) <= 80
    assert on_screen.split() == pipe.getvalue().split()


def test_why_tells_of_estimates_or_why_there_is_none(home, cli):
    with home.opened() as app:
        app.live(0)
        app.live(1, by_x=-3.0)
        app.deployment.watcher().check("late")
    said = cli("why", "late").stdout
    assert "; not estimated: the reference has" in said
    assert "; concept drift, performance has fallen though most inputs look as before" in said
    assert "changed is not tested (not estimated: the reference has 4 windows, 8 are needed" in said
    assert "No window has both an estimate and its labels yet." in said
    assert "they cannot see concept drift" in said
