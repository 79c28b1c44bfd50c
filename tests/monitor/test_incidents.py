"""Every kind of incident, planted in real flights and judged by the real cycle: four answers each.

What was done or how it shows, to which column or to whole rows, since when, and how many rows.
"""

import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from leeway.demo.flights import TARGET, TIME, find_csvs, load_flights
from monitor.adapters.history import History
from tests.conftest import Home
from tests.watched import PATH, as_rows

MONDAY, WEEK = datetime(2013, 1, 7, tzinfo=UTC), timedelta(days=7)
N_CLEAN = 2
"""Weeks between the reference and the one that is broken."""

FIRST = 0.4
"""The break begins after so much of the week's rows."""

YAML = """\
models:
  late:
    task: binary
    reference: reference.parquet
    columns:
      {{target: late, prediction: p, time: at, id: id, dates: [planned],
        numeric: [{numeric}], categorical: [{categorical}]}}
    window: {{every: P7D}}
    retrain: {{when: []}}
"""


@dataclass(frozen=True)
class Table:
    """Real rows, and what is looked at of them.

    Of the weather there are too few weeks for an alert budget: numbers far out are an incident.
    """

    n_reference: int
    numeric: list[str]
    categorical: list[str]
    rows: Callable[[], pd.DataFrame]

    def weeks(self):
        """Return its weeks, with what a model that is served elsewhere says."""
        frame = self.rows()
        frame["at"] = frame["at"].dt.as_unit("us")
        frame["id"] = np.arange(len(frame)).astype(str)
        frame["planned"] = frame["at"].dt.floor("D")
        frame["p"] = 0.1 + frame["at"].dt.hour / 30
        names = ["id", "at", "planned", *self.numeric, *self.categorical, "p", "late"]
        frame = frame[names].dropna()
        number = (frame["at"] - MONDAY) // WEEK
        return [frame[number == at] for at in range(self.n_reference + N_CLEAN + 1)]


def flights():
    """Return one flight in twenty."""
    frame = load_flights().iloc[::20].rename(columns={TIME: "at", TARGET: "late"})
    return frame.assign(late=frame["late"].fillna(0).astype(int))


def weather():
    """Return the readings at the three airports, each hour of the day."""
    frame = pd.read_csv(find_csvs() / "weather.csv")
    frame["at"] = pd.to_datetime(frame["time_hour"])
    frame = frame.sort_values("at", kind="stable").assign(late=(frame["precip"] > 0).astype(int))
    return frame.assign(hour=frame["at"].dt.hour)


FLIGHTS = Table(
    12,
    ["departure_minute", "scheduled_minutes", "distance", "seats", "temp", "humid"],
    ["origin", "carrier", "dest"],
    flights,
)
WEATHER = Table(6, ["hour", "temp", "humid", "visib"], ["origin"], weather)


@dataclass(frozen=True)
class Lived:
    """A deployment that has lived through clean weeks, and the one that will be broken."""

    home: Home
    number: int
    rows: pd.DataFrame


def send(app, number, rows):
    """End a week, and send its rows."""
    app.clock.set(MONDAY + (number + 1) * WEEK)
    with app.http() as http:
        return http.post(PATH, json=rows)


def judge(app):
    (judged,) = app.deployment.watcher().check("late")
    return judged


def lived_through(home, table):
    """Make a deployment, and live through its clean weeks."""
    weeks = table.weeks()
    home.folder.mkdir()
    pd.concat(weeks[: table.n_reference]).to_parquet(home.folder / "reference.parquet")
    named = {"numeric": ", ".join(table.numeric), "categorical": ", ".join(table.categorical)}
    home.config.write_text(YAML.format(**named))
    home.clock.set(MONDAY + table.n_reference * WEEK)
    with home.opened() as app:
        for number in range(table.n_reference, table.n_reference + N_CLEAN):
            send(app, number, as_rows(weeks[number].drop(columns="late")))
            assert judge(app).diagnosis.kind != "incident"
    return Lived(home, len(weeks) - 1, weeks[-1].reset_index(drop=True).drop(columns="late"))


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    return lived_through(Home(tmp_path_factory.mktemp("flights") / "home"), FLIGHTS)


@pytest.fixture(scope="module")
def read_off(tmp_path_factory):
    return lived_through(Home(tmp_path_factory.mktemp("weather") / "home"), WEATHER)


@contextmanager
def opened(lived, tmp_path):
    """Open a copy of a deployment."""
    home = Home(tmp_path / "home")
    shutil.copytree(lived.home.folder, home.folder)
    with home.opened() as app:
        yield app


def after(rows, first):
    """Say which rows come after the break, in the order of time."""
    return np.arange(len(rows)) >= first


def put(name, change):
    """Change the values of a column from the first row on."""

    def plant(rows, first) -> list[dict]:
        broken = rows.astype({name: object})
        broken.loc[first:, name] = np.asarray(change(rows[name][first:]), dtype=object)
        return as_rows(broken)

    return plant


def alternately(value):
    return lambda column: np.where(np.arange(len(column)) % 2, value, column)


def unsent(rows, first):
    return [
        {k: v for k, v in row.items() if at < first or k != "temp"}
        for at, row in enumerate(as_rows(rows))
    ]


def extra(rows, first):
    return [row if at < first else {**row, "new": 1} for at, row in enumerate(as_rows(rows))]


def doubled(rows, first):
    again = rows.iloc[first : first + len(rows) // 2]
    return as_rows(pd.concat([rows, again.assign(id="again-" + again["id"])]))


def standing(rows, first):
    return as_rows(rows.assign(at=rows["at"].where(~after(rows, first), rows["at"][first])))


def stale(rows, _first):
    """Send the rows of the week before again."""
    del rows
    before = FLIGHTS.weeks()[FLIGHTS.n_reference + N_CLEAN - 1].drop(columns="late")
    return as_rows(before.assign(id="again-" + before["id"], at=before["at"] + WEEK))


KINDS = {
    "scale": ("distance", put("distance", lambda x: 1000.0 * x), "times 1,000"),
    "units": ("distance", put("distance", lambda x: 1.609344 * x), "kilometres for miles"),
    "sign": ("seats", put("seats", lambda x: -x), "the other sign"),  # and no carrier, which goes with it
    "missing": ("temp", put("temp", alternately(None)), ""),
    "missing date": ("planned", put("planned", lambda x: [None] * len(x)), ""),
    "fill": ("temp", put("temp", alternately(-999.0)), "50% of values are -999"),
    "frozen": ("humid", put("humid", lambda x: [x.iloc[0]] * len(x)), "every value is "),
    "collapse": ("distance", put("distance", lambda x: np.round(x, -3)), "only "),
    "spelling": ("origin", put("origin", lambda x: x.str.lower()), "'ewr' for 'EWR'"),
    "renamed": ("carrier", put("carrier", lambda x: "code " + x), "only names that are new: 'code 9E', "),
    "permuted": ("origin", put("origin", lambda x: x.map({"EWR": "JFK", "JFK": "LGA", "LGA": "EWR"})), "'EWR' for 'LGA'"),
    "unseen": ("origin", put("origin", lambda x: np.where(np.arange(len(x)) % 10, "elsewhere", x)), ""),
    "infinite": ("temp", put("temp", alternately("inf")), ""),
    "schema_missing": ("temp", unsent, ""),
    "schema_extra": ("new", extra, ""),
    "schema_retyped": ("temp", put("temp", lambda x: ["warm"] * len(x)), ""),
    "repeated": ("", doubled, ""),
    "still": ("", standing, ""),
    "stale": ("", stale, ""),
    "shift": ("hour", put("hour", lambda x: (x + 5) % 24), "5 hours ahead"),
    "out_of_range": ("temp", put("temp", lambda x: x + 900), ""),
}  # fmt: skip
OF_WEATHER = ("shift", "out_of_range")
SIGNS = {"missing date": "missing", "permuted": "renamed"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_what_where_since_when_and_how_many(kind, request, tmp_path):
    lived = request.getfixturevalue("read_off" if kind in OF_WEATHER else "flown")
    column, plant, words = KINDS[kind]
    first = 0 if kind == "stale" else int(FIRST * len(lived.rows))
    sent = plant(lived.rows, first)
    with opened(lived, tmp_path) as app:
        assert send(app, lived.number, sent).status_code == 202
        judge(app)
        (finding,) = told(app)["findings"]
        assert (finding["column"], finding["sign"]) == (column, SIGNS.get(kind, kind))
        assert finding["transform"].startswith(words)
        assert bool(words) == bool(finding["transform"])
        times = pd.to_datetime([row["at"] for row in sent], format="ISO8601").sort_values()
        begins_at(finding, times, first)
        assert_shown_everywhere(app, finding)


def alerts_of(app):
    return History(app.deployment.engine).alerts("late")


def told(app):
    """Return the newest window as the HTTP API tells it."""
    with app.http() as http:
        return http.get("/v1/models/late/windows").json()[-1]


def begins_at(finding, times, first, tolerance=10):
    """Check the row from which on it is told, by its time, and how many there are from it on."""
    since, found = pd.Timestamp(finding["since"]), len(times) - finding["n_rows"]
    assert times[found] == since
    assert abs(found - first) <= tolerance


def assert_shown_everywhere(app, finding):
    """The alert, the window's page and the model's say since when, and how many rows."""
    since = pd.Timestamp(finding["since"])
    words = f"since {since:%Y-%m-%d %H:%M} UTC, {finding['n_rows']:,} rows"
    assert finding["sentence"].endswith(words)
    (alert,) = [one for one in alerts_of(app) if one["check"] == "quality"]
    assert alert["ended_at"] is None
    path = f"/models/late/windows/{told(app)['id']}"
    with app.http() as http:
        pages = [http.get(one).text for one in ("/models/late", path)]
    for text in (alert["sentence"], told(app)["sentence"], *pages):
        assert words in text


def test_messages_and_the_command_line_say_it_too(flown, tmp_path, webhook):
    with opened(flown, tmp_path) as app:
        app.clock.set(MONDAY + flown.number * WEEK)
    home = Home(tmp_path / "home")
    home.configure("models:", f"notify: {{to: ['{webhook.address}']}}\nmodels:")
    with home.opened() as app:
        send(app, flown.number, stale(flown.rows, 0))
        judge(app)
        app.deployment.watcher().deliver()
        (finding,) = told(app)["findings"]
    words = f"since {flown.rows['at'].min():%Y-%m-%d}"
    assert words in finding["sentence"]
    (message,) = [one for one in webhook.received if "look broken" in str(one["title"])]
    assert finding["sentence"] in str(message["message"])
    lines = home.cli("why", "late").stdout
    assert finding["sentence"] in " ".join(lines.split())


def test_exchanged_columns_are_two_that_began_at_the_same_row(flown, tmp_path):
    names = ["distance", "departure_minute"]
    first, broken = int(FIRST * len(flown.rows)), flown.rows.copy()
    broken.loc[first:, names] = flown.rows.loc[first:, names[::-1]].to_numpy()
    with opened(flown, tmp_path) as app:
        send(app, flown.number, as_rows(broken))
        judge(app)
        window = told(app)
    found = {one["column"]: one for one in window["findings"]}
    assert {name: one["transform"] for name, one in found.items()} == {
        "distance": "the values of departure_minute",
        "departure_minute": "the values of distance",
    }
    for one in found.values():
        assert one["sign"] == "swap"
        begins_at(one, broken["at"], first)


def test_columns_that_broke_at_once_are_each_told_and_said_to_belong_together(flown, tmp_path):
    first = int(FIRST * len(flown.rows))
    kinds = {"temp": None, "humid": None, "seats": "many"}
    rows = [row if at < first else {**row, **kinds} for at, row in enumerate(as_rows(flown.rows))]
    with opened(flown, tmp_path) as app:
        send(app, flown.number, rows)
        judge(app)
        window = told(app)
    signs = {one["column"]: one["sign"] for one in window["findings"]}
    assert signs == {"temp": "missing", "humid": "missing", "seats": "schema_retyped"}
    for one in window["findings"]:
        begins_at(one, flown.rows["at"], first)
    assert window["diagnosis_sentence"].endswith(
        "; 3 columns since the same row: look at what they have in common"
    )


def test_a_renamed_column_is_one_that_is_missing_and_one_that_is_new_since_the_same_row(
    flown, tmp_path
):
    first = int(FIRST * len(flown.rows))
    rows = [
        row if at < first else {"temp_f" if name == "temp" else name: row[name] for name in row}
        for at, row in enumerate(as_rows(flown.rows))
    ]
    with opened(flown, tmp_path) as app:
        send(app, flown.number, rows)
        judge(app)
        window = told(app)
    found = {(one["column"], one["sign"]): one for one in window["findings"]}
    assert set(found) == {("temp", "schema_missing"), ("temp_f", "schema_extra")}
    for one in found.values():
        begins_at(one, flown.rows["at"], first, tolerance=0)


def test_refused_rows_say_why_since_the_minute_they_came_and_how_many(flown, tmp_path):
    rows = as_rows(flown.rows)
    came = MONDAY + (flown.number + 1) * WEEK - timedelta(days=2)
    with opened(flown, tmp_path) as app:
        app.clock.set(came + timedelta(seconds=20))
        with app.http() as http:
            answer = http.post(PATH, json=[{**row, "at": "soon"} for row in rows[:90]])
        assert answer.status_code == 422
        assert send(app, flown.number, rows).status_code == 202
        judge(app)
        (finding,) = told(app)["findings"]
        assert (finding["column"], finding["sign"]) == ("", "refused")
        assert (pd.Timestamp(finding["since"]), finding["n_rows"]) == (came, 90)
        assert "could not be stored and were refused: bad_time since" in finding["sentence"]
        assert_shown_everywhere(app, finding)


def test_a_window_of_nothing_but_refused_rows_says_so_too(flown, tmp_path):
    came = MONDAY + (flown.number + 1) * WEEK - timedelta(days=2)
    with opened(flown, tmp_path) as app:
        app.clock.set(came)
        with app.http() as http:
            http.post(PATH, json=[{**row, "at": None} for row in as_rows(flown.rows)])
        app.clock.set(came + WEEK)
        judge(app)
        (finding,) = told(app)["findings"]
    assert (finding["sign"], finding["n_rows"]) == ("refused", len(flown.rows))
    assert pd.Timestamp(finding["since"]) == came
