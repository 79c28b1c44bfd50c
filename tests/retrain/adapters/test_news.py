"""That another version serves, told to a real webhook."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from monitor.cycle import deliver
from retrain.record import Ended, Outcome, RequestKind

MINUTE = timedelta(minutes=1)
REFUSE = "CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END"


@pytest.fixture
def app(home, webhook):
    """A deployment with a second version, and a webhook that wants to know who serves."""
    address = f"http://someone:secret@127.0.0.1:{webhook.port}/deploy"
    home.configure("tick:", f"notify: {{promoted: ['{address}']}}\nurl: https://leeway\ntick:")
    with home.opened() as found:
        registry = found.deployment.registry
        registry.register(registry.load("late", 1), found.clock.now())
        yield found


def test_a_promotion_and_a_rollback_tell_which_version_to_serve_now(app, webhook):
    registry, world = app.deployment.registry, app.deployment.watcher().world
    now = app.clock.now()
    registry.promote("late", 2, now, "better by .02")
    registry.roll_back("late", now, "worse after all")
    assert deliver(world) == 2
    first, second = webhook.received
    content = registry.model_file("late", 2).path.read_bytes()
    assert first == {
        "event": "promoted",
        "id": first["id"],
        "model": "late",
        "version": 2,
        "previous": 1,
        "sha256": hashlib.sha256(content).hexdigest(),
        "url": "https://leeway/v1/models/late/versions/2/model",
        "reason": "better by .02",
        "at": now.isoformat(),
    }
    assert (second["event"], second["version"], second["previous"]) == ("rolled_back", 1, 2)
    assert second["id"] > first["id"]
    with app.http() as http:
        answer = http.get(first["url"].removeprefix("https://leeway"))
    assert hashlib.sha256(answer.content).hexdigest() == first["sha256"]


def test_a_webhook_that_is_away_gets_everything_in_order_when_it_is_back(app, webhook):
    registry, world = app.deployment.registry, app.deployment.watcher().world
    registry.promote("late", 2, app.clock.now(), "better")
    webhook.status = 503
    assert deliver(world) == 0
    app.clock.set(app.clock.now() + timedelta(seconds=16))
    assert deliver(world) == 0  # the second attempt: the next one is due in 30 s
    registry.roll_back("late", app.clock.now(), "worse")
    webhook.status = 200
    app.clock.set(app.clock.now() + timedelta(seconds=16))
    assert deliver(world) == 0  # the rollback waits for the promotion
    app.clock.set(app.clock.now() + MINUTE)
    assert deliver(world) == 2
    assert [one["version"] for one in webhook.received[-2:]] == [2, 1]


def test_what_a_killed_sender_did_not_note_is_sent_again_with_the_same_id(app, webhook, home):
    app.deployment.registry.promote("late", 2, app.clock.now(), "better")
    with home.opened() as killed:  # between sending and noting
        (hook,) = killed.deployment.watcher().world.hooks
        for one in killed.deployment.store.undelivered(app.clock.now()):
            hook.notify(one.title, one.body)
    assert deliver(app.deployment.watcher().world) == 1
    first, again = webhook.received
    assert first == again


def test_a_move_whose_news_cannot_be_written_is_not_made(app):
    with app.deployment.engine.begin() as connection:
        connection.execute(text(REFUSE))
    with pytest.raises(DatabaseError, match="full"):
        app.deployment.registry.promote("late", 2, app.clock.now(), "better")
    assert app.deployment.registry.champion("late") == 1


def test_an_attempt_that_fails_is_counted_and_never_shows_the_address(app, webhook):
    webhook.status = 500
    app.deployment.registry.promote("late", 2, app.clock.now(), "better")
    deliver(app.deployment.watcher().world)
    with app.deployment.engine.connect() as connection:
        errors = connection.execute(text("SELECT last_error FROM outbox")).scalars().all()
    assert errors == ["channel promoted-0 answered 500"]
    with app.http() as http:
        metrics = http.get("/metrics").text
    assert 'leeway_deliveries_total{channel="promoted-0",outcome="failed"} 1.0' in metrics
    assert "secret" not in metrics


def test_nobody_is_told_where_no_webhook_is_configured(home):
    with home.opened() as app:
        registry = app.deployment.registry
        registry.register(registry.load("late", 1), app.clock.now())
        registry.promote("late", 2, app.clock.now(), "better")
        assert app.deployment.store.undelivered(app.clock.now()) == []


def test_people_are_told_that_a_version_waits_for_them_and_nobody_of_what_is_held_otherwise(
    home, webhook
):
    home.configure("tick:", f"notify: {{to: ['{webhook.address}']}}\nurl: https://leeway/\ntick:")
    with home.opened() as app:
        runs, now = app.deployment.runs, app.clock.now()
        watcher = app.deployment.watcher()
        for details in ({"challenger": 2}, {"version": 2, "needs_approval": True}):
            runs.ask("late", RequestKind.RETRAIN, "drift", "it has drifted", now)
            run = runs.start(runs.claim(RequestKind.RETRAIN, "worker", now), 1, now)
            reason = "better by 0.1; it waits for a person: leeway promote late 2"
            runs.finish(Ended(run, Outcome.HELD, reason, details), now)
            metrics = app.http().get("/metrics").text
            waits = float("needs_approval" in details)
            assert f'leeway_retrain_approval_waiting{{model="late"}} {waits}' in metrics
        deliver(watcher.world)
        (told,) = webhook.received
    assert told["title"] == "[late] version 2 waits for a person"
    assert told["message"].splitlines() == [
        "Better by 0.1; it waits for a person: leeway promote late 2",
        "To decline it and have another one made: leeway retrain late",
        "What Leeway does: the champion serves on, and until the wait ends no other is made.",
        "The run: https://leeway/models/late/runs/2",
        "The model: https://leeway/models/late",
        "What to do: https://leeway/runbooks/LeewayApprovalWaits",
    ]


def test_an_address_that_is_no_url_is_refused_without_being_shown(home):
    home.configure("tick:", "notify: {promoted: ['someone:secret@host']}\ntick:")
    done = home.cli("status")
    assert done.returncode == 2
    assert "notify.promoted.0" in done.stderr
    assert "secret" not in done.stderr
