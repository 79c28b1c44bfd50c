"""Methods: the ways to compare two columns that Evidently 0.7.23 has, and its default choice.

Names, default thresholds and the choice of a default are Evidently's
(``evidently.legacy.calculations.stattests``), so that a score means here what it means there;
what is added is the direction, which Evidently keeps inside each function.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.checks.score import BreachWhen
from monitor.schema import Kind


@dataclass(frozen=True)
class Method:
    """One way to compare a column.

    Parameters
    ----------
    threshold : float
        Evidently's default threshold.
    breach_when : BreachWhen
        Below for p-values, above for distances.
    kinds : frozenset of Kind
        The columns a person may ask it for.
    """

    threshold: float
    breach_when: BreachWhen
    kinds: frozenset[Kind]


_NUMERIC = frozenset({Kind.NUMERIC})
_CATEGORICAL = frozenset({Kind.CATEGORICAL})

METHODS: Mapping[str, Method] = {
    "ks": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "t_test": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "mannw": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "es": Method(0.05, BreachWhen.BELOW, _NUMERIC),
    "anderson": Method(0.1, BreachWhen.BELOW, _NUMERIC),
    "cramer_von_mises": Method(0.1, BreachWhen.BELOW, _NUMERIC),
    "empirical_mmd": Method(0.1, BreachWhen.BELOW, _NUMERIC),
    "z": Method(0.05, BreachWhen.BELOW, _CATEGORICAL),
    "chisquare": Method(0.05, BreachWhen.BELOW, _CATEGORICAL),
    "fisher_exact": Method(0.1, BreachWhen.BELOW, _CATEGORICAL),
    "g_test": Method(0.1, BreachWhen.BELOW, _CATEGORICAL),
    # a distance by its name, but Evidently gives the p-value of its permutation test
    "TVD": Method(0.1, BreachWhen.BELOW, _CATEGORICAL),
    "wasserstein": Method(0.1, BreachWhen.ABOVE, _NUMERIC),
    "ed": Method(0.1, BreachWhen.ABOVE, _NUMERIC),
    "jensenshannon": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
    "psi": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
    "kl_div": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
    "hellinger": Method(0.1, BreachWhen.ABOVE, _NUMERIC | _CATEGORICAL),
}
"""Evidently's methods for numbers and categories, and which side of the threshold is bad."""

OTHERWISE_AT_THRESHOLD = frozenset({"ks", "cramer_von_mises", "ed"})
"""At its very threshold a distance drifts and a p-value does not; in Evidently's functions of these
names it is the other way round."""

SMALL_REFERENCE = 1000
"""Up to this many reference values Evidently tests a hypothesis, beyond it takes a distance."""

FEW_LEVELS = 5
"""A numeric column with at most this many distinct values is compared level by level."""

TWO_LEVELS = 2


def default_method(*, kind: Kind, n_reference: int, n_unique: int) -> str:
    """Choose the method that Evidently takes when none is asked for.

    Parameters
    ----------
    kind : Kind
        How the column is compared.
    n_reference : int
        Reference values, the missing ones left out.
    n_unique : int
        Distinct values over reference and current together.

    Examples
    --------
    >>> default_method(kind=Kind.NUMERIC, n_reference=1000, n_unique=6)
    'ks'
    >>> default_method(kind=Kind.NUMERIC, n_reference=1001, n_unique=6)
    'wasserstein'
    >>> default_method(kind=Kind.CATEGORICAL, n_reference=1000, n_unique=2)
    'z'
    """
    many_numbers = kind is Kind.NUMERIC and n_unique > FEW_LEVELS
    if n_reference > SMALL_REFERENCE:
        return "wasserstein" if many_numbers else "jensenshannon"
    if many_numbers:
        return "ks"
    return "chisquare" if n_unique > TWO_LEVELS else "z"
