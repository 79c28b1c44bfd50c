"""Who tells people, and how often, by leeway.yaml."""

from datetime import timedelta

import pytest

MOVED = {"by_x": 0.2, "by_y": 4.0}


@pytest.mark.parametrize(
    ("via", "channels"), [("direct", ["log", "json-0"]), ("alertmanager", ["log"])]
)
def test_either_leeway_or_alertmanager_tells_people(home, via, channels):
    home.configure("tick:", f"notify: {{via: {via}, to: ['json://127.0.0.1:9/x']}}\ntick:")
    with home.opened() as app:
        notifiers = app.deployment.watcher().world.notifiers
        assert [one.channel for one in notifiers] == channels


def titles(app):
    waiting = app.deployment.store.undelivered(app.clock.now() + timedelta(days=1))
    return [one.title for one in waiting]


@pytest.mark.parametrize(("repeat", "n_told"), [("P7D", 3), ("P8D", 2)])
def test_an_alert_that_goes_on_is_told_again_after_the_interval(home, repeat, n_told):
    home.configure("tick:", f"notify: {{repeat: {repeat}}}\ntick:")
    with home.opened() as app:
        watcher = app.deployment.watcher()
        for number in range(4):
            app.live(number, **(MOVED if number else {}))
            watcher.check("late")
        told = [one for one in titles(app) if "performance" in one]
    assert told[0] == "[late] performance has fallen"
    assert told[1:] == ["[late] still: performance has fallen"] * (n_told - 1)
