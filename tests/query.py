"""Queries for tests: what the dashboards ask of Prometheus, and what is wrong with an answer."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.prometheus import Prometheus

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"

Series = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """What a panel, an annotation or a variable of a dashboard asks.

    Parameters
    ----------
    where : str
        Dashboard, panel and letter; or dashboard and name.
    expression : str
        As it is in the dashboard, with the dashboard's variables.
    labels : collection of str
        Labels that each series of the answer must have: the legend names them.
    instant : bool
        It asks for one moment, not for a stretch of time.
    """

    where: str
    expression: str
    labels: Collection[str] = ()
    instant: bool = False


def shipped() -> list[dict[str, Any]]:
    """Return the dashboards that ship."""
    return [json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))]


def panels_of(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a dashboard's panels, those in rows too."""
    for panel in board["panels"]:
        yield from panel.get("panels", []) if panel["type"] == "row" else [panel]


def queries_of(board: dict[str, Any]) -> Iterator[Query]:
    """Return all that a dashboard asks."""
    for panel in panels_of(board):
        for target in panel["targets"]:
            where = f"{board['uid']}: {panel['title']}, {target['refId']}"
            labels = labels_in(target.get("legendFormat", ""))
            yield Query(where, target["expr"], labels, target["instant"])
    for mark in board["annotations"]["list"]:
        where = f"{board['uid']}: annotation {mark['name']}"
        yield Query(where, mark["target"]["expr"], labels_in(mark["titleFormat"]))
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            asked = variable["query"]["query"]
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", asked)
            assert found, asked
            where = f"{board['uid']}: ${variable['name']}"
            yield Query(where, f"count by ({found[2]}) ({found[1]})", {found[2]}, instant=True)


def query_at(where: str) -> Query:
    """Return the query that is asked in one place."""
    (found,) = (one for board in shipped() for one in queries_of(board) if one.where == where)
    return found


def labels_in(legend: str) -> set[str]:
    """Return the labels that a legend names."""
    return set(re.findall(r"\{\{(\w+)\}\}", legend))


@dataclass(frozen=True)
class Look:
    """Someone looks at the dashboards in Grafana: a model, and a stretch of time.

    Parameters
    ----------
    prometheus : Prometheus
        Where the data are.
    model : str
        The model that is chosen; its metric is ROC AUC, and everything else is "all".
    began, ended : float
        The stretch of time, in seconds since 1970.
    """

    prometheus: Prometheus
    model: str
    began: float
    ended: float

    def ask(self, query: Query) -> list[Series]:
        """Return the answer to a query; fails on one that cannot be evaluated."""
        expression = self.substituted(query.expression)
        if query.instant:
            return self.prometheus.query(expression, time=str(self.ended))
        return self.prometheus.query_range(
            expression, start=str(self.began), end=str(self.ended), step=self._interval(1)
        )

    def substituted(self, expression: str) -> str:
        """Return an expression as Grafana sends it."""
        values = {
            "__rate_interval": self._interval(4),
            "__interval": self._interval(1),
            "__range": f"{self.ended - self.began:.0f}s",
            "job": "leeway",
            "model": self.model,
            "column": ".+",
            "metric": "roc_auc",
            "instance": ".+",
        }
        return re.sub(r"\$\{?(\w+)\}?", lambda found: values[found[1]], expression)

    def marks(self) -> dict[str, list[tuple[float, dict[str, str]]]]:
        """Return what the annotations of the dashboard Model mark: by name, moments and labels."""
        (board,) = (one for one in shipped() if one["uid"] == "leeway-model")
        return {
            query.where.partition(" annotation ")[2]: [
                (float(at), series["metric"])
                for series in self.ask(query)
                for at, _ in series["values"]
            ]
            for query in queries_of(board)
            if " annotation " in query.where
        }

    def problems(self, may_be_empty: Mapping[str, str]) -> list[str]:
        """Ask all that all dashboards ask, and say what is wrong with the answers.

        Parameters
        ----------
        may_be_empty : mapping of str to str
            What has nothing to show: a part of the query, or of where it is asked; and the reason.
        """
        queries = [query for board in shipped() for query in queries_of(board)]
        assert len(queries) > 100
        return [wrong for one in queries if (wrong := self._problem(one, may_be_empty))]

    def _problem(self, query: Query, may_be_empty: Mapping[str, str]) -> str | None:
        try:
            answer = self.ask(query)
        except AssertionError as error:
            return f"{query.where}: {error}"
        values = [v for one in answer for _, v in one.get("values", [one.get("value")])]
        if "NaN" in values:
            return f"{query.where}: NaN is shown as a number: {self.substituted(query.expression)}"
        if not answer and not any(
            part in f"{query.where} {query.expression}" for part in may_be_empty
        ):
            return f"{query.where}: no data: {self.substituted(query.expression)}"
        lacking = [one["metric"] for one in answer if not all(map(one["metric"].get, query.labels))]
        return f"{query.where}: a legend without a label: {lacking}" if lacking else None

    def _interval(self, times: int) -> str:
        return f"{times * self.prometheus.interval_ms}ms"
