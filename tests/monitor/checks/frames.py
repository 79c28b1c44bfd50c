"""Made-up frames of two sides, of every kind of column that pandas and Arrow both know."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from monitor.schema import Kind

COMPARED = NUM, CAT = Kind.NUMERIC, Kind.CATEGORICAL
EXACT_INTEGER = 2**53
"""The whole numbers up to here are floats, too."""


@dataclass(frozen=True)
class Frame:
    """The same columns on two sides, in pandas."""

    kinds: dict[str, Kind]
    reference: pd.DataFrame
    current: pd.DataFrame

    def only(self, names):
        kinds = {name: self.kinds[name] for name in names}
        return Frame(kinds, self.reference[list(names)], self.current[list(names)])

    def pair(self, name):
        return self.reference[name], self.current[name]


def frame_of(*columns: object):
    """Put columns together, each (kind, reference, current); they are named a, b, c and so on."""
    kinds, *sides = zip(*columns, strict=True)
    names = "abcdef"[: len(kinds)]
    made = ({n: pd.Series(v) for n, v in zip(names, side, strict=True)} for side in sides)
    return Frame(dict(zip(names, kinds, strict=True)), *map(pd.DataFrame, made))


PLAIN_NUMBERS = (
    *("float64", "float64", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)
NUMBERS = (*PLAIN_NUMBERS, "float32", "Float64", "Int64", "decimal", "bool", "boolean")
LEVELS = {
    "text": ("object", "string", "str", "category"),
    "truth": ("bool", "boolean"),
    "number": ("int64", "int8", "uint16", "Int64", "float64", "float64", "category of numbers"),
    "decimal": ("decimal",),
    "time": ("datetime64[us]",),
    "date": ("date",),
}
PLAIN_LEVELS = {"text": ("object", "str"), "truth": ("bool",)}
TYPES_THAT_DIFFER = (("int64", "bool"), ("str", "Int64"), ("boolean", "object"), ("float64", "str"))

small = st.integers(1, 80)
few = st.sampled_from([0, 1, 2, 5, 20, 21])
thousand = st.sampled_from([990, 1000, 1001, 1002, 1300])
thousands = st.sampled_from([1500, 3000, 5000])
small_sizes = st.one_of(st.tuples(small, small), small.map(lambda n: (n, n)))
sizes = st.one_of(
    small_sizes,
    st.tuples(small, few),
    st.tuples(few, small),
    st.tuples(thousand, small),
    st.tuples(thousand, thousand),
    st.tuples(small, thousands),
    st.tuples(thousands, small),
)
ordinary = st.one_of(
    st.integers(-4, 4).map(float),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 9)),
    st.sampled_from([0.0, -0.0, 0.1, 0.3]),
)
extreme = ordinary | st.floats(-1e6, 1e6) | st.sampled_from([1e300, -1e300, 1e-310, 5e-324])
odd_names = st.sampled_from(["", "true", "1", "1.0", "nan", "None", "NULL", "\xe9", "e\u0301"])
level_names = st.lists(
    st.text("ab1 .", min_size=1, max_size=4) | odd_names, min_size=1, max_size=12, unique=True
)
seeds = st.integers(0, 2**16)
gap_shares = st.sampled_from([*[0.0] * 8, 0.005, 0.2, 0.2, 0.9, 1.0])


@st.composite
def frames(draw):
    """Frames of 1 to 6 columns of any kind, for the methods taken by default."""
    n_rows = draw(sizes)
    in_words = (NUM, pd.Series(np.arange(n_rows[0])), pd.Series(["many"] * n_rows[1]))
    column = st.sampled_from(
        [
            *[numeric_columns(n_rows, NUMBERS), numeric_columns(n_rows, PLAIN_NUMBERS)] * 4,
            *[level_columns(n_rows, LEVELS)] * 4,
            *[level_columns(n_rows, {"text": LEVELS["text"]})] * 4,
            *[levels_of_types(n_rows, types) for types in TYPES_THAT_DIFFER],
            st.just(in_words),
        ]
    )
    return frame_of(*(draw(draw(column)) for _ in range(draw(st.integers(1, 6)))))


@st.composite
def plain_frames(draw):
    """Frames of 1 to 4 columns of moderate values, for any method."""
    n_rows = draw(small_sizes)
    kinds = draw(st.lists(st.sampled_from(COMPARED), min_size=1, max_size=4))
    return frame_of(*(draw(plain_columns(kind, n_rows, ordinary)) for kind in kinds))


def plain_columns(kind, n_rows, values=extreme):
    """Columns for any method: some of Evidently's cannot read pandas' nullable types.

    No levels that are numbers: z puts the first level apart, which by name is another one.
    """
    if kind is NUM:
        return numeric_columns(n_rows, PLAIN_NUMBERS, values)
    return level_columns(n_rows, PLAIN_LEVELS)


@st.composite
def numeric_columns(draw, n_rows, types, values=extreme):
    rng = np.random.default_rng(draw(seeds))
    make = draw(st.sampled_from([picked, normal, normal, counted]))(draw, rng, values)
    types = draw(types_of_both_sides(types))
    sides = (with_gaps(draw, rng, make(n, is_current)) for is_current, n in enumerate(n_rows))
    return NUM, *(as_numbers(side, dtype) for side, dtype in zip(sides, types, strict=True))


def types_of_both_sides(types):
    one = st.sampled_from(types)
    return st.one_of(one.map(lambda dtype: (dtype, dtype)), st.tuples(one, one))


def picked(draw, rng, values):
    """A few values: ties everywhere, and some that only one side has."""
    shown = shown_on_each_side(draw, draw(st.lists(values, min_size=1, max_size=30)))
    return lambda n, is_current: rng.choice(shown[is_current], n)


def shown_on_each_side(draw, values):
    first, last = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    return values[: len(values) - last] or values, values[first:] or values


def normal(draw, rng, _values):
    scale = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    shift = draw(st.sampled_from([0.0, 0.0, 0.1, 0.5, 3.0])) * scale
    decimals = draw(st.sampled_from([1, 2, 16]))
    return lambda n, is_current: np.round(rng.normal(shift * is_current, scale, n), decimals)


def counted(draw, rng, _values):
    """Whole numbers, about as many as decide on the method and on binning."""
    n_distinct = draw(st.sampled_from([1, 2, 3, 5, 6, 20, 21, 22, 100]))
    shift = draw(st.sampled_from([0, 0, 1, 3]))
    return lambda n, is_current: rng.integers(0, n_distinct, n) + float(shift * is_current)


def with_gaps(draw, rng, values):
    values = np.where(rng.random(values.size) < draw(gap_shares), np.nan, values)
    if values.size > 1 and draw(st.integers(0, 3)) == 3:
        # Never ±inf where nothing is missing: there Evidently contradicts itself (test_oracle).
        values[rng.integers(0, values.size, 3)] = draw(st.sampled_from([np.inf, -np.inf]))
        values[rng.integers(0, values.size)] = np.nan
    return values


def as_numbers(values, dtype):
    missing = ~np.isfinite(values)
    finite = np.where(missing, 0.0, values)
    if dtype == "float64":
        return pd.Series(values)
    if dtype == "float32":
        return pd.Series(np.where(missing, values, np.clip(finite, -1e38, 1e38)).astype(dtype))
    if dtype == "Float64":
        return pd.Series(pd.arrays.FloatingArray(finite, missing))
    if dtype == "decimal":
        hundredths = scaled(map(str, np.clip(finite, -1e9, 1e9)), 2)
        return pd.Series(none_where(missing, hundredths), dtype=object)
    if dtype in LEVELS["truth"]:
        truth = finite > 0
        return pd.Series(truth if dtype == "bool" else pd.arrays.BooleanArray(truth, missing))
    limits = np.iinfo(dtype.lower())
    low, high = max(limits.min, -EXACT_INTEGER), min(limits.max, EXACT_INTEGER)
    whole = np.clip(np.round(finite), low, high).astype(dtype.lower())
    return pd.Series(whole if dtype != "Int64" else pd.arrays.IntegerArray(whole, missing))


def scaled(texts, n_decimals):
    return [Decimal(text).quantize(Decimal(1).scaleb(-n_decimals)) for text in texts]


def none_where(missing, values):
    return [None if gone else value for gone, value in zip(missing, values, strict=True)]


@st.composite
def level_columns(draw, n_rows, families):
    family = families[draw(st.sampled_from(sorted(families)))]
    return draw(levels_of_types(n_rows, draw(types_of_both_sides(family))))


@st.composite
def levels_of_types(draw, n_rows, types):
    rng = np.random.default_rng(draw(seeds))
    names = draw(level_names)
    codes = shown_on_each_side(draw, list(range(len(names))))
    fraction = draw(st.sampled_from([0, 0.1, 0.5])) if set(types) == {"float64"} else 0
    sides = []
    for n, shown, dtype in zip(n_rows, codes, types, strict=True):
        chosen = rng.choice(shown, n, p=rng.dirichlet(np.ones(len(shown))))
        missing = rng.random(n) < draw(gap_shares)
        sides.append(as_levels(chosen, missing, dtype, names, fraction))
    return CAT, *sides


def as_levels(codes, missing, dtype, names, fraction):
    day = pd.Timestamp("2024-02-27")
    meant = {
        **dict.fromkeys(LEVELS["text"], names.__getitem__),
        **dict.fromkeys(LEVELS["truth"], lambda code: code % 2 == 0),
        "decimal": lambda code: scaled([int(code) / 4], 2)[0],
        "datetime64[us]": lambda code: day + pd.Timedelta(int(code) * 9, "h"),
        "date": lambda code: (day + pd.Timedelta(int(code), "D")).date(),
    }.get(dtype, lambda code: int(code) * 7 % 13 + fraction)
    if dtype in ("bool", "int64", "int8", "uint16"):  # they hold no missing value
        missing = np.zeros(codes.size, dtype=bool)
    in_pandas = {"decimal": object, "date": object, "category of numbers": "category"}
    values = none_where(missing, map(meant, codes))
    return pd.Series(values, dtype=in_pandas.get(dtype, dtype))
