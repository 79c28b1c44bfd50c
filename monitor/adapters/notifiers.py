"""Ways to reach people: the log, and any address Apprise knows."""

from collections.abc import Sequence

import structlog

from monitor.errors import ConfigError, LeewayError
from monitor.ports import Notifier

_log = structlog.get_logger("leeway.alerts")


class LogNotifier:
    """Writes each message to the log, so that no alert depends on a network alone."""

    channel = "log"

    def notify(self, title: str, body: str) -> None:
        """Write the message."""
        _log.warning(title, message=body)


class AppriseNotifier:
    """Sends to one Apprise address: a webhook (``json://``), Slack, e-mail, ...

    Parameters
    ----------
    address : str
        The Apprise URL; its secrets are never shown.
    number : int
        Place of the address in ``notify.to``, so that two of a kind have names of their own.
    """

    def __init__(self, address: str, number: int) -> None:
        import apprise  # noqa: PLC0415 - slow to import, and unused without an address

        self._apprise = apprise.Apprise()
        self.channel = f"{address.partition(':')[0]}-{number}"
        if not self._apprise.add(address):
            raise ConfigError("leeway.yaml", f"notify.to.{number}", "not an address Apprise knows")

    def notify(self, title: str, body: str) -> None:
        """Send the message; raises LeewayError when it was not taken."""
        if not self._apprise.notify(title=title, body=body):
            raise LeewayError(f"channel {self.channel} did not take the message")


def notifiers(addresses: Sequence[str]) -> list[Notifier]:
    """Return the log, and a way to each address."""
    return [LogNotifier(), *(AppriseNotifier(one, i) for i, one in enumerate(addresses))]
