"""docs/configuration.md says of every setting what the code does."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from leeway.config import Config, Environment
from leeway.config_file import load_config
from monitor.checks.methods import METHODS
from monitor.schema import Kind

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| `?(.+?)`? \| (.+?) \|$", re.MULTILINE)
EXAMPLE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
A_MODEL = "models.<name>"


def fields(config: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every field below a class with its key, as the document writes it.

    What stands under two keys of a section alike, as `predictions` and `labels`, comes once.
    """
    known: set[type[BaseModel]] = set()
    for name, field in config.model_fields.items():
        key = f"{path}.{name}".strip(".")
        yield key, field
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel) and inner not in known:
                known.add(inner)
                yield from fields(inner, A_MODEL if key == "models" else key)


def shown(value: Any) -> str:
    """Write a JSON value as in YAML's flow style."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown(one)}' for key, one in value.items())}}}"
    return str(value)


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    assert field.annotation is not None
    adapter: TypeAdapter[Any] = TypeAdapter(field.annotation)
    return shown(adapter.dump_python(field.default, mode="json", exclude_unset=True))


def documented() -> dict[str, str]:
    """Return the defaults in the document by key or variable."""
    rows = ROW.findall(DOCUMENT.read_text())
    assert len(rows) == len({key for key, *_ in rows}), "a key is documented twice"
    return {key: stated for key, _, stated, _ in rows}


def keys_in(document: Any, path: str = "") -> Iterator[str]:
    for name, value in document.items():
        key = A_MODEL if path == "models" else f"{path}.{name}".strip(".")
        yield key
        if isinstance(value, dict):
            yield from keys_in(value, key)
            if name == "labels":  # of a source, where the same keys stand under predictions
                yield from keys_in(value, f"{path}.predictions")


def example() -> str:
    (found,) = EXAMPLE.findall(DOCUMENT.read_text())
    return str(found)


def test_every_setting_is_documented_with_its_default_and_no_other_is():
    settings = {key: default(field) for key, field in fields(Config)}
    variables = {
        f"LEEWAY_{name.upper()}": default(field) for name, field in Environment.model_fields.items()
    }
    assert documented() == settings | variables


def test_the_example_uses_every_setting():
    missing = {key for key, _ in fields(Config)} - set(keys_in(yaml.safe_load(example())))
    assert not missing


def test_the_example_is_accepted(tmp_path, monkeypatch):
    monkeypatch.setenv("LEEWAY_WEBHOOK", "json://127.0.0.1/hook")
    monkeypatch.setenv("DEPLOY_WEBHOOK", "https://127.0.0.1/deploy")
    monkeypatch.setenv("LEEWAY_DATABASE_URL", "postgresql://leeway@db/leeway")
    monkeypatch.setenv("FLIGHTS_DB", "sqlite:///flights.db")
    monkeypatch.setenv("SHOP_TOKEN", "secret")
    file = tmp_path / "leeway.yaml"
    file.write_text(example())
    config = load_config(file)
    assert {"flights_late", "prices"} < set(config.models)
    assert config.notify.to == ("json://127.0.0.1/hook",)


@pytest.mark.parametrize("name", ["numeric", "categorical"])
def test_every_method_is_named_for_the_columns_it_takes(name):
    text = " ".join(DOCUMENT.read_text().split())
    listed = re.search(
        r"Methods for numeric columns: (?P<numeric>.+?)\. "
        r"For categorical columns: (?P<categorical>.+?)\. For both: (?P<both>.+?)\.",
        text,
    )
    assert listed
    mine = re.findall(r"`(\w+)`", listed[name] + listed["both"])
    assert set(mine) == {key for key, one in METHODS.items() if Kind(name) in one.kinds}


def test_a_method_of_ones_own_is_registered_by_an_import(tmp_path):
    (module,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (tmp_path / "my_methods.py").write_text(module)
    (tmp_path / "leeway.yaml").write_text(
        "imports: [my_methods]\n"
        "models: {m: {reference: r.parquet, columns: {target: y}, drift: {methods: {x: median_shift}}}}"
    )
    code = """if True:
        from pathlib import Path
        import numpy as np
        from leeway.config_file import load_config
        from monitor.checks.evidently import evidently_score
        from monitor.schema import Kind
        config = load_config(Path("leeway.yaml"))
        method = config.models["m"].drift.methods["x"]
        values = np.arange(9.0)
        score = evidently_score(
            reference=values, current=values + 1, kind=Kind.NUMERIC, method=method
        )
        print(round(score.value, 3), score.threshold, score.breach_when)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "0.365 0.2 above\n", done.stderr
