"""docs/http.md lists every route of the server, and its answers are the server's."""

import json
import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from leeway.app import api
from leeway.config import Environment
from leeway.deployment import ensure_first_versions, opened
from leeway.problems import STATUSES
from monitor.body import read_body
from monitor.errors import BatchRefusedError

with warnings.catch_warnings():
    # Starlette would rather have httpx2; nothing else we use knows it.
    warnings.filterwarnings("ignore", "Using `httpx` with `starlette.testclient`")
    from fastapi.testclient import TestClient

DOCUMENT = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
ROUTE = re.compile(r"^### `([A-Z]+) (/\S*)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
CURL = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SERVER = "http://127.0.0.1:8000"
YAML = """\
models:
  deliveries:
    reference: reference.parquet
    columns: {target: late, time: at, id: order_id}
    retrain: {candidates: [tree]}
"""

SECTIONS = {(method, path): text for method, path, text in ROUTE.findall(DOCUMENT)}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The composed application, without scheduler and worker, on rows of 2026."""
    folder = tmp_path_factory.mktemp("http")
    draw, n_rows = np.random.default_rng(0), 400
    reference = pd.DataFrame(
        {
            "at": pd.date_range("2026-01-05", periods=n_rows, freq="3h", tz="UTC"),
            "order_id": [f"r{i}" for i in range(n_rows)],
            "distance_km": draw.uniform(1, 11, n_rows),
            "weight_kg": draw.gamma(2, 4, n_rows),
            "weather": draw.choice(["dry", "rain"], n_rows),
            "late": draw.integers(0, 2, n_rows),
        }
    )
    reference.to_parquet(folder / "reference.parquet")
    (folder / "leeway.yaml").write_text(YAML)
    (folder / "clock").write_text("2026-03-09T12:00:00Z")
    environment = Environment(api_key=None, clock_file=folder / "clock")
    with opened(folder / "leeway.yaml", environment) as deployment:
        ensure_first_versions(deployment, lambda _share, _text: None)
        with TestClient(api(deployment, environment, "api")) as client:
            yield client


def send(client: TestClient, curl: str) -> Any:
    """Carry out a curl command of the document."""
    words = shlex.split(curl.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    method, url, headers, body = None, "", {}, None
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0)
        elif word != "-OJ":
            url = word.removeprefix(SERVER)
    method = method or ("POST" if body is not None else "GET")
    return method, url, client.request(method, url, headers=headers, content=body)


def commands() -> dict[tuple[str, str], str]:
    return {route: CURL.findall(text)[0] for route, text in SECTIONS.items()}


def test_every_route_is_documented_and_no_other_is(client):
    inmost = client.app
    while not isinstance(inmost, FastAPI):
        inmost = inmost.app
    routes = {
        (method, one.path)
        for one in iter_route_contexts(inmost.routes)
        for method in one.methods or ()
        if method != "HEAD"
    }
    assert set(SECTIONS) == routes


@pytest.mark.parametrize("route", sorted(SECTIONS))
def test_every_route_has_a_curl_example_of_its_own(client, route):
    method, path = route
    sent, url, answer = send(client, commands()[route])
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    assert sent == method
    assert re.fullmatch(pattern, url.partition("?")[0])
    # Windows, runs and a second version are not there yet: no such thing, or not possible.
    assert answer.status_code in {200, 202, 404, 409}, answer.text


@pytest.mark.parametrize("route", [one for one in sorted(SECTIONS) if one[1].startswith("/v1")])
def test_every_route_says_what_it_refuses(route):
    assert "**Errors:**" in SECTIONS[route]


@pytest.mark.parametrize("path", ["predictions", "labels", "predict"])
def test_the_answer_shown_has_the_members_of_the_answer_given(client, path):
    section = SECTIONS["POST", f"/v1/models/{{model}}/{path}"]
    _, _, answer = send(client, CURL.findall(section)[0])
    shown = json.loads(ANSWER.findall(section)[0])
    assert answer.json().keys() == shown.keys()


def test_the_error_shown_is_the_error_given(client):
    (shown, *_) = ANSWER.findall(DOCUMENT)
    answer = client.post("/v1/models/deliveries/predictions", json=[{"at": "2026-03-02T08:00:00Z"}])
    assert answer.json() == json.loads(shown)
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_status_of_an_error_is_in_the_table():
    table = set(re.findall(r"^\| (\d{3}) \|", DOCUMENT, re.MULTILINE))
    assert {str(int(status)) for status in STATUSES.values()} <= table


def test_every_content_type_listed_is_read():
    listed = re.findall(r"^\| `([\w.-]+/[\w.-]+)`", DOCUMENT, re.MULTILINE)
    with pytest.raises(BatchRefusedError, match="is not one of") as error:
        read_body(b"", "text/html")
    known = str(error.value).partition("is not one of ")[2].split(", ")
    assert listed == known


def test_the_page_of_the_routes_loads_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == 3
    for url in loaded:
        assert url.startswith("/swagger/"), url
        assert client.get(url).status_code == 200
    assert "/openapi.json" in page
