"""Leeway: drift monitoring and retraining for deployed models."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeway.client import Client
    from leeway.comparison.comparing import compare

__all__ = ["Client", "compare"]


def __getattr__(name: str) -> object:
    """Import what is exported when it is first asked for: ``leeway --help`` needs none of it."""
    if name == "compare":
        from leeway.comparison.comparing import compare  # noqa: PLC0415 - as the docstring says

        return compare
    if name == "Client":
        from leeway.client import Client  # noqa: PLC0415 - as above

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
