"""docs/metrics.md says of every exported metric what a real scrape shows."""

import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from leeway.app import api
from leeway.config import Config, Environment
from leeway.deployment import ensure_first_versions, opened
from monitor.checks.score import Status

with warnings.catch_warnings():
    # Starlette would rather have httpx2; nothing else we use knows it.
    warnings.filterwarnings("ignore", "Using `httpx` with `starlette.testclient`")
    from fastapi.testclient import TestClient

DOCUMENT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
ROW = re.compile(r"^\| `(leeway_\w+)` \| (\w+) \| (.*?) \| ", re.MULTILINE)

YAML = """\
models:
  deliveries:
    reference: reference.parquet
    columns: {target: late, time: at, id: order_id}
    retrain: {candidates: [tree], when: []}
"""


def rows(start: str, n_rows: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "at": pd.date_range(start, periods=n_rows, freq="1h", tz="UTC"),
            "order_id": [f"{seed}-{i}" for i in range(n_rows)],
            "distance_km": draw.uniform(1, 11, n_rows),
            "weather": draw.choice(["dry", "rain"], n_rows),
            "late": draw.integers(0, 2, n_rows),
        }
    )


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A scrape of the composed application after a week that moved and on whose labels the model
    fell, one that broke as well, a refused row.
    """
    folder = tmp_path_factory.mktemp("metrics")
    rows("2026-01-05", 1344, seed=0).to_parquet(folder / "reference.parquet")
    (folder / "leeway.yaml").write_text(YAML)
    (folder / "clock").write_text("2026-03-16T12:00:00Z")
    environment = Environment(api_key=None, clock_file=folder / "clock")
    with opened(folder / "leeway.yaml", environment) as deployment:
        ensure_first_versions(deployment, lambda _share, _text: None)
        with TestClient(api(deployment, environment, "api")) as client:
            moved, broken = (
                rows(start, 168, seed).drop(columns="late")
                for seed, start in enumerate(("2026-03-02", "2026-03-09"), start=1)
            )
            moved["weather"] = "rain"
            # It rains on the far ones alone: the columns come together otherwise, too.
            broken["weather"] = np.where(broken["distance_km"] > 5, "rain", "dry")
            for week in (moved, broken):
                week["distance_km"] = 8 + week["distance_km"] / 4
            # Half of the distances are gone, so that an alert opens and is delivered.
            broken.loc[::2, "distance_km"] = np.nan
            csv = {"Content-Type": "text/csv"}
            predict = "/v1/models/deliveries/predict?durable=true"
            sent = [
                client.post(predict, content=moved.to_csv(index=False), headers=csv),
                client.post(predict, content=broken.to_csv(index=False), headers=csv),
            ]
            # What it holds to be least likely comes true.
            likely = np.array(sent[0].json()["predictions"])
            labels = moved[["order_id"]].assign(late=likely < np.median(likely))
            sent += [
                client.post(
                    "/v1/models/deliveries/labels",
                    content=labels.astype({"late": int}).to_csv(index=False),
                    headers=csv,
                ),
                client.post("/v1/models/deliveries/checks"),
            ]
            assert [one.status_code for one in sent] == [200, 200, 202, 200]
            assert client.post(predict, content="[{}]").status_code == 422
            return str(client.get("/metrics").text)


def families(scrape: str) -> list[Metric]:
    """Return Leeway's families, but for the times at which the client library made one."""
    found = text_string_to_metric_families(scrape)
    return [
        one for one in found if one.name.startswith("leeway_") and not one.name.endswith("_created")
    ]


def name_of(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_every_metric_is_documented_with_its_type_and_no_other_is(scrape):
    documented = {name: kind for name, kind, _ in ROW.findall(DOCUMENT)}
    assert documented == {name_of(one): one.type for one in families(scrape)}


def test_every_metric_is_documented_with_its_labels(scrape):
    documented = {
        name: set(re.findall(r"`(\w+)`", text)) for name, _, text in ROW.findall(DOCUMENT)
    }
    shown = {
        name_of(one): {label for sample in one.samples for label in sample.labels} - {"le"}
        for one in families(scrape)
    }
    assert documented == shown


def test_every_metric_is_documented_once():
    names = [name for name, *_ in ROW.findall(DOCUMENT)]
    assert len(names) == len(set(names))


def test_the_numbers_of_the_statuses_are_the_exported_ones():
    stated = ", ".join(f"{status.code} {status}" for status in Status)
    assert f"Statuses are numbers: {stated}." in " ".join(DOCUMENT.split())


def test_the_budget_of_series_is_the_real_one():
    assert f"a budget of {Config.model_fields['series_per_model'].default} series" in " ".join(
        DOCUMENT.split()
    )


@pytest.mark.parametrize("label", ["check", "kind", "outcome"])
def test_every_value_of_a_short_label_is_documented(scrape, label):
    values = {
        sample.labels[label]
        for one in families(scrape)
        for sample in one.samples
        if label in sample.labels
    }
    assert values
    assert all(re.search(rf'`(\w+=")?{value}"?`', DOCUMENT) for value in values)


@pytest.mark.stack
def test_promtool_accepts_the_queries_shown(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None and not os.environ.get("CI"):
        pytest.skip("promtool is not installed")
    assert promtool, "promtool is not installed"
    (block,) = re.findall(r"```promql\n(.*?)```", DOCUMENT, re.DOTALL)
    queries = [line.partition("  #")[0].strip() for line in block.splitlines()]
    rules = [{"alert": f"Query{i}", "expr": query} for i, query in enumerate(queries)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "docs", "rules": rules}]}))
    checked = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
