"""How much the reference's windows wobble, and what is surprising beside that."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from monitor.calibration import MIN_WINDOWS, _inverse_trigamma, calibrate
from monitor.checks.surprise import adjusted, column_p, material, surprise
from monitor.columns import TableColumns
from monitor.contrast import Contrasted, contrasted, contrasts_of
from monitor.grid import grid_of
from monitor.profile import profile
from monitor.schema import Kind
from monitor.season import design
from monitor.values import read_values
from monitor.window import MONDAY, WindowPolicy

DAY, WEEK = timedelta(days=1), timedelta(days=7)
modest = settings(max_examples=60, deadline=None, derandomize=True)


def learned(reference, *later: object, kind=Kind.NUMERIC, every=WEEK, feature=True):
    """Calibrate one column on windows, lists of values; return what later ones show, too."""
    windows = [*reference, *later]
    rows = TableColumns(pa.table({"x": np.concatenate(windows)}))
    known = np.concatenate(reference)
    values = read_values(TableColumns(pa.table({"x": known})), "x", kind)
    cells = np.repeat(np.arange(len(windows)), [len(one) for one in windows])
    starts = [MONDAY + n * every for n in range(len(windows))]
    counted = profile(rows, {"x": grid_of(values)}, cells=cells, starts=starts).columns["x"]
    made, n = contrasts_of(values, len(reference), feature=feature), len(reference)
    one = contrasted(made, counted)
    first = type(one)(*(part[:n] for part in vars(one).values()))
    found = calibrate({"x": (made, first)}, starts[:n], WindowPolicy(every=every))
    rest = type(one)(*(part[n:] for part in vars(one).values()))
    return found, made, rest, design(starts[n:], found.periods)


def p_of(reference, *later: object, **how: object):
    """Return the p-value of each later window, over its contrasts."""
    found, _, rest, terms = learned(reference, *later, **how)
    return column_p(surprise(found.columns["x"], rest, terms).p)


def weeks(rng, n_windows, n_rows=400, wobble=0.0, **by: float):
    means = wobble * rng.normal(size=n_windows) + by.get("mean", 0.0)
    return [rng.normal(mean, 1.0, n_rows).round(2) for mean in means]


@modest
@given(st.lists(st.integers(0, 6), min_size=2, max_size=300), st.integers(0, 2**32))
def test_the_contrasts_are_orthonormal_over_the_reference_and_the_first_is_the_rank(values, seed):
    values = np.array(values, dtype=float)
    known = read_values(TableColumns(pa.table({"x": values})), "x", Kind.NUMERIC)
    made = contrasts_of(known, 1, feature=False)
    assert len(made.names) == min(3, np.unique(values).size - 1)
    products = made.basis.T @ np.diag(made.shares) @ made.basis
    assert products == pytest.approx(np.eye(len(made.names)), abs=1e-6)
    if made.names:
        now = np.random.default_rng(seed).choice(values, 20)
        counted = profile(
            TableColumns(pa.table({"x": now})),
            {"x": grid_of(known)},
            cells=np.zeros(20, np.int64),
            starts=[MONDAY],
        )
        u = stats.mannwhitneyu(now, values).statistic / (20 * values.size)
        found = contrasted(made, counted.columns["x"])
        assert found.effects[0, 0] == pytest.approx(abs(u - 0.5), abs=1e-9)
        assert np.sign(np.round(found.values[0, 0], 9)) == np.sign(np.round(u - 0.5, 9))


def _location_p(reference, later) -> np.ndarray:
    found, _, rest, terms = learned(reference, *later)
    return surprise(found.columns["x"], rest, terms).p[:, 0]


@pytest.mark.parametrize("wobble", [0.0, 0.3])
def test_of_windows_that_wobble_as_ever_a_share_of_alpha_is_beyond_alpha(wobble):
    rng = np.random.default_rng(4)
    drawn = [weeks(rng, 26, wobble=wobble) for _ in range(60)]
    p = np.array([_location_p(windows[:20], windows[20:]) for windows in drawn])
    for alpha in (0.05, 0.2):
        error = np.sqrt(alpha * (1 - alpha) / p.size)
        assert abs(np.mean(p <= alpha) - alpha) < 4 * error


def test_a_shift_is_a_surprise_where_windows_stand_still_and_none_where_they_wobble_as_much():
    rng = np.random.default_rng(5)
    (shifted,) = weeks(rng, 1, mean=0.5)
    assert p_of(weeks(rng, 20), shifted) < 1e-4
    assert p_of(weeks(rng, 20, wobble=0.5), shifted) > 0.05


def test_a_spread_that_doubles_a_level_that_grows_and_values_that_go_missing_are_surprises():
    rng = np.random.default_rng(6)
    still = weeks(rng, 20)
    assert p_of(still, 2 * still[0]) < 1e-6
    holes = np.where(np.arange(400) < 40, np.nan, still[0])
    assert p_of(still, holes) < 1e-6
    levels = [rng.choice(["a", "b", "c"], 400, p=[0.5, 0.3, 0.2]) for _ in range(20)]
    more = rng.choice(["a", "b", "c"], 400, p=[0.4, 0.3, 0.3])
    unseen = np.where(np.arange(400) < 40, "z", levels[0])
    same = rng.choice(["a", "b", "c"], 400, p=[0.5, 0.3, 0.2])
    p = p_of(levels, more, unseen, same, kind=Kind.CATEGORICAL)
    assert (p[0] < 1e-3, p[1] < 1e-6, p[2] > 0.01) == (True, True, True)


def test_a_window_with_few_rows_has_the_room_that_its_own_sampling_needs():
    rng = np.random.default_rng(7)
    reference = weeks(rng, 30, n_rows=2000)
    few = [rng.normal(0.0, 1.0, 40).round(2) for _ in range(300)]
    assert np.mean(p_of(reference, *few, feature=False) <= 0.05) < 0.1


def test_fewer_than_eight_windows_calibrate_nothing():
    found, *_ = learned(weeks(np.random.default_rng(8), MIN_WINDOWS - 1))
    assert (found.n_windows, found.columns) == (MIN_WINDOWS - 1, {})


def test_an_incident_in_the_reference_is_left_out_and_named():
    rng = np.random.default_rng(9)
    reference = weeks(rng, 20)
    broken = [*reference[:7], reference[7] + 3.0, *reference[8:]]
    found, *_ = learned(broken)
    assert found.columns["x"].left_out == (MONDAY + 7 * WEEK,)
    assert p_of(broken, *weeks(rng, 1, mean=0.5)) < 1e-4
    assert learned(reference)[0].columns["x"].left_out == ()


def test_heavy_tails_of_the_reference_are_no_incidents_and_no_surprise_later():
    rng = np.random.default_rng(10)
    means = rng.laplace(0, 0.2, 1200)
    windows = [rng.normal(mean, 1.0, 1000).round(2) for mean in means]
    found, _, rest, terms = learned(windows[:400], *windows[400:], feature=False)
    column = found.columns["x"]
    assert len(column.left_out) <= 1
    assert column.df[0] < 20
    seen = surprise(column, rest, terms)
    assert np.sum(seen.p[:, 0] < 1e-4) <= 1 < np.sum(2 * stats.norm.sf(abs(seen.t[:, 0])) < 1e-4)


def test_the_variance_of_few_windows_is_drawn_towards_that_of_all_columns():
    rng = np.random.default_rng(11)
    n, found = 9, {}
    for name in range(40):
        values = read_values(TableColumns(pa.table({"x": np.arange(100.0)})), "x", Kind.NUMERIC)
        made = contrasts_of(values, n, feature=False)
        one = rng.normal(0, 0.2, (n, 3))
        rows = np.full(one.shape, 400.0)
        found[str(name)] = (made, Contrasted(one, rows, one))
    starts = [MONDAY + k * WEEK for k in range(n)]
    shrunk = calibrate(found, starts, WindowPolicy(every=WEEK))
    plain = np.array([one.values.var(axis=0, ddof=1) for _, one in found.values()])
    drawn = np.array([one.variance for one in shrunk.columns.values()])
    assert drawn.std() < 0.5 * plain.std()
    assert drawn.mean() == pytest.approx(0.04, rel=0.1)
    assert next(iter(shrunk.columns.values())).df[0] > n - 1
    assert special.polygamma(1, _inverse_trigamma(0.7)) == pytest.approx(0.7)


def test_a_daily_cycle_is_followed_when_it_is_there_and_not_when_it_is_not():
    rng = np.random.default_rng(12)
    every = timedelta(hours=3)
    wave = 0.5 * np.sin(2 * np.pi * np.arange(8 * 40) / 8)
    cyclic = [rng.normal(mean, 1.0, 200).round(2) for mean in wave]
    found, *_ = learned(cyclic, every=every)
    assert found.periods == (DAY,)
    still = [rng.normal(0.0, 1.0, 200).round(2) for _ in wave]
    assert learned(still, every=every)[0].periods == ()
    wrong_clock = [cyclic[at] for at in rng.permutation(len(cyclic))]
    assert learned(wrong_clock, every=every)[0].periods == ()
    # What is usual at night is a surprise by day.
    assert p_of(cyclic, cyclic[2], every=every) < 1e-4 < p_of(cyclic, cyclic[0], every=every)


@modest
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_scipy(p):
    assert adjusted(np.array(p)) == pytest.approx(stats.false_discovery_control(p))


def test_what_is_told_apart_by_less_than_matters_is_no_finding_however_sure():
    rng = np.random.default_rng(13)
    reference = weeks(rng, 20, n_rows=20_000)
    (hair,) = weeks(rng, 1, n_rows=20_000, mean=0.04)
    found, _, rest, terms = learned(reference, hair, feature=False)
    seen = surprise(found.columns["x"], rest, terms)
    assert column_p(seen.p) < 0.01
    assert column_p(material(seen, rest, 0.02)) == 1.0
    assert column_p(material(seen, rest, 0.005)) < 0.01


@pytest.mark.parametrize(
    "windows",
    [
        [np.full(50, 3.0)] * 12,
        [np.full(50, np.nan)] * 12,
        [np.full(50, np.nan)] * 5 + [np.arange(50.0)] * 7,
    ],
    ids=["constant", "never there", "there in seven windows"],
)
def test_a_column_that_says_nothing_has_no_calibration_and_breaks_nothing(windows):
    assert learned(windows, feature=False)[0].columns == {}


def test_a_column_that_never_came_and_then_does_is_a_surprise():
    nothing = [np.full(50, np.nan)] * 12
    assert p_of(nothing, np.arange(50.0)) < 1e-6 < p_of(nothing, nothing[0])


def test_a_level_that_only_few_rows_have_is_not_looked_at_by_itself():
    rng = np.random.default_rng(14)
    rare = [rng.choice(["a", "b", "rare"], 300, p=[0.6, 0.395, 0.005]) for _ in range(12)]
    _, made, _, _ = learned(rare, kind=Kind.CATEGORICAL)
    assert made.names == ("a", "b", "missing", "unseen")
