"""Config values: what the keys of leeway.yaml have in common."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _iso_8601(value: Any) -> Any:
    """Refuse numbers: 7 could be days as well as seconds."""
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P")):
        return value
    raise ValueError("expected an ISO 8601 duration, as P7D or PT6H")


# A century is forever, and the present less a century is still a date.
Duration = Annotated[
    timedelta, BeforeValidator(_iso_8601), Field(ge=timedelta(0), le=timedelta(days=36_525))
]
Stretch = Annotated[Duration, Field(gt=timedelta(0))]


def _as_written(value: Any) -> Any:
    """Take YAML's word back: to it an `off` without quotes is false."""
    return "off" if value is False else value


Off = Annotated[Literal["off"], BeforeValidator(_as_written)]


class Strict(BaseModel):
    """A frozen section; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
