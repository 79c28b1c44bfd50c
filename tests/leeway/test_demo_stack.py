"""The demo for the services of docker-compose.yml."""

from leeway.config_file import load_config
from leeway.demo.flights import REFERENCE_END
from leeway.demo.run import MODEL as FLIGHTS
from leeway.demo.stack import prepare, replay_into
from monitor.adapters.clocks import FileClock


def test_the_demo_prepares_a_deployment_once(tmp_path, monkeypatch):
    monkeypatch.setenv("LEEWAY_DATABASE_URL", "postgresql://leeway@db/leeway")
    assert prepare(tmp_path)
    config = load_config(tmp_path / "leeway.yaml")
    assert list(config.models) == [FLIGHTS]
    assert (config.notify.via, str(config.data)) == ("alertmanager", "/var/lib/leeway")
    assert config.models[FLIGHTS].reference.is_file()
    assert FileClock(tmp_path / "clock").now() == REFERENCE_END
    assert not prepare(tmp_path)


def test_a_year_that_was_replayed_is_not_replayed_again(tmp_path):
    FileClock(tmp_path / "clock").set(REFERENCE_END.replace(year=2014))
    assert not replay_into(tmp_path, "http://127.0.0.1:9", console=None)
