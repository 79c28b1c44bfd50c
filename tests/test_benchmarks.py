"""Benchmarks are run by hand: what they take from the program must be there all the same."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_each_benchmark_finds_what_it_imports():
    names = sorted(file.stem for file in (ROOT / "benchmarks").glob("*.py"))
    assert len(names) > 20
    lines = [f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'benchmarks')!r}]"]
    lines += [f"import {name}" for name in names]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
