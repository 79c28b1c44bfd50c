"""Client: rows from a program of one's own to a server, and nothing of the server itself."""

from leeway.client.client import Client, ClientError, Predictions
from leeway.client.outbox import Buffering

__all__ = ["Buffering", "Client", "ClientError", "Predictions"]
