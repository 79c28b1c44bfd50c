"""A chart beside others of the same windows."""

from datetime import UTC, datetime, timedelta

from dashboards.pages.chart import chart

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(days=7)


def windows(*values: float):
    return [
        {
            "id": f"w{i}",
            "start": MONDAY + i * WEEK,
            "end": MONDAY + (i + 1) * WEEK,
            "metrics": {"roc_auc": value},
            "checks": {},
            "champion": 1,
        }
        for i, value in enumerate(values)
    ]


NEVER, ALWAYS = windows(0.7, 0.5), windows(0.7, 0.9)


def drawn(own, **beside: object):
    return chart(own, "roc_auc", None, **beside)


def test_charts_of_the_same_windows_have_one_scale():
    both = [NEVER, ALWAYS]
    never, always = (drawn(one, others=both) for one in both)
    assert never.line.partition("L")[0] == always.line.partition("L")[0]
    assert drawn(NEVER).line.partition("L")[0] != drawn(ALWAYS).line.partition("L")[0]


def test_what_is_drawn_beside_is_what_it_draws_itself():
    both = [NEVER, ALWAYS]
    assert drawn(ALWAYS, beside=NEVER, others=both).beside == drawn(NEVER, others=both).line
    assert not drawn(ALWAYS, others=both).beside


def told(value, half=0.1):
    return {"metric": "roc_auc", "value": value, "lower": value - half, "upper": value + half}


def estimated(values, estimates):
    return [
        {**window, "estimate": one} for window, one in zip(windows(*values), estimates, strict=True)
    ]


def test_the_band_of_estimates_breaks_where_there_is_none():
    found = drawn(estimated((0.7, 0.7, 0.7, 0.7), [told(0.6), told(0.7), None, told(0.8)])).bands
    assert found.band.count("M") == found.band.count("Z") == 2
    assert found.estimate.count("M") == 2


def test_a_chart_has_room_for_all_that_it_draws():
    found = drawn(estimated((0.7, 0.7), [told(0.2), told(0.9)]))
    heights = [float(pair.split()[1]) for pair in found.bands.band[1:-1].split("L")]
    assert min(heights) >= 0
    assert max(heights) <= 100


def test_among_charts_of_several_policies_there_are_no_bands():
    own = estimated((0.7, 0.7), [told(0.2), told(0.9)])
    assert drawn(own, others=[own]).bands.band == ""
