"""Messages over real HTTP to a real webhook."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.adapters.clocks import FileClock
from monitor.adapters.notifiers import AppriseNotifier, LogNotifier, notifiers
from monitor.alert import Alert, AlertChange
from monitor.checks.score import Check, Status
from monitor.cycle import deliver
from monitor.errors import ConfigError
from monitor.world import World


@pytest.fixture
def world(books, webhook, tmp_path):
    """All that delivery touches; an alert waits in the outbox for each channel."""
    clock = FileClock(tmp_path / "clock")
    notifiers = [LogNotifier(), AppriseNotifier(webhook.address, 0)]
    ended = {"change": AlertChange.RESOLVED, "sentence": "drift is back within bounds"}
    again = books.cycle(1, alerts=[replace(books.open_alert(), **ended)])
    assert books.record(again, *(one.channel for one in notifiers))
    clock.set(again.at)
    return World(None, books.store, None, clock, notifiers, "http://leeway", lambda: 0.0)


def test_a_webhook_gets_the_title_and_the_sentence(world, webhook):
    deliver(world)
    (message,) = webhook.received
    assert (message["title"], message["message"]) == (
        "drift resolved",
        "drift is back within bounds",
    )


def test_a_delivered_message_is_not_sent_again(world, webhook):
    deliver(world)
    assert deliver(world) == 0
    assert len(webhook.received) == 1


def test_a_failing_webhook_is_tried_again_and_holds_up_no_other_channel(world, webhook, books):
    webhook.status = 500
    assert deliver(world) == 2  # both messages to the log
    assert deliver(world) == 0
    assert books.history.deliveries()["json-0", "failed"] == 1
    webhook.status = 200
    world.clock.set(world.clock.now() + timedelta(seconds=15))
    assert deliver(world) == 1
    assert [m["title"] for m in webhook.received] == ["drift resolved"] * 2
    assert books.history.deliveries()["json-0", "delivered"] == 1


def test_a_channel_that_is_gone_fails_its_messages_alone(world, webhook, books):
    shorter = World(**{**vars(world), "notifiers": [LogNotifier()]})
    assert deliver(shorter) == 2
    assert books.history.deliveries()["json-0", "failed"] == 1
    assert webhook.received == []


def test_an_address_nobody_knows_is_refused_by_its_place_without_its_secrets():
    with pytest.raises(ConfigError, match=r"notify\.to\.3") as refused:
        AppriseNotifier("nosuchscheme://user:secret@host", 3)
    assert "secret" not in str(refused.value)


def test_a_channel_is_named_without_the_address(webhook):
    assert AppriseNotifier(webhook.address, 2).channel == "json-2"


def test_that_an_alert_is_over_is_not_told_before_that_it_began(books, webhook, tmp_path):
    clock = FileClock(tmp_path / "clock")
    world = World(
        *(None, books.store, None, clock, notifiers([webhook.address])),
        "http://leeway",
        lambda: 0.0,
    )
    opened = Alert(Check.DRIFT, AlertChange.OPENED, "drift has moved")
    assert books.record(books.cycle(0, alerts=[opened], status=Status.BREACH), "json-0")
    clock.set(books.cycle(0).at)
    webhook.status = 500
    assert deliver(world) == 0
    opening = books.store.standing("m", since=books.cycle(0).at).open_alerts
    assert opening[Check.DRIFT].told_at == books.cycle(0).at
    over = replace(opened, change=AlertChange.RESOLVED, opening=opening[Check.DRIFT].id)
    assert books.record(books.cycle(1, alerts=[over]), "json-0")
    webhook.status = 200
    clock.set(books.cycle(0).at + timedelta(seconds=14))
    assert deliver(world) == 0
    clock.set(books.cycle(1).at)
    assert deliver(world) == 2
    assert [m["title"] for m in webhook.received[1:]] == ["drift opened", "drift resolved"]


def test_a_channel_that_refuses_is_asked_once_a_pass_however_much_waits(books, webhook, tmp_path):
    clock = FileClock(tmp_path / "clock")
    world = World(
        *(None, books.store, None, clock, notifiers([webhook.address])),
        "http://leeway",
        lambda: 0.0,
    )
    for number, check in enumerate(Check):
        opened = Alert(check, AlertChange.OPENED, f"{check} has moved")
        assert books.record(books.cycle(number, alerts=[opened]), "json-0")
    clock.set(books.cycle(9).at)
    webhook.status = 500
    assert (deliver(world), len(webhook.received)) == (0, 1)
    assert (deliver(world), len(webhook.received)) == (0, 1)
    webhook.status = 200
    clock.set(books.cycle(9).at + timedelta(seconds=15))
    assert deliver(world) == len(Check)
