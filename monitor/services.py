"""Services: what the watch's doors open on."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.adapters.history import History
from monitor.adapters.sql_store import SqlStore
from monitor.body import MAX_BYTES
from monitor.ports import Clock, Log, References
from monitor.scheduler import Watcher


@dataclass(frozen=True)
class MonitorServices:
    """What the watch's doors open on.

    Parameters
    ----------
    watcher : Watcher
        Judges what is due.
    history : History
        What has been recorded.
    store : SqlStore
        Counts what is refused.
    on_schema_change : callable
        ``accept`` or ``refuse``, by model.
    max_body_bytes : int
        How large a body may be, as it came and unpacked.
    flush : callable
        Logs what was answered here and waits to be logged.
    """

    watcher: Watcher
    history: History
    store: SqlStore
    on_schema_change: Callable[[str], str]
    max_body_bytes: int = MAX_BYTES
    flush: Callable[[], object] = lambda: None

    @property
    def log(self) -> Log:
        """The prediction log."""
        return self.watcher.world.log

    @property
    def references(self) -> References:
        """The champions' references."""
        return self.watcher.world.references

    @property
    def clock(self) -> Clock:
        """The present."""
        return self.watcher.world.clock
