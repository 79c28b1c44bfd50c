"""`leeway compare` as a person meets it: its table, its files, its exit status."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leeway.cli import main

N_ROWS = 1500
BREACHED, WRONG_USE, FAILED = 1, 2, 3
KEYS = ["column", "kind", "method", "score", "threshold", "breach_when", "status"]


def rows(seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    """Rows of a numeric column that may be shifted, and of three that stay."""
    draw = np.random.default_rng(seed)
    late = draw.random(N_ROWS) < 0.4
    return pd.DataFrame(
        {
            "distance": draw.gamma(2.0, 4.0, N_ROWS) + shift,
            "weather": draw.choice(["dry", "rain", "snow"], N_ROWS),
            "probability": np.clip(0.4 + 0.3 * (late - 0.4) + draw.normal(0, 0.1, N_ROWS), 0, 1),
            "late": late.astype(int),
        }
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a reference, rows like it, and rows of which one column has drifted."""
    monkeypatch.chdir(tmp_path)
    rows(0).to_parquet("reference.parquet")
    rows(1).to_csv("same.csv", index=False)
    rows(1, shift=9.0).to_parquet("current.parquet")
    return tmp_path


@pytest.fixture
def compare(folder, capsys):  # noqa: ARG001 - it runs there
    """Run `leeway compare`: its exit status, what it printed, and its complaint."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["compare", *map(str, arguments)])
        return (ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def complaint(compare):
    """Run a `leeway compare` that must end with one line: its exit status and the line."""

    def run(*arguments: object) -> tuple[int, str]:
        status, _, complaint = compare(*arguments)
        (line,) = complaint.splitlines()
        assert line.startswith("leeway: ")
        return status, line

    return run


def test_two_alike_files_end_with_0(compare):
    status, said, complaint = compare("reference.parquet", "same.csv")
    assert (status, complaint) == (0, "")
    assert said.startswith("0 of 4 columns have drifted (share 0.00, limit 0.50): OK\n")


def test_a_breach_ends_with_1_and_comes_first(compare):
    status, said, _ = compare("reference.parquet", "current.parquet", "--column", "distance")
    assert status == BREACHED
    assert said.startswith("1 of 1 column has drifted (share 1.00, limit 0.50): BREACH\n")
    _, said, _ = compare("reference.parquet", "current.parquet")
    table = said.split("Drift\n")[1].splitlines()
    assert table[0].split() == ["status", "column", "kind", "method", "score", "drifts", "at"]
    assert table[1].split()[:4] == ["BREACH", "distance", "numeric", "wasserstein"]
    assert [line.split()[0] for line in table[2:5]] == ["OK"] * 3


def test_little_drift_is_a_warning_and_ends_with_0(compare):
    status, said, _ = compare("reference.parquet", "current.parquet")
    assert status == 0
    assert "1 of 4 columns has drifted (share 0.25, limit 0.50): WARNING" in said


def test_a_column_that_cannot_be_compared_ends_with_3(compare):
    rows(1).assign(distance="far").to_parquet("text.parquet")
    status, said, _ = compare("reference.parquet", "text.parquet")
    assert status == FAILED
    assert "ERROR   distance" in said
    assert "'far' is no number" in said


def test_nothing_to_compare_ends_with_3(compare):
    pd.DataFrame({"x": [None, None]}).to_parquet("empty.parquet")
    status, said, _ = compare("empty.parquet", "empty.parquet")
    assert status == FAILED
    assert said.startswith("no column could be compared")


def test_the_json_has_the_documented_shape(compare):
    compare("reference.parquet", "current.parquet", "--json", "found.json")
    found = json.loads(Path("found.json").read_text())
    assert [list(entry) for entry in found["columns"]] == [[*KEYS, "n_reference", "n_current"]] * 4
    assert found["columns"][0] == {
        "column": "distance",
        "kind": "numeric",
        "method": "wasserstein",
        "score": pytest.approx(1.6, abs=0.2),
        "threshold": 0.1,
        "breach_when": "above",
        "status": "BREACH",
        "n_reference": N_ROWS,
        "n_current": N_ROWS,
    }
    assert (found["share_drifted"], found["status"]) == (0.25, "WARNING")
    methods = {"missing", "unseen", "out_of_range", "repeated"}
    assert {entry["method"] for entry in found["quality"]} == methods


def test_labels_and_predictions_add_performance(compare):
    rows(1).assign(late=rows(2).late).to_parquet("worse.parquet")
    named = ("--target", "late", "--prediction", "probability", "--json", "found.json")
    status, said, _ = compare("reference.parquet", "worse.parquet", *named)
    assert status == BREACHED
    assert "BREACH  roc_auc" in said
    assert "roc_auc is 0.5" in said.splitlines()[0]
    metrics = {e["method"]: e for e in json.loads(Path("found.json").read_text())["performance"]}
    assert metrics["roc_auc"]["status"] == "BREACH"


def test_a_narrow_terminal_shows_every_column_s_name_and_score(folder):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "leeway", "compare", "reference.parquet", "current.parquet"]
    environment = {**os.environ, "COLUMNS": "50", "TERM": "xterm"}
    process = subprocess.Popen(command, stdout=theirs, env=environment, cwd=folder)
    os.close(theirs)
    shown = b""
    while block := _read(ours):
        shown += block
    assert process.wait() == 0
    assert b"\x1b[1;31mBREACH" in shown  # in colour
    lines = [line.rstrip() for line in shown.decode().splitlines()]
    assert any("distance" in line and "wasserstein" in line for line in lines)
    assert all("…" not in line for line in lines)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other side has hung up
        return b""


# Evidently's page


def test_the_page_shows_what_drifted_and_loads_nothing(compare):
    _, said, complaint = compare("reference.parquet", "current.parquet", "--html", "page.html")
    assert complaint == ""
    assert said.endswith("\npage.html: the drifted columns: 'distance'\n")
    page = Path("page.html").read_text()
    assert "Data Drift" in page
    assert 'src="http' not in page
    assert "<link" not in page


def test_the_page_says_when_nothing_has_drifted_and_when_it_is_a_sample(compare):
    draw = np.random.default_rng(0)
    many = pd.DataFrame({"x": draw.normal(size=60_000), "y": draw.choice(["a", "b"], 60_000)})
    many.to_parquet("many.parquet")
    _, said, _ = compare("many.parquet", "many.parquet", "--html", "page.html")
    assert "page.html: no column has drifted, so those closest to it: " in said
    assert "drawn from 50,000 random rows a side" in said
    _, said, _ = compare("many.parquet", "many.parquet", "--html", "page.html", "--column", "y")
    assert "page.html: the columns asked for: 'y'; drawn" in said


def test_no_page_can_be_written_of_nothing(complaint):
    pd.DataFrame({"x": [None, None]}).to_parquet("empty.parquet")
    status, line = complaint("empty.parquet", "empty.parquet", "--html", "page.html")
    assert (status, line) == (
        FAILED,
        "leeway: there is no page to write: no column could be compared",
    )


# what is refused, in one line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.parquet", "same.csv"], "nothing.parquet: No such file"),
        ([".", "same.csv"], "is a folder"),
        (["empty.csv", "same.csv"], "empty.csv: the file is empty"),
        (["header.csv", "same.csv"], "the reference side has no rows"),
        (["reference.parquet", "header.csv"], "the current side has no rows"),
        (["other.csv", "same.csv"], "no column is in both"),
        (["words.docx", "same.csv"], "words.docx: neither Parquet, Arrow nor CSV"),
        (["cut.parquet", "same.csv"], "cut.parquet: cannot be read"),
        (["ragged.csv", "same.csv"], "ragged.csv: cannot be read: CSV parse error"),
        (["latin.csv", "same.csv"], "latin.csv: column 'name' is not UTF-8"),
        (["reference.parquet", "same.csv", "--column", "nothing"], "no column 'nothing'; it has"),
        (["reference.parquet", "same.csv", "--target", "nothing"], "no column 'nothing'; it has"),
        (["reference.parquet", "same.csv", "--json", "no/such/file"], "--json: no/such/file"),
        (["reference.parquet", "same.csv", "--html", "."], "--html: ."),
    ],
)
def test_wrong_use_is_told_in_a_line_and_ends_with_2(complaint, arguments, message):
    Path("empty.csv").touch()
    Path("header.csv").write_text("distance,weather\n")
    Path("other.csv").write_text("x\n1\n")
    Path("words.docx").write_text("words")
    Path("cut.parquet").write_bytes(Path("reference.parquet").read_bytes()[:2000])
    Path("ragged.csv").write_text("distance,weather\n1\n")
    Path("latin.csv").write_bytes("name,x\nJosé,1\n".encode("latin-1"))
    status, line = complaint(*arguments)
    assert status == WRONG_USE
    assert message in line


def test_a_damaged_column_is_an_error_of_its_own_on_either_side(compare):
    table = pa.table({"x": np.arange(5000.0), "y": np.arange(5000.0)})
    pq.write_table(table, "good.parquet", compression="gzip")
    place = pq.ParquetFile("good.parquet").metadata.row_group(0).column(0).dictionary_page_offset
    bytes_ = bytearray(Path("good.parquet").read_bytes())
    bytes_[place + 200 : place + 400] = b"\0" * 200
    Path("bad.parquet").write_bytes(bytes_)
    for pair in (("good.parquet", "bad.parquet"), ("bad.parquet", "good.parquet")):
        status, said, _ = compare(*pair)
        assert status == FAILED
        assert "ERROR   x" in said
        assert "OK      y" in said


def test_it_leaves_nothing_behind(compare, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    compare("same.csv", "same.csv")
    assert list(temporary.iterdir()) == []
    shutil.rmtree(temporary)


@pytest.mark.usefixtures("folder")
def test_it_imports_neither_evidently_nor_scikit_learn_nor_a_server():
    program = (
        "import sys\n"
        "from leeway.cli import main\n"
        "try:\n    main(['compare', 'reference.parquet', 'same.csv'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = ('evidently', 'sklearn', 'fastapi', 'sqlalchemy', 'polars')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stderr == "[]\n"
