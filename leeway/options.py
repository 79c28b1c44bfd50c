"""Options: what many commands take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.")]
ModelArgument = Annotated[str, typer.Argument(help="Name of the model in leeway.yaml.")]
WhyOption = Annotated[str, typer.Option("--why", help="The reason, for the record.")]
DEFAULT_CONFIG = Path("leeway.yaml")
