"""A run that was asked for and repeated on the command line, its worker a process of its own."""

import hashlib

import pandas as pd

from tests.patience import eventually

N_REFERENCE, N_WEEK, N_WEEKS = 1120, 280, 5


def test_a_run_is_on_record_with_its_rows_and_makes_the_same_model_again(home, serve):
    home.configure("cooldown: P1D", "cooldown: P1D, when: []")
    with home.opened() as app:
        for number in range(N_WEEKS):
            app.live(number, by_x=0.2, by_y=4.0)
            app.deployment.watcher().check("late")
    with serve().client() as client:
        assert home.cli("retrain", "late", "--why", "it is time").returncode == 0
        path = "/v1/models/late/runs"
        eventually(lambda: [one for one in client.get(path) if one["ended_at"]], "the run ends")
        run = client.get(f"{path}/1")
        learned = client.get("/v1/models/late/versions")[-1]["lineage"]["n_rows"]
    assert run["outcome"] == "promoted", run["reason"]
    reference, *weeks = run["details"]["parts"]
    file = home.folder / "reference.parquet"
    assert (reference["name"], reference["n_rows"]) == (file.name, N_REFERENCE)
    assert reference["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [part["n_rows"] for part in weeks] == [N_WEEK] * N_WEEKS
    assert len({part["sha256"] for part in weeks}) == N_WEEKS
    again = home.cli("repeat", "late", "1")
    assert again.returncode == 0, again.stderr
    told = " ".join(again.stdout.split())
    assert told.startswith("run 1 gives version 2 again, bit for bit: ")
    assert told.endswith(f" on {learned} rows of {1 + N_WEEKS} parts")
    pd.read_parquet(file).iloc[1:].to_parquet(file)
    changed = home.cli("repeat", "late", "1")
    assert changed.returncode == 3
    assert "reference.parquet is not what it was" in " ".join(changed.stderr.split())
