"""Drift: PromQL that makes scores of all methods comparable."""

from dashboards.grafana.query import newest, series

MOST = 10
"""A p-value can be any number of times below its threshold; more than this says no more."""


def distance(*matchers: str) -> str:
    """Return how far each column is from its limit: below 1 it is well, from 1 it has drifted.

    Some scores breach above their threshold (distances), others below it (p-values), and the
    metrics do not say which. They need not: Leeway's verdict, ``leeway_column_drifted``, says on
    which side of the limit the score is, and the ratio of score and threshold says how far. So the
    ratio or its inverse, whichever is on the verdict's side, is exp(±|ln(score / threshold)|).
    """
    score = deciding("leeway_drift_score", *matchers)
    threshold = deciding("leeway_drift_threshold", *matchers)
    drifted = f"max by (column) ({series('leeway_column_drifted', *matchers)})"
    ratio = f"max by (column) ({score} / {threshold})"
    return f"clamp_max(exp((2 * {drifted} - 1) * abs(ln({ratio}))), {MOST}) > -Inf"


def deciding(metric: str, *matchers: str) -> str:
    """Return the scores or thresholds that decide: the calibrated ones where there are any."""
    calibrated = series(metric, *matchers, 'method="calibrated"')
    return f"({calibrated} or on (instance, model, column) {series(metric, *matchers)})"


def deciding_by_method(metric: str, *matchers: str) -> str:
    """Return the scores or thresholds that decide, by column and method."""
    return newest("column, method", deciding(metric, *matchers))


def by_method(metric: str, *matchers: str) -> str:
    """Return scores or thresholds by column and method."""
    return newest("column, method", series(metric, *matchers))
