"""A model served elsewhere for tests: its configuration, its rows, and what is needed besides."""

import json
import os

import pytest

PATH = "/v1/models/late/predictions"
WATCHED = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns: {time: at, target: late, id: id, prediction: p, numeric: [x, y], categorical: [g]}
"""


def as_rows(frame):
    """Return rows as JSON has them."""
    return json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))


def need(is_there, what: str) -> None:
    """Skip a test where something is missing; in CI that is a failure."""
    if not is_there:
        pytest.fail(what) if os.environ.get("CI") else pytest.skip(what)
