"""Clocks: the machine's, and one that is set by hand."""

from datetime import UTC, datetime
from pathlib import Path

from monitor.errors import ConfigError


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)


class FileClock:
    """A clock that stands where a file says, so that a history can be replayed.

    Parameters
    ----------
    path : Path
        Holds one ISO 8601 time; replaced whole by whoever sets the clock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """Return the time in the file."""
        try:
            return datetime.fromisoformat(self._path.read_text().strip()).astimezone(UTC)
        except (OSError, ValueError) as error:
            expected = f"a file with an ISO 8601 time: {error}"
            raise ConfigError("environment", "LEEWAY_CLOCK_FILE", expected) from error

    def set(self, instant: datetime) -> None:
        """Move the clock."""
        # Written aside and renamed: a reader never sees half a time.
        aside = self._path.with_suffix(".new")
        aside.write_text(instant.isoformat())
        aside.replace(self._path)
