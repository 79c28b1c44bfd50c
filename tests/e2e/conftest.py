"""A model served elsewhere, with rows for it."""

import numpy as np
import pytest

from tests.watched import WATCHED


@pytest.fixture
def watched(new_home, made_up, week_start):
    """A model served elsewhere: the cheapest server there is."""
    reference = made_up(-4, 4).assign(p=lambda f: 1 / (1 + np.exp(-f["x"])))
    reference.to_parquet(new_home.folder / "reference.parquet")
    new_home.config.write_text(WATCHED)
    new_home.clock.set(week_start(1))
    return new_home


@pytest.fixture
def rows(made_up):
    """Rows of week 0 with predictions."""
    return made_up(0).drop(columns="late").assign(p=0.5)


@pytest.fixture
def http(watched):
    """A client of the composed application, over a real log."""
    with watched.opened() as opened, opened.http() as client:
        client.log = opened.deployment.log
        client.raise_server_exceptions = False
        yield client
