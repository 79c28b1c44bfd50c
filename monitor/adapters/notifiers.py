"""Ways to reach people: the log, and any address Apprise knows; and machines: webhooks."""

from collections.abc import Sequence

import structlog

from monitor.errors import ConfigError, LeewayError
from monitor.ports import Notifier

_log = structlog.get_logger("leeway.alerts")

WEBHOOK_SECONDS = 10.0
"""How long a webhook may take to answer; while one is waited for nothing is judged."""


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
        self.channel = _channel(address, number)
        if not self._apprise.add(address):
            raise ConfigError("leeway.yaml", f"notify.to.{number}", "not an address Apprise knows")

    def notify(self, title: str, body: str) -> None:
        """Send the message; raises LeewayError when it was not taken."""
        if not self._apprise.notify(title=title, body=body):
            raise LeewayError(f"channel {self.channel} did not take the message")


class Webhook:
    """Posts JSON to one address, for a machine that acts on it.

    Parameters
    ----------
    address : str
        The URL; it may hold a name and a password, and is never shown.
    number : int
        Its place in ``notify.promoted``.
    """

    def __init__(self, address: str, number: int) -> None:
        import httpx  # noqa: PLC0415 - unused without an address

        self._client = httpx.Client(timeout=WEBHOOK_SECONDS)
        self._address = address
        self.channel = webhook_channel(number)

    def notify(self, title: str, body: str) -> None:  # noqa: ARG002 - the body says everything
        """Post the body; raises LeewayError when it was not taken."""
        import httpx  # noqa: PLC0415 - as above

        headers = {"Content-Type": "application/json"}
        try:
            answer = self._client.post(self._address, content=body, headers=headers)
        except httpx.HTTPError as error:
            # Its text may hold the address.
            raise LeewayError(
                f"channel {self.channel} did not answer: {type(error).__name__}"
            ) from error
        if not answer.is_success:
            raise LeewayError(f"channel {self.channel} answered {answer.status_code}")


def webhook_channel(number: int) -> str:
    """Return the name of the channel to the address at a place in ``notify.promoted``."""
    return f"promoted-{number}"


def _channel(address: str, number: int) -> str:
    return f"{address.partition(':')[0]}-{number}"


def channels(addresses: Sequence[str]) -> list[str]:
    """Return the channels of `notifiers`; nothing is imported or opened for it."""
    return [LogNotifier.channel, *(_channel(one, i) for i, one in enumerate(addresses))]


def notifiers(addresses: Sequence[str]) -> list[Notifier]:
    """Return the log, and a way to each address."""
    return [LogNotifier(), *(AppriseNotifier(one, i) for i, one in enumerate(addresses))]
