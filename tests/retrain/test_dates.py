"""Dates become parts that a model can learn from; what varies is kept, what is new is bounded."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.schema import Kind, Schema, Task
from retrain.candidates import fit, recipes
from retrain.dataset import Dataset
from retrain.dates import DateParts
from retrain.prediction import predict

NAMES = ["days", "year", "month", "day", "weekday", "hour"]
SCHEMA = Schema(Task.BINARY, {"x": Kind.NUMERIC, "booked": Kind.DATE}, "y", classes=("no", "yes"))


def frame(*dates: object):
    return pd.DataFrame({"booked": np.array(dates, dtype="datetime64[us]")})


VARIED = frame("1969-02-03T04", "2024-12-31T23:59", "2025-06-15T12", "2026-01-01")


@example(pd.Timestamp("2000-01-01T01"))
@given(st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2200-01-01")))
def test_the_parts_are_those_of_pandas(instant):
    made = DateParts().fit(VARIED).transform(frame(instant))[0]
    at = pd.Timestamp(instant)
    days = (at - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    bounds = (pd.Timestamp("1969-02-03T04"), pd.Timestamp("2026-01-01"))
    nearest = [(one - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1) for one in bounds]
    expected = [
        np.clip(days, *nearest),
        np.clip(at.year, 1969, 2026),
        at.month,
        at.day,
        at.weekday(),
        at.hour,
    ]
    assert made[:6].tolist() == pytest.approx(expected)
    share = (at.weekday() + (at - at.normalize()) / pd.Timedelta(days=1)) / 7
    assert made[8:10] == pytest.approx(
        [np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)], abs=1e-6
    )


def test_the_end_of_a_year_lies_beside_its_beginning():
    end, begin, summer = (
        DateParts()
        .fit(VARIED)
        .transform(frame("2024-12-31T12", "2025-01-01T12", "2025-07-01T12"))[:, 6:8]
    )
    assert np.linalg.norm(end - begin) < 0.05
    assert np.linalg.norm(end - summer) > 1.9


def test_parts_that_never_change_are_dropped():
    noons = frame(*(f"2026-03-0{day}T12" for day in range(2, 9)))
    kept = DateParts().fit(noons).kept_[:6]
    assert dict(zip(NAMES, kept.tolist(), strict=True)) == {
        "days": True,
        "year": False,
        "month": False,
        "day": True,
        "weekday": True,
        "hour": False,
    }
    assert DateParts().fit(frame("NaT", "NaT")).transform(frame("2026-01-01")).shape == (1, 1)


def test_a_missing_date_has_no_part_and_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = DateParts().fit(VARIED).transform(frame("NaT", "2026-01-01"))
    assert np.isnan(made[0]).all()
    assert np.isfinite(made[1]).all()


@pytest.mark.parametrize(
    "name", ["logistic", "tree", "hist_gradient_boosting", "mlp", "random_forest"]
)
def test_every_algorithm_learns_the_day_of_the_week(name):
    rng = np.random.default_rng(0)
    n_rows = 1200
    booked = np.datetime64("2026-01-05", "us") + rng.integers(0, 120 * 24, n_rows) * np.timedelta64(
        1, "h"
    )
    weekend = pd.DatetimeIndex(booked).weekday >= 5
    booked[::50] = np.datetime64("NaT")
    features = pd.DataFrame({"x": rng.normal(size=n_rows), "booked": booked})
    target = np.where(weekend, "yes", "no").astype(object)
    event_at = np.datetime64("2026-06-01", "us") + np.arange(n_rows)
    recipe = recipes([name], Task.BINARY)[0]
    model = fit(recipe, Dataset(features, target, event_at), SCHEMA, window=n_rows, seed=0)
    # Years after all that it has seen, a Saturday is a Saturday still.
    asked = pd.DataFrame(
        {"x": [0.0] * 3, "booked": frame("2031-03-08T12", "2031-03-05T12", "NaT").booked}
    )
    saturday, wednesday, nobody_knows = predict(model, asked, SCHEMA)
    assert saturday > 0.5 > wednesday
    assert np.isfinite(nobody_knows)
