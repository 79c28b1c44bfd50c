"""Serve: one process of a deployment, from the command line."""

import gc
import ipaddress
import sys
from contextlib import nullcontext
from pathlib import Path

import structlog
import uvicorn
from rich.console import Console

from leeway.app import api
from leeway.config import Environment
from leeway.deployment import ensure_first_versions, opened
from leeway.machine_doors import answering
from leeway.worker_process import run_worker, worker_app
from monitor.errors import ConfigError

GC_THRESHOLD = 50_000
"""New objects between two looks for garbage; bodies of rows are many short-lived ones."""

DEFAULT_PORT = 8000

ROLES = ("all", "api", "scheduler", "worker")


def run_server(config_file: Path, host: str, port: int | None, role: str) -> None:
    """Run a role until it is stopped; a worker answers only where it is given a port.

    Raises
    ------
    ConfigError
        If the role is unknown, or the address can be reached from outside and there is no key.
    """
    if role not in ROLES:
        raise ConfigError("command line", "--role", f"expected one of {', '.join(ROLES)}")
    environment = Environment()
    answers = role != "worker" or port is not None
    if answers and not _is_loopback(host) and not environment.api_key:
        raise ConfigError(
            "environment",
            "LEEWAY_API_KEY",
            f"set a key before listening on {host}, which others can reach",
        )
    _configure_log()
    with opened(config_file, environment) as deployment:
        if role == "worker":
            app = worker_app(deployment, environment)
            with nullcontext() if port is None else answering(app, host, port):
                run_worker(deployment, environment.supervisor)
            return
        port = DEFAULT_PORT if port is None else port
        console = Console(stderr=True)
        ensure_first_versions(deployment, lambda _share, text: console.print(f"  {text}"))
        app = api(deployment, environment, role)
        shown = f"[{host}]" if ":" in host else host
        console.print(f"Leeway is at http://{shown}:{port}  (/docs, /metrics)", highlight=False)
        _spare_the_collector()
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


def _spare_the_collector() -> None:
    """Leave out of garbage collection what lives as long as the process: 200 ms a look."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _configure_log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
