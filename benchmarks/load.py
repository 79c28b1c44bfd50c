"""A load generator that costs next to nothing: prebuilt requests over raw keep-alive sockets.

Reads a JSON document from stdin: port, path, content_type, bodies (base64), connections, seconds,
warmup_seconds. Prints one with n_requests, seconds and latencies_ms at some quantiles.
"""

import base64
import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

QUANTILES = (0.5, 0.99, 0.999)


@dataclass
class Connection:
    """One connection that has one request under way."""

    socket: socket.socket
    began: float = 0.0
    answer: bytearray = field(default_factory=bytearray)
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))

    def begin(self, request: bytes) -> None:
        """Send a request, or as much of it as is taken at once."""
        self.began = time.perf_counter()
        self.answer.clear()
        self.unsent = memoryview(request)
        self.go_on()

    def go_on(self) -> None:
        """Send what is left."""
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return

    def is_done(self) -> bool:
        """Read what has come; say whether the answer is whole."""
        received = self.socket.recv(1 << 20)
        if not received:
            raise SystemExit(f"the server hung up after {bytes(self.answer[:500])!r}")
        self.answer += received
        head, _, body = self.answer.partition(b"\r\n\r\n")
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
            raise SystemExit(f"the server answered {bytes(self.answer[:500])!r}")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return len(body) >= length


def requests_of(plan: dict[str, object]) -> Iterator[bytes]:
    """Return the requests of a plan, over and over."""
    bodies = [base64.b64decode(body) for body in plan["bodies"]]
    heads = (
        f"POST {plan['path']} HTTP/1.1\r\nHost: 127.0.0.1:{plan['port']}\r\n"
        f"Content-Type: {plan['content_type']}\r\nContent-Length: {len(body)}\r\n\r\n"
        for body in bodies
    )
    return cycle([head.encode() + body for head, body in zip(heads, bodies, strict=True)])


def run(plan: dict[str, object]) -> dict[str, object]:
    """Keep every connection busy for a while; count and time what was answered."""
    requests = requests_of(plan)
    with selectors.DefaultSelector() as selector:
        for _ in range(plan["connections"]):
            opened = socket.create_connection(("127.0.0.1", plan["port"]))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.settimeout(0)
            connection = Connection(opened)
            connection.begin(next(requests))
            events = selectors.EVENT_WRITE if connection.unsent else selectors.EVENT_READ
            selector.register(opened, events, connection)
        return answered(selector, requests, plan)


def answered(
    selector: selectors.BaseSelector, requests: Iterator[bytes], plan: dict[str, object]
) -> dict[str, object]:
    """Time answers from the end of the warm-up on."""
    start = time.perf_counter() + plan["warmup_seconds"]
    end = start + plan["seconds"]
    seconds: list[float] = []
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1):
            connection = key.data
            if not connection.unsent and connection.is_done():
                if now >= start:
                    seconds.append(time.perf_counter() - connection.began)
                connection.begin(next(requests))
            elif connection.unsent:
                connection.go_on()
            watch(selector, key, connection)
    seconds.sort()
    at = {q: 1000 * seconds[min(len(seconds) - 1, int(q * len(seconds)))] for q in QUANTILES}
    return {"n_requests": len(seconds), "seconds": plan["seconds"], "latencies_ms": at}


def watch(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, connection: Connection
) -> None:
    """Wait for room to send when there is something to send, else for the answer."""
    events = selectors.EVENT_WRITE if connection.unsent else selectors.EVENT_READ
    if key.events != events:
        selector.modify(connection.socket, events, connection)


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
