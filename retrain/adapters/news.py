"""News: that another version has become the champion, or waits for a person to make it so."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert

from monitor.adapters.tables import outbox
from retrain.waiting import Waiting

_EVENTS = {"promote": "promoted", "roll_back": "rolled_back"}


@dataclass(frozen=True)
class Move:
    """What is done to the champion's name, why and when."""

    kind: Literal["promote", "roll_back"]
    why: str
    at: datetime


@dataclass(frozen=True)
class News:
    """Who is told, and where they find the model.

    Parameters
    ----------
    channels : sequence of str
        The webhooks of those who serve it elsewhere, who are told of a move.
    url : str
        Address of Leeway's API.
    people : sequence of str
        The channels to those who may promote a version that waits.
    """

    channels: Sequence[str]
    url: str
    people: Sequence[str] = ()

    def write(self, connection: Connection, moved: Mapping[str, Any], move: Move) -> None:
        """Write a move into the outbox, in the transaction that makes it.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In that transaction.
        moved : mapping of str to object
            ``id`` of the move, which grows; ``model``, ``version``, ``previous`` and ``sha256`` of
            the model file, None for a model that is only watched.
        move : Move
            What was done.
        """
        path = f"/v1/models/{moved['model']}/versions/{moved['version']}/model"
        document = {
            "event": _EVENTS[move.kind],
            **moved,
            "url": f"{self.url.rstrip('/')}{path}" if moved["sha256"] else None,
            "reason": move.why,
            "at": move.at.isoformat(),
        }
        title = f"[{moved['model']}] version {moved['version']}: {document['event']}"
        message = {"model": moved["model"], "change": document["event"], "title": title}
        _put(connection, self.channels, {**message, "body": json.dumps(document)}, move.at)

    def waits(self, connection: Connection, model: str, waiting: Waiting, reason: str) -> None:
        """Write that a version waits into the outbox, in the transaction that ends its run.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            In that transaction.
        model, waiting : str, Waiting
            Who waits, and since when.
        reason : str
            What it has shown, and how to promote it.
        """
        url = self.url.rstrip("/")
        lines = [
            f"{reason[:1].upper()}{reason[1:]}",
            f"To decline it and have another one made: leeway retrain {model}",
            "What Leeway does: the champion serves on, and until the wait ends no other is made.",
            f"The run: {url}/models/{model}/runs/{waiting.run}",
            f"The model: {url}/models/{model}",
            f"What to do: {url}/runbooks/LeewayApprovalWaits",
        ]
        title = f"[{model}] version {waiting.version} waits for a person"
        message = {"model": model, "change": "waits", "title": title, "body": "\n".join(lines)}
        _put(connection, self.people, message, waiting.since)


def _put(
    connection: Connection, channels: Sequence[str], message: Mapping[str, str], at: datetime
) -> None:
    due = {"created_at": at, "next_attempt_at": at, "attempts": 0}
    rows = [{**message, **due, "channel": channel} for channel in channels]
    if rows:
        connection.execute(insert(outbox), rows)


NOBODY = News((), "")
