"""Benchmarks are run by hand: what they take from the program must be there all the same."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(lines: list[str]) -> str:
    """Run lines of Python that may import benchmarks; returns what they printed."""
    lines = [f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'benchmarks')!r}]", *lines]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_benchmark_finds_what_it_imports():
    names = sorted(file.stem for file in (ROOT / "benchmarks").glob("*.py"))
    assert len(names) > 20
    run([f"import {name}" for name in names])


def test_evidently_s_rules_are_decided_in_the_benchmark_of_trust_as_evidently_does():
    told = run(
        [
            "import json, rules, trust",
            "year = trust.some_windows()",
            "ours, (columns, windows) = rules.by_evidently(year), rules.evidently_itself(year)",
            "share = ours.mean(axis=0) >= rules.EVIDENTLY_SHARE",
            "print(json.dumps([one.tolist() for one in (ours, columns, share, windows)]))",
        ]
    )
    ours, columns, share, windows = json.loads(told.splitlines()[-1])
    assert (ours, share) == (columns, windows)
    assert {True, False} == {one for column in columns for one in column} == set(windows)
