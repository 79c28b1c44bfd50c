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
