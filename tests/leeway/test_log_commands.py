"""`leeway log` on a deployment with rows, labels and files."""

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def logged(home):
    """A deployment with a sealed week, and a label whose prediction never came."""
    with home.opened() as app:
        frame = app.live(0)
        app.deployment.log.seal()
        app.label(frame.head(1).assign(id="stranger"), "a stranger")
        app.live(1)
        assert app.deployment.log.touched("late", []) == []
    return home


def test_stats_show_rows_files_and_labels_that_wait(logged):
    shown = logged.cli("log", "stats")
    assert (shown.returncode, shown.stderr) == (0, "")
    words = [line.split() for line in shown.stdout.splitlines()[1:]]
    assert [(one[:4], one[-2:]) for one in words] == [
        (["late", "label", "561", "281"], ["1", "0"]),
        (["late", "prediction", "560", "280"], ["0", "0"]),
    ]


def test_seal_moves_the_inbox_to_files_that_verify_finds_unaltered(logged):
    assert logged.cli("log", "seal").stdout == "560 rows were moved to files\n"
    assert logged.cli("log", "verify").stdout.endswith("files are what was written\n")


def test_verify_ends_with_a_line_for_each_bad_file(logged):
    first, second, *_ = sorted((logged.folder / "leeway-data" / "rows").rglob("*.parquet"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    checked = logged.cli("log", "verify")
    assert checked.returncode == 3
    missing, altered = sorted(checked.stderr.splitlines(), key=lambda line: "altered" in line)
    assert first.name in missing
    assert second.name in altered


def test_export_writes_all_rows_with_their_labels(logged):
    said = logged.cli("log", "export", "late", "--out", "rows.parquet")
    assert said.stdout == "560 rows of late are in rows.parquet\n"
    rows = pq.read_table(logged.folder / "rows.parquet")
    assert rows.num_rows == 560
    assert rows.column("_label").null_count == 0
    assert {"x", "y", "g", "prediction", "_prediction_id", "_event_at"} <= set(rows.column_names)


def test_a_model_nobody_knows_is_not_exported(logged):
    said = logged.cli("log", "export", "stranger")
    assert (said.returncode, said.stderr) == (3, "leeway: there is no model 'stranger'\n")
