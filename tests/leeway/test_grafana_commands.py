"""`leeway grafana export`, from a checkout and from an installed wheel."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from leeway.cli import main

ROOT = Path(__file__).parents[2]
BOARDS = sorted(file.name for file in (ROOT / "grafana" / "dashboards").glob("*.json"))


def files_in(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def export(folder, *options: str):
    with pytest.raises(SystemExit) as ended:
        main(["grafana", "export", str(folder), *options])
    assert ended.value.code == 0


def test_it_copies_dashboards_provisioning_and_rules(tmp_path, capsys):
    export(tmp_path / "out")
    for part in ("grafana", "prometheus"):
        assert files_in(tmp_path / "out" / part) == files_in(ROOT / part)
    assert capsys.readouterr().out.startswith(f"{len(BOARDS)} dashboards")


def test_links_lead_to_the_address_that_is_given(tmp_path):
    export(tmp_path, "--url", "https://leeway.example.org/")
    for name in BOARDS:
        board = json.loads((tmp_path / "grafana" / "dashboards" / name).read_text())
        (variable,) = (v for v in board["templating"]["list"] if v["name"] == "leeway")
        assert variable["query"] == "https://leeway.example.org"
        assert variable["current"]["value"] == "https://leeway.example.org"


def test_the_wheel_has_the_dashboards_and_the_rules_but_not_what_draws_them(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for part in ("grafana", "prometheus", "docs/runbooks"):
        for name in files_in(ROOT / part):
            assert f"leeway/shipped/{part}/{name}" in names
    assert "dashboards/pages/routes.py" in names
    assert not [name for name in names if name.startswith("dashboards/grafana")]
