"""Two servers of one deployment: both answer with the new champion, and none fails or mixes two."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pandas as pd
import pytest
from sklearn.base import clone

MODEL = "late"
SECONDS = 10.0
"""Within so many seconds every replica answers with the new champion."""


@pytest.fixture(params=["home", "home_on_postgres"])
def two_versions(request, made_up):
    """A deployment with a second version that has learned the opposite."""
    home = request.getfixturevalue(request.param)
    with home.opened() as app:
        registry = app.deployment.registry
        first, frame = registry.load(MODEL, 1), made_up(-4, 4)
        turned = clone(first.pipeline).fit(frame[["x", "y", "g"]], (1 - frame["late"]).astype(str))
        registry.register(replace(first, pipeline=turned), app.clock.now())
    return home


def ask(server, rows, done):
    """Predict the same rows again and again; return each answer with its time."""
    found = []
    with server.client() as client:
        while not done.is_set():
            made = client.predict(MODEL, rows)
            found.append((time.monotonic(), made.version, tuple(made.values)))
    return found


def test_every_replica_follows_a_swap_within_seconds_and_no_answer_is_mixed(
    two_versions, serve_in, made_up
):
    rows: pd.DataFrame = made_up(-1).drop(columns="late").head(20)
    servers = [serve_in(two_versions, "--role", "api") for _ in range(2)]
    done, promoted = Event(), {}
    with ThreadPoolExecutor(2) as pool, servers[0].client() as client:
        asking = [pool.submit(ask, server, rows, done) for server in servers]
        try:
            for version in (2, 1, 2):
                client.post(f"/v1/models/{MODEL}/versions/{version}/promote")
                promoted[version] = time.monotonic()
                with servers[1].client() as other:
                    while other.predict(MODEL, rows).version != version:
                        assert time.monotonic() < promoted[version] + SECONDS
        finally:
            done.set()
        answers = [one.result() for one in asking]
    for found in answers:
        by_version = {version: {v for _, n, v in found if n == version} for version in (1, 2)}
        assert [len(values) for values in by_version.values()] == [1, 1]
        assert all(version == 2 for at, version, _ in found if at > promoted[2] + SECONDS)
    assert answers[0][-1][1:] == answers[1][-1][1:]
