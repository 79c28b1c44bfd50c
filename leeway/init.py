"""Init: a commented leeway.yaml for a reference file."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from leeway.config import Config
from leeway.config_file import load_config
from monitor.batch import EVENT_AT
from monitor.calibration import MIN_WINDOWS
from monitor.cells import TimeArray, typical, windows
from monitor.checks.calibrated import DEFAULT_WINDOWS
from monitor.errors import ConfigError
from monitor.inferred import Inferred, infer
from monitor.schema import Kind, Roles, Task
from monitor.window import WindowPolicy
from retrain.adapters.labelled_rows import labelled_reference, read_table

PLAIN = pa.timestamp("us")
"""Times without a zone, as NumPy has them."""

LEAST_ROWS = 100
"""Windows are not made shorter than this for the sake of an alert budget: shares and performance
of fewer rows are mostly chance."""


@dataclass(frozen=True)
class Wanted:
    """What a person said on the command line; None is left to be guessed."""

    data: Path
    target: str
    prediction: str | None = None
    time: str | None = None
    task: str | None = None
    window: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Offered:
    """A length that windows may be given, as leeway.yaml has it, and in words."""

    setting: str
    policy: WindowPolicy
    words: str


BY_TIME = (
    Offered("every: P7D", WindowPolicy(every=timedelta(days=7)), "weeks of event time"),
    Offered("every: P1D", WindowPolicy(every=timedelta(days=1)), "days of event time"),
    Offered("every: PT1H", WindowPolicy(every=timedelta(hours=1)), "hours of event time"),
)
BY_COUNT = tuple(
    Offered(f"rows: {n}", WindowPolicy(rows=n), f"{n} rows each") for n in (500, 200, 100)
)
"""The usual length first; a shorter one is taken where the reference has too few of those."""


def write_config(wanted: Wanted, path: Path) -> list[str]:
    """Write leeway.yaml; returns what was guessed, for the person to check.

    Raises
    ------
    ConfigError
        If the file exists already: a person may have worked on it.
    SchemaError
        If the reference cannot be used.
    """
    if path.exists():
        raise ConfigError(str(path), "file", "exists already; give another one by --config")
    if wanted.task is not None and wanted.task not in list(Task):
        raise ConfigError("command line", "--task", f"expected one of {', '.join(Task)}")
    table = read_table(wanted.data)
    task = Task(wanted.task) if wanted.task else None
    roles = Roles(wanted.target, wanted.prediction, wanted.time, task=task)
    found = infer(table, roles)
    # A reference that cannot be learned from fails here.
    rows = labelled_reference(table, found.schema).sort_by(EVENT_AT)
    event_at = rows.column(EVENT_AT).cast(PLAIN).to_numpy()
    offered = BY_COUNT if found.schema.time is None else BY_TIME
    window, guesses = _window(wanted.window, event_at, offered)
    name = wanted.name or _model_name(wanted.data.stem)
    reference = os.path.relpath(wanted.data.resolve(), path.resolve().parent)
    text = _render(name, reference, found, window, with_prediction=wanted.prediction)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), "file", f"cannot be written: {error.strerror}") from error
    try:
        load_config(path)
    except ConfigError:
        path.unlink()  # else the next attempt would find it, and be refused
        raise
    said = [*found.guesses, *guesses, _calibrated(event_at, load_config(path))]
    return [f"wrote {path}; please check what was guessed:", *(f"  - {guess}" for guess in said)]


def _calibrated(event_at: TimeArray, config: Config) -> str:
    """Say who will judge drift: that depends on how many windows the reference has."""
    ((_, model),) = config.models.items()
    policy = WindowPolicy(**model.window.model_dump())
    n_windows = len(typical(windows(event_at, policy)))
    if n_windows >= MIN_WINDOWS:
        return f"windows of the reference: {n_windows}, so an alert budget judges drift"
    few = f"windows of the reference: {n_windows}, an alert budget needs {MIN_WINDOWS}"
    return f"{few}, so Evidently's limits judge drift"


def _model_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text).lstrip("_.-")[:100] or "model"


def _window(
    text: str | None, event_at: TimeArray, offered: tuple[Offered, ...]
) -> tuple[str, list[str]]:
    """Return the setting of the windows' length, and what was guessed of it."""
    if text is not None:
        return (f"rows: {text}" if text.isdigit() else f"every: {text}"), []
    usual, *shorter = offered
    if not _is_enough(event_at, usual, 0):
        for one in shorter:
            if _is_enough(event_at, one, LEAST_ROWS):
                why = "longer ones would be too few for an alert budget"
                longer = usual.setting.partition(": ")[2]
                return one.setting, [f"windows are {one.words}: {why} (--window {longer})"]
    hint = "--window 1000 for more" if usual.policy.rows else "--window P1D for days"
    return usual.setting, [f"windows are {usual.words} ({hint})"]


def _is_enough(event_at: TimeArray, offered: Offered, least_rows: int) -> bool:
    """Say whether windows of a length calibrate an alert budget, and each has so many rows."""
    cells = windows(event_at, offered.policy)
    n_rows = np.bincount(cells.of_row)
    return len(typical(cells)) >= MIN_WINDOWS and bool(np.median(n_rows) >= least_rows)


def _dates(names: list[str]) -> str:
    return f"dates: {_list(names)}" if names else "# dates: none; a model gets their parts"


def _render(
    name: str, reference: str, found: Inferred, window: str, *, with_prediction: str | None
) -> str:
    schema = found.schema
    numeric = [n for n, kind in schema.features.items() if kind is Kind.NUMERIC]
    categorical = [n for n, kind in schema.features.items() if kind is Kind.CATEGORICAL]
    prediction = (
        f"prediction: {_text(with_prediction)}"
        if with_prediction
        else "# prediction: none, so Leeway trains version 1 on the reference and serves it"
    )
    per = f"{DEFAULT_WINDOWS} windows" if window.startswith("rows") else "30 days"
    return f"""\
# Leeway's configuration. Durations are ISO 8601 (P7D, PT6H). A key that is left out has the
# default shown; an unknown key is refused. Every key is explained in docs/configuration.md.
models:
  {_text(name)}:
    task: {schema.task}
    reference: {_text(reference)}  # training-time rows, Parquet or CSV
    columns:
      target: {_text(schema.target)}  # the label
      {prediction}
      {_optional("time", schema.time, "none: rows count from when they arrive")}
      {_optional("id", schema.id, "none: prediction ids are generated and returned")}
      numeric: {_list(numeric)}
      categorical: {_list(categorical)}
      {_dates(schema.dates)}
    window: {{{window}}}
    # drift: {{alert_budget: {{alerts: 1}}}}  # false drift alerts to live with in {per}
    # performance: {{metric: {_metric(schema.task)}, max_drop: 0.03}}
    # labels: {{horizon: P90D}}  # how long labels are waited for
    # retrain:
    #   when: [gain, performance, drift, schedule, new_rows]  # empty: only a person does
    #   every: P28D
    #   cooldown: P7D
    #   budget: PT10M
    #   minimum_gain: 0.0
# notify: {{via: direct, to: ["${{LEEWAY_WEBHOOK}}"]}}  # Apprise addresses, e.g. json://host/path
"""


def _metric(task: Task) -> str:
    return {Task.BINARY: "roc_auc", Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}[task]


def _optional(key: str, value: str | None, otherwise: str) -> str:
    return f"{key}: {_text(value)}" if value else f"# {key}: {otherwise}"


def _text(value: str) -> str:
    """Quote a text for YAML only where it must be."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
    )


def _list(names: list[str]) -> str:
    return (
        yaml.safe_dump(names, default_flow_style=True, width=88).strip().replace("\n", "\n        ")
    )
