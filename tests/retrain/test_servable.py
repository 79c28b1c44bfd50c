"""A version that answers much slower, or is much larger, does not take over."""

from itertools import count

import pandas as pd
import pytest

from monitor.schema import Schema, Task
from retrain.servable import Cost, ServingPolicy, obstacle, seconds_of

POLICY = ServingPolicy(seconds=0.05, slowdown=10, n_bytes=1000, growth=10)
CHAMPION = Cost(0.01, 500)


@pytest.mark.parametrize(
    ("challenger", "why"),
    [
        (Cost(0.1, 500), ""),
        (
            Cost(0.11, 500),
            "a prediction takes 110 ms and the champion 10 ms: beyond 50 ms and 10 times",
        ),
        (Cost(0.01, 5000), ""),
        (
            Cost(0.01, 5001),
            "its file has 5,001 bytes and the champion's 500: beyond 1,000 bytes and 10",
        ),
    ],
)
def test_what_is_beyond_both_limits_is_an_obstacle(challenger, why):
    found = obstacle(champion=CHAMPION, challenger=challenger, policy=POLICY)
    assert found.startswith(why)
    assert bool(found) is bool(why)


def test_what_is_cheap_is_none_however_much_cheaper_the_champion_is():
    tiny = Cost(0.0001, 1)
    assert not obstacle(champion=tiny, challenger=Cost(0.05, 1000), policy=POLICY)


def test_the_least_time_of_single_rows_counts_without_the_first():
    class Model:
        def predict(self, features) -> pd.Series:
            asked.append(len(features))
            return features["x"]

    asked = []
    instants = iter([0, 1, 10, 15, 20, 23, 30, 39])
    schema = Schema(Task.REGRESSION, {}, "y")
    features = pd.DataFrame({"x": range(4)})
    assert seconds_of(Model(), features, schema, lambda: next(instants)) == 3
    assert asked == [1, 1, 1, 1]
    ticks = count()
    many = pd.DataFrame({"x": range(100)})
    assert seconds_of(Model(), many, schema, lambda: next(ticks)) == 1
    assert len(asked) == 4 + 8
