"""The pages in a real browser: nothing is missing, nothing sticks out, nothing goes elsewhere."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright

pytestmark = pytest.mark.stack

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FLIGHTS = "flights_late"
PATHS = (
    "/",
    "/models/flights_late",
    "/models/flights_late/windows/2013-05-13T00:00:00Z",
    "/models/flights_late/runs/4",
    "/runbooks",
    "/runbooks/LeewayDrift",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="warning", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            for _ in range(200):
                if server.started:
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_whole_quiet_and_fits(deployed, browser, path, scheme, width):
    deployed.year(FLIGHTS)
    said: list[str] = []
    hosts: set[str | None] = set()
    with (
        served(deployed.app()) as address,
        browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}
        ) as context,
    ):
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        answer = page.goto(address + path)
        assert answer is not None
        assert answer.ok
        assert page.get_by_role("heading", level=1).is_visible()
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overflow) == 0
    assert said == []
    assert hosts <= {"127.0.0.1", None}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(("n_weeks", "n_strips"), [(1, 1), (44, 1), (500, 10)])
def test_the_timeline_is_visible(deployed, browser, width, n_weeks, n_strips):
    deployed.year(FLIGHTS, n_weeks)
    with (
        served(deployed.app()) as address,
        browser.new_context(viewport={"width": width, "height": 900}) as context,
    ):
        page = context.new_page()
        page.goto(f"{address}/models/{FLIGHTS}")
        strips = page.locator("svg.strip")
        assert strips.count() == n_strips
        cells = strips.locator("rect.cell")
        assert cells.count() == n_weeks
        box = cells.last.bounding_box()
        assert box is not None
        assert box["width"] >= 4
        assert box["height"] >= 6
        assert box["x"] + box["width"] <= width


def test_a_cell_leads_to_its_window(deployed, browser):
    deployed.year(FLIGHTS, 3)
    with served(deployed.app()) as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.locator("svg.strip a").nth(1).click()
        page.wait_for_url("**/windows/2013-01-14T00:00:00Z")
        assert "2013-01-14 to 2013-01-21" in page.get_by_role("heading", level=1).inner_text()
