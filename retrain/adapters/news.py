"""News: that another version has become the champion, for those who serve it elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert

from monitor.adapters.tables import outbox

_EVENTS = {"promote": "promoted", "roll_back": "rolled_back"}


@dataclass(frozen=True)
class Move:
    """What is done to the champion's name, why and when."""

    kind: Literal["promote", "roll_back"]
    why: str
    at: datetime


@dataclass(frozen=True)
class News:
    """Who is told of a move, and where they find the model.

    Parameters
    ----------
    channels : sequence of str
        The webhooks.
    url : str
        Address of Leeway's API.
    """

    channels: Sequence[str]
    url: str

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
        message = {
            "model": moved["model"],
            "change": document["event"],
            "title": f"[{moved['model']}] version {moved['version']}: {document['event']}",
            "body": json.dumps(document),
            "created_at": move.at,
            "next_attempt_at": move.at,
            "attempts": 0,
        }
        rows = [{**message, "channel": channel} for channel in self.channels]
        connection.execute(insert(outbox), rows)


NOBODY = News((), "")
