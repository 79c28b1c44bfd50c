"""Prometheus metrics of retraining, rendered from the database at each scrape."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select

from monitor.adapters.database import reading
from retrain.adapters import tables as t
from retrain.adapters.sql_registry import CHAMPION
from retrain.ports import Outcome


class RetrainCollector(Collector):
    """Collects champions and run outcomes from what is recorded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Describe nothing ahead: registration must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        runs = CounterMetricFamily(
            "leeway_retrain_runs", "Retrain runs that have ended.", labels=("model", "outcome")
        )
        champion = GaugeMetricFamily(
            "leeway_champion_info", "1 for the champion's version.", labels=("model", "version")
        )
        promoted = GaugeMetricFamily(
            "leeway_champion_promoted_timestamp_seconds",
            "When the champion was promoted.",
            labels=("model",),
        )
        counted = select(t.runs.c.model, t.runs.c.outcome, func.count()).group_by(
            t.runs.c.model, t.runs.c.outcome
        )
        champions = select(t.aliases).where(t.aliases.c.alias == CHAMPION)
        moved = select(t.moves.c.model, func.max(t.moves.c.at)).group_by(t.moves.c.model)
        with reading(self._engine) as connection:
            ended = {(m, o): n for m, o, n in connection.execute(counted)}
            for row in connection.execute(champions).mappings():
                champion.add_metric([row["model"], str(row["version"])], 1)
                for outcome in Outcome:
                    runs.add_metric([row["model"], outcome], ended.get((row["model"], outcome), 0))
            for model, at in connection.execute(moved):
                promoted.add_metric([model], at.timestamp())
        yield from (runs, champion, promoted)
