"""Console: the small commands that look at a deployment, or act on it, from its own machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill

from rich.console import Console
from rich.table import Table

from dashboards.pages.estimated import BLIND, estimated, kept_promises
from dashboards.pages.page import model_path
from dashboards.pages.uncalibrated import uncalibrated
from leeway.config import Environment
from leeway.deployment import Deployment, ensure_first_versions, opened
from leeway.policies import retrained, trusted_types
from leeway.reasons import Followed, reasons
from monitor.adapters.history import Document, History
from monitor.checks.score import Status
from monitor.errors import NotFoundError
from retrain.adapters.bundle_files import load_model
from retrain.adapters.labelled_rows import labelled_reference, read_table
from retrain.foreign import foreign_version
from retrain.record import BY_HAND, RequestKind
from retrain.repeat import repeat

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out.width = 200  # a pipe has no edge to fit to


@contextmanager
def _deployment(config: Path, model: str | None = None) -> Iterator[Deployment]:
    with opened(config, Environment()) as deployment:
        if model is not None and model not in deployment.config.models:
            raise NotFoundError("model", model)
        yield deployment


def upgrade_now(config: Path) -> None:
    """Bring the state database to the newest revision."""
    with _deployment(config) as deployment:
        out.print(f"{deployment.config.data / 'state.db'} is up to date")


def check_now(config: Path, model: str) -> bool:
    """Judge what is due for a model; True when a window breached."""
    with _deployment(config, model) as deployment:
        ensure_first_versions(deployment, lambda _share, text: out.print(text))
        watcher = deployment.watcher()
        judged = watcher.check(model)
        watcher.deliver()
    if not judged:
        out.print("nothing is due")
    for one in judged:
        out.print(f"{one.window.key}  {one.verdict.status}  {one.diagnosis.sentence}")
    return any(one.verdict.status is Status.BREACH for one in judged)


def show_status(config: Path) -> None:
    """Print each model in a line."""
    with _deployment(config) as deployment:
        table = Table("model", "status", "newest window ends", "open alerts", "decision", box=None)
        models = History(deployment.engine).models()
        for model in models:
            window = model["window"] or {}
            checks = ", ".join(alert["check"] for alert in model["alerts"]) or "none"
            status = "ERROR" if model["error"] else window.get("status", Status.NO_DATA)
            end = f"{window['end']:%Y-%m-%d %H:%M}" if window else "-"
            table.add_row(model["model"], status, end, checks, window.get("decision", "-"))
        out.print(table)
        known = [name for one in models if (name := one["model"]) in deployment.config.models]
        watcher = deployment.watcher(known)
        for name in known:
            if why := watcher.uncalibrated(name):
                _tell(f"{name}: {uncalibrated(why)}")


def show_windows(config: Path, model: str) -> None:
    """Print a model's windows with their verdicts."""
    with _deployment(config, model) as deployment:
        metric = deployment.watcher().watched[model].verdict.performance.metric
        names = ("window", "rows", "labels", "drifted", metric, "status", "decision", "champion")
        table = Table(*names, box=None)
        for window in History(deployment.engine).windows(model):
            table.add_row(*_cells(window, metric))
        out.print(table)


def _cells(window: Document, metric: str) -> tuple[str, ...]:
    share, value = window["share_drifted"], window["metrics"].get(metric)
    return (
        window["id"],
        f"{window['n_rows']}",
        f"{window['n_labels']}",
        "-" if share is None else f"{share:.0%}",
        "-" if value is None else f"{value:.3f}",
        window["status"],
        window["decision"],
        str(window["champion"]),
    )


def show_reasons(config: Path, model: str) -> None:
    """Print what was done about each window, or was not, and why."""
    with _deployment(config, model) as deployment:
        history, runs = History(deployment.engine), deployment.runs
        windows, kept = history.windows(model), history.track_record(model)
        followed = Followed(
            history.decisions(model),
            history.alerts(model),
            runs.requests(model),
            runs.trials(model),
            runs.runs(model),
            f"{deployment.config.url.rstrip('/')}{model_path(model)}",
        )
        not_calibrated = deployment.watcher([model]).uncalibrated(model)
    # First, so that what ends the output is the newest window.
    if not_calibrated:
        _tell(uncalibrated(not_calibrated))
        out.print()
    if any(estimated(window) for window in windows):
        _tell(f"{kept_promises(kept)} {BLIND}")
        out.print()
    for window, (first, *more) in reasons(windows, followed):
        _tell(f"{window}  {first}", indent=len(window) + 2)
        for one in more:
            _tell(f"{window}  {one}", indent=len(window) + 2, style="dim")


def _tell(line: str, *, indent: int = 0, style: str | None = None) -> None:
    """Print a line as it is; on a terminal between words, so that what it is about stands out."""
    if out.is_terminal:
        line = fill(line, out.width, subsequent_indent=" " * indent, break_on_hyphens=False)
    out.print(line, style=style, markup=False)


def show_versions(config: Path, model: str) -> None:
    """Print a model's versions."""
    with _deployment(config, model) as deployment:
        champion = deployment.registry.champion(model)
        aliases = {number: name for name, number in deployment.registry.aliases(model).items()}
        names = ("", "version", "is", "made at", "recipe", "trained until", "why")
        table = Table(*names, box=None)
        for version in deployment.registry.versions(model):
            table.add_row(
                "*" if version.number == champion else "",
                str(version.number),
                aliases.get(version.number, ""),
                f"{version.created_at:%Y-%m-%d %H:%M}",
                str(version.recipe.get("name", "watched only")),
                str(version.lineage["trained_until"])[:16],
                str(version.lineage["reason"]),
            )
        out.print(table)


def register_file(config: Path, model: str, file: Path, why: str) -> None:
    """Register a model file as a new version, which does not serve yet."""
    with _deployment(config, model) as deployment:
        ensure_first_versions(deployment, lambda _share, text: out.print(text))
        if not file.is_file():
            raise NotFoundError("model file", str(file))
        one, schema = deployment.config.models[model], deployment.schema(model)
        bundle = foreign_version(
            load_model(file, trusted_types(deployment.config)),
            labelled_reference(read_table(one.reference), schema),
            retrained(model, one, schema),
            before=deployment.champion(model).reference,
            why=f"{why} ({file.name})",
        )
        version = deployment.registry.register(bundle, deployment.clock.now())
        out.print(f"version {version}; let it serve with: leeway promote {model} {version}")


def ask_for_run(config: Path, model: str, why: str) -> None:
    """Ask for a retrain run; a worker carries it out."""
    with _deployment(config, model) as deployment:
        runs = deployment.runs
        now = deployment.clock.now()
        number = runs.ask(model, RequestKind.RETRAIN, BY_HAND, why, now)
    out.print(f"request {number} is waiting for the worker; see the page of {model}")


def repeat_run(config: Path, model: str, run: int) -> None:
    """Make a run's model again and say whether it is the same."""
    with _deployment(config, model) as deployment:
        record = deployment.runs.run(model, run)
        one = retrained(model, deployment.config.models[model], deployment.schema(model))
        out.print(repeat(record, one, deployment.retrain_world()))


def promote_version(config: Path, model: str, version: int, why: str) -> None:
    """Make a version the champion."""
    with _deployment(config, model) as deployment:
        champion = deployment.registry.champion(model)
        deployment.registry.promote(model, version, deployment.clock.now(), why)
        live = deployment.shadows.of(model, version, champion)
    out.print(f"version {version} of {model} is the champion")
    if live is not None and live.failure:
        out.print(f"but {live.failure}; to undo it: leeway rollback {model}", markup=False)


def roll_back(config: Path, model: str, version: int | None, why: str) -> None:
    """Go back to a former version."""
    with _deployment(config, model) as deployment:
        now = deployment.clock.now()
        version = deployment.registry.roll_back(model, now, why, version)
    out.print(f"version {version} of {model} is the champion again")


def close_incident(config: Path, model: str, number: int | None, why: str) -> None:
    """Close an incident by a person's word."""
    with _deployment(config, model) as deployment:
        number = deployment.store.close_incident(model, number, deployment.clock.now(), why)
    out.print(f"incident {number} of {model} is closed: its rows may be trained on")


def set_paused(config: Path, model: str, *, paused: bool) -> None:
    """Hold back retraining of a model, or let it go on."""
    with _deployment(config, model) as deployment:
        deployment.store.pause(model, paused=paused)
    out.print(f"retraining of {model} is {'paused' if paused else 'on'}")
