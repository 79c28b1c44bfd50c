"""Service: does Leeway itself work?"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana import variable
from dashboards.grafana.board import Board, Section, assemble
from dashboards.grafana.link import Uid
from dashboards.grafana.service_cycles import cycles
from dashboards.grafana.service_now import now
from dashboards.grafana.service_processes import processes
from dashboards.grafana.service_storage import storage
from dashboards.grafana.service_traffic import deliveries, ingest, predict, requests

BOARD = Board(
    Uid.SERVICE,
    "Does Leeway itself work: does it look, does it take rows in, does it answer in time, does "
    "it reach people?",
    since="now-6h",
)


def service() -> Dashboard:
    """Return the dashboard."""
    sections = [
        Section("Does it work?", now()),
        Section("Does it look? Cycles", cycles()),
        Section("Does it take rows in? Ingest", ingest()),
        Section("Does it answer in time? Requests", [*predict(), *requests()]),
        Section("Does it reach people? Deliveries", deliveries()),
        Section("Is there room? Storage", storage()),
        Section("What does it need? Processes", processes()),
    ]
    return assemble(BOARD, [variable.models(), variable.instances()], sections)
