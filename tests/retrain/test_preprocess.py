"""Features become a matrix, whatever is missing, new, rare or far out."""

import json
from dataclasses import asdict
from itertools import cycle, product

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from monitor.schema import Kind, Schema, Task
from retrain.preparation import Encoding, Missing, Outliers, Preprocessing, Scaling
from retrain.preprocess import RARE_ROWS, QuantileClipper, pipeline
from retrain.training_rows import ISOLATED_SHARE, training_rows

SCHEMA = Schema(
    Task.BINARY,
    {
        "shop": Kind.CATEGORICAL,
        "price": Kind.NUMERIC,
        "empty": Kind.NUMERIC,
        "void": Kind.CATEGORICAL,
    },
    target="sold",
    classes=("0", "1"),
)
N_ROWS = 400
CHOICES = [
    Preprocessing(missing, outliers, scaling, encoding)
    for (missing, outliers, encoding), scaling in zip(
        product(Missing, Outliers, Encoding), cycle([*Scaling, Scaling.NONE]), strict=False
    )
]


@pytest.fixture(autouse=True)
def one_thread():
    """Let a fit of 400 rows not wait for threads on a busy machine, see retrain.candidates."""
    with threadpool_limits(1):
        yield


def frame(price, shop):
    n_rows = len(price)
    return pd.DataFrame(
        {
            "shop": pd.Series(shop, dtype=object),
            "price": np.asarray(price, dtype=np.float64),
            "empty": np.full(n_rows, np.nan),
            "void": pd.Series([None] * n_rows, dtype=object),
        }
    )


@pytest.fixture
def training():
    rng = np.random.default_rng(0)
    price = rng.normal(10, 2, N_ROWS)
    price[::20] = np.nan
    shop = rng.choice(["north", "south", None], N_ROWS)
    shop[:3] = ["rare", "rarer", "rarest"]
    return frame(price, shop), np.where(rng.random(N_ROWS) < 0.5, "0", "1")


def fitted(choice, features, target):
    needs = choice.encoding is Encoding.NATIVE or choice.missing is Missing.KEEP
    kind = HistGradientBoostingClassifier if needs else DecisionTreeClassifier
    kept = training_rows(features, choice, SCHEMA, seed=0)
    model = pipeline(SCHEMA, choice, kind(random_state=0, **({"max_iter": 3} if needs else {})))
    return model.fit(features[kept], target[kept])


def matrix(choice, training, rows):
    return fitted(choice, *training)["prepare"].transform(rows)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "-".join(vars(choice).values()))
def test_every_choice_fits_and_predicts_rows_with_nothing_in_them(choice, training):
    model = fitted(choice, *training)
    found = model.predict_proba(frame([np.nan, 1e30], [None, "new"]))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("encoding", Encoding)
def test_a_missing_level_is_told_from_every_other(encoding, training):
    rows = matrix(
        Preprocessing(encoding=encoding), training, frame([10] * 3, [None, "north", "south"])
    )
    assert len({tuple(np.nan_to_num(row, nan=-9)) for row in rows}) == 3


@pytest.mark.parametrize("encoding", [Encoding.ONE_HOT, Encoding.ORDINAL])
def test_rare_levels_are_one_group(encoding, training):
    rows = matrix(
        Preprocessing(encoding=encoding), training, frame([10] * 3, ["rare", "rarest", "north"])
    )
    assert (rows[0] == rows[1]).all()
    assert (rows[0] != rows[2]).any()


def test_with_one_hot_encoding_an_unseen_level_counts_as_a_rare_one(training):
    rows = matrix(Preprocessing(), training, frame([10] * 2, ["new", "rare"]))
    assert (rows[0] == rows[1]).all()


def test_a_level_is_rare_below_ten_rows(training):
    features, target = training
    features.loc[: RARE_ROWS - 1, "shop"] = "outlet"
    rows = matrix(Preprocessing(), (features, target), frame([10] * 2, ["outlet", "new"]))
    assert (rows[0] != rows[1]).any()


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (Missing.MEAN, np.nanmean),
        (Missing.MEDIAN, np.nanmedian),
        (Missing.INDICATOR, np.nanmedian),
        (Missing.MOST_FREQUENT, lambda price: price.mode()[0]),
        (Missing.CONSTANT, lambda _: 0),
    ],
)
def test_a_missing_number_is_filled_from_the_training_rows(missing, expected, training):
    found = matrix(Preprocessing(missing=missing), training, frame([np.nan], ["north"]))
    assert found[0, 0] == pytest.approx(expected(training[0]["price"]))


def test_missing_numbers_are_kept_for_estimators_that_take_them(training):
    choice = Preprocessing(missing=Missing.KEEP)
    assert np.isnan(matrix(choice, training, frame([np.nan], ["north"]))[0, 0])


def test_rows_with_missing_numbers_are_dropped_from_training_only(training):
    features, _ = training
    choice = Preprocessing(missing=Missing.DROP)
    kept = training_rows(features, choice, SCHEMA, seed=0)
    assert (kept == features["price"].notna()).all()
    assert len(matrix(choice, training, frame([np.nan], [None]))) == 1


def test_rows_far_beyond_the_quartiles_are_dropped_from_training_only():
    price = np.r_[np.linspace(1, 2, 2996), 3.2, 3.6, np.nan, 1e6]
    features = frame(price, ["north"] * 3000)
    choice = Preprocessing(outliers=Outliers.IQR)
    kept = training_rows(features, choice, SCHEMA, seed=0)
    assert np.flatnonzero(~kept).tolist() == [2997, 2999]  # 3 x .5 beyond 1.75 is 3.25 at most
    assert len(matrix(choice, (features, np.arange(3000) % 2), features[~kept])) == 2


def test_where_most_rows_have_one_value_no_other_is_far_out():
    features = frame(np.r_[np.zeros(90), np.arange(1.0, 11)], ["north"] * 100)
    choice = Preprocessing(outliers=Outliers.IQR)
    assert training_rows(features, choice, SCHEMA, seed=0).all()


def test_an_isolation_forest_drops_the_hundredth_part_that_is_most_alone():
    x, y = np.random.default_rng(0).normal(size=(2, 1000))
    x[:5], y[:5] = 6, np.arange(-5, 5, 2)
    schema = Schema(Task.BINARY, dict.fromkeys(["x", "y"], Kind.NUMERIC), "sold")
    choice = Preprocessing(outliers=Outliers.ISOLATION_FOREST)
    features = pd.DataFrame({"x": x, "y": y})
    kept = training_rows(features, choice, schema, seed=0)
    assert not kept[:5].any()
    assert (~kept).mean() == pytest.approx(ISOLATED_SHARE)
    assert (kept == training_rows(features, choice, schema, seed=0)).all()


def test_a_choice_that_drops_nothing_keeps_every_row(training):
    assert training_rows(training[0], Preprocessing(), SCHEMA, seed=0).all()


def test_an_indicator_says_where_a_number_was_missing(training):
    choice = Preprocessing(Missing.INDICATOR)
    rows = frame([np.nan, np.nanmedian(training[0]["price"])], ["north"] * 2)
    found = matrix(choice, training, rows)
    assert found[0, 0] == found[1, 0]
    assert (found[0] != found[1]).sum() == 1
    assert found.shape[1] == matrix(Preprocessing(), training, rows).shape[1] + 2  # empty, too


def test_robust_scaling_has_median_zero_and_interquartile_range_one(training):
    found = matrix(Preprocessing(scaling=Scaling.ROBUST), training, training[0])[:, 0]
    assert np.median(found) == pytest.approx(0, abs=1e-9)
    # Missing numbers became the median, and these were counted.
    assert np.subtract(*np.quantile(found, (0.75, 0.25))) == pytest.approx(1)


def test_a_preparation_survives_json():
    for choice in CHOICES:
        assert Preprocessing.from_document(json.loads(json.dumps(asdict(choice)))) == choice


def test_numbers_are_clipped_to_the_outer_quantiles_of_training():
    values = np.linspace(0, 1000, 1001)[:, None]
    clipper = QuantileClipper().fit(values)
    assert clipper.transform([[-5.0], [500.0], [5000.0]]).ravel().tolist() == [1.0, 500.0, 999.0]


def test_clipping_leaves_missing_numbers_and_empty_columns_alone():
    clipper = QuantileClipper().fit([[np.nan, 1.0], [np.nan, 2.0]])
    found = clipper.transform([[7.0, np.nan]])
    assert found[0, 0] == 7
    assert np.isnan(found[0, 1])


def test_scaled_numbers_have_mean_zero_and_variance_one(training):
    found = matrix(Preprocessing(scaling=Scaling.STANDARD), training, training[0])[:, 0]
    assert (found.mean(), found.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))


def test_native_encoding_tells_the_estimator_which_columns_are_categories(training):
    model = fitted(Preprocessing(Missing.KEEP, encoding=Encoding.NATIVE), *training)
    assert model["model"].is_categorical_.tolist() == [False, False, True, True]


def test_a_schema_of_one_kind_of_feature_is_enough():
    schema = Schema(Task.BINARY, {"price": Kind.NUMERIC}, "sold", classes=("0", "1"))
    for encoding in Encoding:
        estimator = HistGradientBoostingClassifier(max_iter=2)
        model = pipeline(schema, Preprocessing(encoding=encoding), estimator)
        features = pd.DataFrame({"price": np.arange(50.0)})
        assert model.fit(features, np.arange(50) % 2).predict(features).size == 50


@pytest.mark.parametrize("missing", [Missing.MEAN, Missing.INDICATOR, Missing.KEEP])
@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("scaling", [Scaling.STANDARD, Scaling.ROBUST])
def test_a_saved_pipeline_prepares_rows_as_before(missing, scaling, encoding, training):
    choice = Preprocessing(missing, Outliers.CLIP, scaling, encoding)
    prepare = fitted(choice, *training)["prepare"]
    own = ["retrain.preprocess.QuantileClipper", "retrain.preprocess.EmptyColumnFiller"]
    loaded = skops.io.loads(skops.io.dumps(prepare), trusted=["numpy.dtype", *own])
    rows = frame([3.0, np.nan, 99.0], ["north", None, "new"])
    np.testing.assert_array_equal(loaded.transform(rows), prepare.transform(rows))
