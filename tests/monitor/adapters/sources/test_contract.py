"""What every source keeps to: each row once, whatever happens, and no secret in a message."""

import pandas as pd
import pytest

from monitor.adapters.cursors import SqlCursors
from monitor.adapters.history import History
from monitor.errors import SourceError

N_ROWS = 30


class PowerCutError(Exception):
    """The process ends here."""


class Cut(SqlCursors):
    """Cursors of a process that ends at its nth word with the state database."""

    def __init__(self, engine, n_words, *, after) -> None:
        super().__init__(engine)
        self.n_words, self.after = n_words, after

    def _say(self, word, *arguments: object) -> None:
        self.n_words -= 1
        if self.n_words == 0 and not self.after:
            raise PowerCutError
        word(*arguments)
        if self.n_words == 0:
            raise PowerCutError

    def intend(self, *arguments: object):
        self._say(super().intend, *arguments)

    def settle(self, *arguments: object):
        self._say(super().settle, *arguments)


def same(logged: pd.DataFrame, sent: pd.DataFrame) -> bool:
    """Say whether exactly the rows sent are logged, in their order of time."""
    wanted = sent.sort_values("at").reset_index(drop=True)
    found = logged.sort_values("at").reset_index(drop=True)[list(wanted.columns)]
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    return True


def test_every_row_is_taken_with_its_label(deployed, feed, flights):
    sent = flights(0, N_ROWS)
    feed.add(sent)
    deployed.configure(feed.config)
    with deployed.opened() as opened:
        assert opened.collect() == []
        assert same(opened.logged(), sent)
        assert opened.n_logged() == N_ROWS


def test_a_source_without_rows_is_no_error(deployed, feed):
    deployed.configure(feed.config)
    with deployed.opened() as opened:
        opened.collect()
        assert opened.n_logged() == 0


def test_collecting_again_adds_nothing(deployed, feed, flights):
    feed.add(flights(0, N_ROWS))
    deployed.configure(feed.config)
    with deployed.opened() as opened:
        for _ in range(3):
            opened.collect()
        assert opened.n_logged() == N_ROWS


def test_after_a_restart_only_new_rows_are_taken(deployed, feed, flights):
    sent = flights(0, 100)
    deployed.configure(feed.config)
    for start, end in ((0, 3), (3, 8), (8, 14), (14, 50), (50, 100)):
        feed.add(sent[start:end])
        with deployed.opened() as opened:
            opened.collect()
            assert opened.n_logged() == end
    with deployed.opened() as opened:
        assert same(opened.logged(), sent)


@pytest.mark.parametrize("after", [False, True])
def test_ending_at_any_word_doubles_nothing_and_loses_nothing(deployed, feed, flights, after):
    sent = flights(0, 40)
    deployed.configure(feed.config)
    feed.add(sent[:20])
    with deployed.opened() as opened:
        n_sent, n_words, n_cuts = 20, 1, 0
        while n_words:
            opened.cursors = Cut(opened.deployment.engine, n_words, after=after)
            try:
                opened.collect()
                n_words = 0
            except PowerCutError:
                n_cuts += 1
                n_words = 1 + n_words % 3
                if n_sent < 30:  # the source has grown before the process is there again
                    feed.add(sent[n_sent : n_sent + 1])
                    n_sent += 1
        feed.add(sent[n_sent:])
        opened.cursors = SqlCursors(opened.deployment.engine)
        opened.collect()
        assert n_cuts > 0
        assert opened.n_logged() == 40
        assert same(opened.logged(), sent)


def test_a_source_that_is_away_is_an_error_until_it_is_back(deployed, feed, flights):
    feed.add(flights(0, 10))
    deployed.configure(feed.config)
    with deployed.opened() as opened:
        opened.collect()
        feed.leave()
        with pytest.raises(SourceError):
            opened.collect()
        feed.come_back()
        feed.add(flights(10, 10))
        opened.collect()
        assert opened.n_logged() == 20


def test_the_error_is_on_the_model_without_a_secret_until_it_is_over(
    deployed, feed, secret, capfd, eventually
):
    deployed.configure(feed.config)
    with deployed.opened() as opened:
        history, collector = History(opened.deployment.engine), opened.deployment.collector()
        said = []

        def error() -> str | None:
            collector.collect()
            said.append(history.model("late")["error"])
            return said[-1]

        feed.leave()
        eventually(error, "the error is noted")
        feed.come_back()
        eventually(lambda: not error(), "the error is over")
        collector.close()
    output = capfd.readouterr()
    assert "source of predictions" in str(said)
    assert secret not in f"{said} {output.out} {output.err}"
    assert secret not in repr(opened.deployment.config)
