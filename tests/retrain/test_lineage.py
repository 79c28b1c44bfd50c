"""A version's record says with what it was made."""

import platform
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest

from retrain.dataset import Dataset
from retrain.lineage import Origin, lineage_of

ALWAYS = {"leeway-ml", "scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "skops"}
BOOSTERS = {"lightgbm", "xgboost-cpu"}


@pytest.fixture
def recorded():
    """Make a record now, and return the versions on it."""
    times = np.array(["2026-03-01", "2026-03-02"], "datetime64[us]")
    rows = Dataset(pd.DataFrame({"x": [1.0, 2.0]}), np.array([0, 1]), times)
    return lambda: dict(lineage_of(Origin("a test"), rows, seed=0).versions)


def test_the_record_has_the_version_of_all_that_may_have_a_part_in_a_model(recorded):
    found = recorded()
    assert found.pop("python") == platform.python_version()
    assert found.keys() >= ALWAYS | BOOSTERS
    assert found == {name: version(name) for name in found}


def test_what_is_not_installed_is_not_on_the_record(recorded, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert recorded() == {"python": platform.python_version()}
