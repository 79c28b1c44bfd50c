"""The commands by which a person acts on a model, instead of Leeway or against it."""

from pathlib import Path
from typing import Annotated

import typer

from leeway.options import DEFAULT_CONFIG, ConfigOption, ModelArgument, WhyOption

by_hand = typer.Typer()


@by_hand.command()
def register(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(help="A fitted scikit-learn pipeline, saved by skops.")],
    why: WhyOption = "registered by a person",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Register a model from elsewhere as a new version; `leeway promote` lets it serve."""
    from leeway.console import register_file  # noqa: PLC0415

    register_file(config, model, file, why)


@by_hand.command()
def retrain(
    model: ModelArgument,
    why: WhyOption = "asked for by a person",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Ask the worker for a retrain run."""
    from leeway.console import ask_for_run  # noqa: PLC0415

    ask_for_run(config, model, why)


@by_hand.command()
def repeat(
    model: ModelArgument,
    run: Annotated[int, typer.Argument(help="The retrain run whose model is made again.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make a run's model again, out of the rows on its record; say whether it is the same."""
    from leeway.console import repeat_run  # noqa: PLC0415

    repeat_run(config, model, run)


@by_hand.command()
def promote(
    model: ModelArgument,
    version: Annotated[int, typer.Argument(help="The version to promote.")],
    why: WhyOption = "asked for by a person",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Make a version the champion."""
    from leeway.console import promote_version  # noqa: PLC0415

    promote_version(config, model, version, why)


@by_hand.command()
def rollback(
    model: ModelArgument,
    version: Annotated[
        int | None, typer.Argument(help="The version to go back to; default: the one before.")
    ] = None,
    why: WhyOption = "asked for by a person",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Go back to a former version, with its reference and thresholds."""
    from leeway.console import roll_back  # noqa: PLC0415

    roll_back(config, model, version, why)


@by_hand.command()
def close(
    model: ModelArgument,
    number: Annotated[
        int | None, typer.Argument(help="The incident; default: the one that is open.")
    ] = None,
    why: WhyOption = "the data are right, a person says",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Close an incident: the data are right, its rows may be trained on."""
    from leeway.console import close_incident  # noqa: PLC0415

    close_incident(config, model, number, why)


@by_hand.command()
def pause(model: ModelArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Hold back retraining of a model."""
    from leeway.console import set_paused  # noqa: PLC0415

    set_paused(config, model, paused=True)


@by_hand.command()
def resume(model: ModelArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Let retraining of a model go on."""
    from leeway.console import set_paused  # noqa: PLC0415

    set_paused(config, model, paused=False)
