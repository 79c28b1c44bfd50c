"""The backups of docs/operations.md hold what was acknowledged, though the log seals meanwhile."""

import os
import re
import shutil
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

from monitor.adapters.database import lock_key
from monitor.batch import PREDICTION_ID
from monitor.window import Window

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
SECTION = DOCUMENT.partition("## Backup\n")[2].partition("\n## ")[0]
SQLITE, POSTGRESQL = re.findall(r"^```bash\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
N_BATCHES = 30
MODEL = "late"


def run(script, folder, **environment: str):
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def backed_up(home, frame, script, **environment: str):
    """Run a backup while rows come and are sealed; returns it, and what was logged before."""
    size = len(frame) // N_BATCHES
    batches = [frame[i * size : (i + 1) * size] for i in range(N_BATCHES)]
    with home.opened() as app:
        app.clock.set(frame["at"].max().to_pydatetime())
        for number, rows in enumerate(batches[:10]):
            app.predict(rows, f"before {number}")
            if number % 3 == 0:
                app.deployment.log.seal()

        def go_on() -> None:
            for number, rows in enumerate(batches[10:]):
                app.predict(rows, f"meanwhile {number}")
                app.deployment.log.seal()

        others = threading.Thread(target=go_on)
        others.start()
        run(script, home.folder, **environment)
        others.join()
    (made,) = (home.folder / "backup").iterdir()
    return made, set(frame["id"][: 10 * size])


def assert_whole(home, start, expected):
    """See that a deployment has its model and these rows, and none twice."""
    with home.opened() as app:
        log = app.deployment.log
        week = Window(start, start + timedelta(days=7))
        found = log.read(MODEL, week, [PREDICTION_ID])
        ids = found.column(PREDICTION_ID).to_pylist()
        assert expected <= set(ids)
        assert len(ids) == len(set(ids))
        assert log.verify() == []
        assert app.serving.champion(MODEL).version == 1


def restored(home, made):
    """Put the parts of a backup in the place of a deployment's data."""
    data = home.folder / "leeway-data"
    shutil.move(data, home.folder / "old")
    shutil.copytree(made, data)
    return home


def test_a_backup_of_a_running_server_is_whole(home, made_up, week_start):
    made, expected = backed_up(home, made_up(0), SQLITE)
    assert_whole(restored(home, made), week_start(0), expected)


def test_a_backup_on_postgresql_is_whole(home_on_postgres, postgres, made_up, week_start):
    home = home_on_postgres
    url = home.config.read_text().partition("database: ")[2].strip()
    made, expected = backed_up(home, made_up(0), POSTGRESQL, database=url)
    empty = postgres.create("restored", "template0")
    run(f'pg_restore --dbname="{empty}" "{made}/leeway.dump"', home.folder)
    home.configure(url, empty)
    assert_whole(restored(home, made), week_start(0), expected)


def test_the_documents_lock_is_the_one_under_which_files_are_sealed():
    assert f"pg_advisory_lock({lock_key('seal')})" in POSTGRESQL
