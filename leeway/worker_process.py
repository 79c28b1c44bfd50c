"""Worker process: carries out retrain requests, and answers machines where it has a port."""

import os
import signal
import threading

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp

from leeway import problems
from leeway.config import Environment
from leeway.deployment import Deployment
from leeway.machine_doors import add_machine_doors, guarded
from leeway.policies import retrained
from retrain.adapters.memory_limit import memory_limited
from retrain.adapters.prometheus_exporter import RetrainCollector
from retrain.lease import WorkPolicy
from retrain.worker import Worker, parent_is_gone, work

GIVEN_UP = 3
"""Exit status of a worker whose run took too long; its supervisor starts another one."""


def worker_app(deployment: Deployment, environment: Environment) -> ASGIApp:
    """Build what a worker answers: health, and metrics of the runs and of its process."""
    app, metrics = FastAPI(title="Leeway worker"), CollectorRegistry()
    problems.install(app)
    metrics.register(RetrainCollector(deployment.engine))
    ProcessCollector(registry=metrics)
    add_machine_doors(app, metrics, deployment.registry.champion, deployment.config.models)
    return guarded(app, environment.api_key, metrics)


def run_worker(deployment: Deployment, supervisor: int | None) -> None:
    """Carry out retrain requests until terminated, or until the supervising server is gone."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    orphaned = parent_is_gone(supervisor)
    world = deployment.retrain_world()
    models = {
        name: retrained(name, one, deployment.schema(name))
        for name, one in deployment.config.models.items()
    }
    policy = WorkPolicy(**deployment.config.worker.model_dump())
    worker = Worker(policy, memory_limited, lambda: os._exit(GIVEN_UP))
    work(models, world, worker, stop=lambda: stopped.is_set() or orphaned())
