"""Preparation: how features may be made ready for an estimator, and which ways may be tried."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum


class Missing(StrEnum):
    """What stands for a missing number."""

    MEAN = "mean"
    MEDIAN = "median"
    MOST_FREQUENT = "most_frequent"
    CONSTANT = "constant"
    INDICATOR = "indicator"
    DROP = "drop"
    KEEP = "keep"


class Outliers(StrEnum):
    """What becomes of numbers that lie far out, by what the training rows say."""

    NONE = "none"
    CLIP = "clip"
    IQR = "iqr"
    ISOLATION_FOREST = "isolation_forest"


class Scaling(StrEnum):
    """How numbers are scaled."""

    STANDARD = "standard"
    ROBUST = "robust"
    NONE = "none"


class Encoding(StrEnum):
    """How categories become numbers."""

    ONE_HOT = "one_hot"
    ORDINAL = "ordinal"
    NATIVE = "native"


@dataclass(frozen=True)
class Preprocessing:
    """One way to prepare features.

    Parameters
    ----------
    missing : Missing
        ``constant`` is 0; ``indicator`` is the median, and one more column that says where a
        number was missing. ``drop`` leaves out training rows with a missing number; a row to
        predict is never left out, so there the median stands in. ``keep`` is for estimators that
        take missing values.
    outliers : Outliers
        ``clip`` brings values to the .1 % and 99.9 % quantiles, in rows to predict as well. ``iqr``
        and ``isolation_forest`` leave out training rows only, see `retrain.training_rows`.
    scaling : Scaling
        ``standard`` is mean 0 and variance 1 on the training rows, ``robust`` median 0 and
        interquartile range 1.
    encoding : Encoding
        ``native`` is for estimators with a ``categorical_features`` parameter.
    """

    missing: Missing = Missing.MEDIAN
    outliers: Outliers = Outliers.NONE
    scaling: Scaling = Scaling.NONE
    encoding: Encoding = Encoding.ONE_HOT

    @classmethod
    def from_document(cls, document: Mapping[str, str]) -> "Preprocessing":
        """Read back what `dataclasses.asdict` gave, also after a trip through JSON."""
        return cls(
            Missing(document["missing"]),
            Outliers(document["outliers"]),
            Scaling(document["scaling"]),
            Encoding(document["encoding"]),
        )

    def differences(self, other: "Preprocessing") -> str:
        """Say in which parts this one is not like another.

        Examples
        --------
        >>> Preprocessing(Missing.MEAN, scaling=Scaling.ROBUST).differences(Preprocessing())
        'missing mean, scaling robust'
        """
        mine, theirs = vars(self), vars(other)
        return ", ".join(f"{part} {mine[part]}" for part in mine if mine[part] != theirs[part])


@dataclass(frozen=True)
class Allowed:
    """Which ways of preparing may be tried; of a part without any, only an algorithm's usual one.

    Parameters
    ----------
    missing, outliers, scaling, encoding : tuple
        The first that the algorithm can take stands in for a usual way that is not among them.
    """

    missing: tuple[Missing, ...] = ()
    outliers: tuple[Outliers, ...] = ()
    scaling: tuple[Scaling, ...] = ()
    encoding: tuple[Encoding, ...] = ()

    def nearest(
        self, usual: Preprocessing, takes: Callable[[Preprocessing], bool] = lambda _way: True
    ) -> Preprocessing:
        """Return an algorithm's usual way, with what is not allowed replaced.

        Parameters
        ----------
        usual : Preprocessing
            The usual way.
        takes : callable
            Whether the algorithm can learn from features that are prepared in a way.

        Examples
        --------
        >>> Allowed(missing=(Missing.MEAN, Missing.DROP)).nearest(Preprocessing()).missing
        <Missing.MEAN: 'mean'>
        """
        way = usual
        for part, allowed in vars(self).items():
            if allowed and getattr(usual, part) not in allowed:
                others = (replace(way, **{part: value}) for value in allowed)
                way = next(filter(takes, others), way)
        return way

    def variants(self, leading: Preprocessing) -> Iterator[Preprocessing]:
        """Yield the ways that differ from the leading one in a single part.

        Examples
        --------
        >>> tried = Allowed(scaling=(Scaling.NONE, Scaling.ROBUST)).variants(Preprocessing())
        >>> [one.scaling for one in tried]
        [<Scaling.ROBUST: 'robust'>]
        """
        for part in fields(self):
            for value in getattr(self, part.name):
                if value != getattr(leading, part.name):
                    yield replace(leading, **{part.name: value})


USUAL = Allowed()
"""Nothing but what each algorithm usually gets."""
