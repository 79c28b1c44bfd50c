"""Policies: what leeway.yaml says of one model, as the watch and the retraining take it."""

from collections.abc import Mapping

from leeway.config import Config, ModelConfig
from leeway.retrain_config import ServingConfig
from monitor.checks.calibrated import DEFAULT_TIME, DEFAULT_WINDOWS, AlertBudget
from monitor.checks.drift import DriftPolicy
from monitor.checks.fall import PerformancePolicy
from monitor.checks.performance import default_metric
from monitor.checks.quality import QualityPolicy
from monitor.decision import RetrainPolicy
from monitor.errors import ConfigError, NotPossibleError
from monitor.probation import ProbationPolicy
from monitor.schema import Kind, Schema
from monitor.verdict import VerdictPolicy
from monitor.window import LabelPolicy, WindowPolicy
from monitor.world import Watched
from retrain.bundle import TRUSTED_TYPES
from retrain.own_estimator import own_estimator, type_name
from retrain.preparation import Allowed
from retrain.recipe import Params
from retrain.search_policy import SearchPolicy
from retrain.servable import ServingPolicy
from retrain.version import Retrained


def watched(name: str, model: ModelConfig, schema: Schema) -> Watched:
    """Compose the policies of one model's watch."""
    metric = model.performance.metric or default_metric(schema.task)
    _check_segments(name, model.performance.segments, schema)
    methods = {} if model.drift.methods == "evidently" else model.drift.methods
    return Watched(
        name=name,
        verdict=VerdictPolicy(
            window=WindowPolicy(**model.window.model_dump()),
            labels=LabelPolicy(**model.labels.model_dump()),
            drift=DriftPolicy(
                methods=methods,
                thresholds=model.drift.thresholds,
                share_drifted=model.drift.share_drifted,
                budget=_budget(name, model),
            ),
            performance=PerformancePolicy(
                metric, model.performance.max_drop, model.performance.segments
            ),
        ),
        quality=QualityPolicy(**model.quality.model_dump()),
        retrain=RetrainPolicy(
            when=frozenset(model.retrain.when),
            every=model.retrain.every,
            new_rows=model.retrain.new_rows,
            cooldown=model.retrain.cooldown,
            min_labels=model.retrain.min_labels,
        ),
        probation=ProbationPolicy(**model.retrain.probation.model_dump()),
    )


def _budget(name: str, model: ModelConfig) -> AlertBudget | None:
    """Return the alert budget; a person who sets limits by hand wants them to judge."""
    drift = model.drift
    by_hand = {"thresholds", "share_drifted"} & drift.model_fields_set
    asked = "alert_budget" in drift.model_fields_set
    if drift.alert_budget == "off" or (by_hand and not asked):
        return None
    per = drift.alert_budget.per
    if per is None:
        per = DEFAULT_WINDOWS if model.window.rows else DEFAULT_TIME
    if model.window.rows and not isinstance(per, int):
        path = f"models.{name}.drift.alert_budget.per"
        raise ConfigError("leeway.yaml", path, "windows by count have no time: give their number")
    return AlertBudget(drift.alert_budget.alerts, per, drift.materiality)


def _check_segments(name: str, segments: tuple[str, ...], schema: Schema) -> None:
    known = [column for column, kind in schema.features.items() if kind is Kind.CATEGORICAL]
    for segment in segments:
        if segment not in known:
            path = f"models.{name}.performance.segments"
            expected = f"expected categorical features: {', '.join(known) or 'there is none'}"
            raise ConfigError("leeway.yaml", path, f"{expected} (found {segment!r})")


def retrained(name: str, model: ModelConfig, schema: Schema) -> Retrained:
    """Compose the policies of one model's retraining."""
    window = model.window.every or model.window.rows
    assert window is not None
    _check_segments(name, model.performance.segments, schema)
    return Retrained(
        name=name,
        schema=schema,
        search=SearchPolicy(
            metric=model.performance.metric or default_metric(schema.task),
            window=window,
            algorithms=model.retrain.candidates,
            estimators=_estimators(name, model, schema),
            budget=model.retrain.budget,
            max_fits=model.retrain.max_fits,
            allowed=Allowed(**model.retrain.preprocess.model_dump()),
        ),
        minimum_gain=model.retrain.minimum_gain,
        seed=model.retrain.seed,
        segments=model.performance.segments,
        anchor=model.window.anchor,
        cost=model.retrain.cost,
        approval=model.retrain.approval,
        serving=_serving(model.retrain.serving),
    )


def trusted_types(config: Config) -> frozenset[str]:
    """Return the types that model files may hold: the house's, and those that leeway.yaml names."""
    asked = [model.retrain for model in config.models.values()]
    own = {type_name(name) for retrain in asked for name in retrain.estimators}
    return TRUSTED_TYPES.union(own, *(retrain.trusted_types for retrain in asked))


def _estimators(name: str, model: ModelConfig, schema: Schema) -> Mapping[str, Params]:
    """Return the operator's estimators; each must be one of the model's task."""
    for dotted, params in model.retrain.estimators.items():
        try:
            own_estimator(dotted, params, schema.task, seed=0)
        except NotPossibleError as error:
            path = f"models.{name}.retrain.estimators"
            raise ConfigError("leeway.yaml", path, str(error)) from error
    return model.retrain.estimators


def _serving(serving: ServingConfig) -> ServingPolicy:
    return ServingPolicy(
        serving.latency.total_seconds(),
        serving.slowdown,
        serving.bytes,
        serving.growth,
        serving.skew,
    )
