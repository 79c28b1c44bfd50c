"""Messages over real HTTP to a real webhook."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.adapters.clocks import FileClock
from monitor.adapters.notifiers import AppriseNotifier, LogNotifier
from monitor.alert import AlertChange
from monitor.cycle import World, deliver
from monitor.errors import ConfigError


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
