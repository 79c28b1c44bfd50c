"""Side by side: what fits and predictions of one process share."""

import warnings

import pytest
from sklearn.utils.parallel import delayed

from retrain.side_by_side import quiet


@pytest.fixture
def seen():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        yield shown


def test_what_trees_that_meet_say_of_each_other_is_not_shown_and_all_else_is(seen):
    tree, args, _ = delayed(abs)(-1)
    assert tree(*args) == 1  # as where another tree has just set the filters aside
    assert "should be used with" in str(seen.pop().message)
    for _ in range(2):
        quiet()
        assert tree(*args) == 1
        warnings.warn("a value is out of range", RuntimeWarning, stacklevel=1)
        assert [str(one.message) for one in seen] == ["a value is out of range"]
        seen.clear()
