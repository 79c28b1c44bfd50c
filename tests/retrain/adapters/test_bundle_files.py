"""Bundles on disk: real files, a really trained model."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from monitor.errors import BundleRefusedError
from retrain.adapters.bundle_files import (
    MODEL_FILE,
    RECORD_FILE,
    load_bundle,
    load_model,
    load_reference,
    save_bundle,
)
from retrain.calibrated import Calibrated
from retrain.serving import Served


class Foreign(LogisticRegression):
    """A type that nobody has allowed."""


@pytest.fixture
def bundle(app):
    """The bundle of a trained version."""
    return app.deployment.registry.load("late", 1)


def predictions(bundle, frame):
    return Served(1, bundle).predict(pa.Table.from_pandas(frame)).to_pylist()


def flat(columns):
    """Return prepared columns as values that compare."""
    return {
        name: {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(one).items()}
        for name, one in columns.items()
    }


def sampled(sample):
    """Return a sample as values that compare."""
    arrays = (sample.features, sample.outcomes.predictions, sample.outcomes.labels, sample.windows)
    return sample.levels, [one.tolist() for one in arrays]


def spread(profile):
    """Return a profile as values that compare."""
    return profile.starts, profile.n_rows.tolist(), flat(profile.columns)


def test_a_bundle_comes_back_with_equal_predictions_and_an_equal_reference(
    bundle, tmp_path, made_up
):
    digest = save_bundle(bundle, tmp_path / "1")
    loaded = load_bundle(tmp_path / "1", digest)
    assert predictions(loaded, made_up(0)) == predictions(bundle, made_up(0))
    for reference in (loaded.reference, load_reference(tmp_path / "1", digest)):
        assert flat(reference.columns) == flat(bundle.reference.columns)
        assert sampled(reference.sample) == sampled(bundle.reference.sample)
        assert spread(reference.stretches()) == spread(bundle.reference.stretches())
        rest = [
            replace(one, columns={}, sample=None, stretches=None)
            for one in (reference, bundle.reference)
        ]
        assert rest[0] == rest[1]
    kept = ("model", "recipe", "gate", "lineage")
    assert [getattr(loaded, name) for name in kept] == [getattr(bundle, name) for name in kept]


def test_calibrated_probabilities_come_back_as_they_were(bundle, tmp_path, made_up):
    pipeline = clone(bundle.pipeline)
    pipeline.steps = [*bundle.pipeline.steps[:-1], ("model", Calibrated(bundle.pipeline[-1], 0.5))]
    digest = save_bundle(replace(bundle, pipeline=pipeline), tmp_path / "1")
    made = predictions(load_bundle(tmp_path / "1", digest), made_up(0))
    assert made == predictions(replace(bundle, pipeline=pipeline), made_up(0))
    assert made != predictions(bundle, made_up(0))


def test_the_reference_is_mapped_and_not_read_into_memory(bundle, tmp_path):
    digest = save_bundle(bundle, tmp_path / "1")
    columns = load_reference(tmp_path / "1", digest).columns
    assert isinstance(columns["x"].values.base, np.memmap)
    assert isinstance(columns["g"].counts.base, np.memmap)


def test_any_altered_file_is_refused_by_its_name(bundle, tmp_path):
    digest = save_bundle(bundle, tmp_path / "1")
    for path in sorted((tmp_path / "1").iterdir()):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(BundleRefusedError, match=f"{path.name} is not the file"):
            load_bundle(tmp_path / "1", digest)
        path.write_bytes(content)
    assert load_bundle(tmp_path / "1", digest).model == "late"


def test_a_missing_file_is_refused_and_says_what_to_do(bundle, tmp_path):
    digest = save_bundle(bundle, tmp_path / "1")
    (tmp_path / "1" / MODEL_FILE).unlink()
    with pytest.raises(BundleRefusedError, match="missing; restore it from a backup or roll back"):
        load_bundle(tmp_path / "1", digest)


def test_a_model_with_a_type_that_is_not_allowed_is_refused(bundle, tmp_path):
    pipeline = Foreign().fit([[0.0], [1.0]], [0, 1])
    digest = save_bundle(replace(bundle, pipeline=pipeline), tmp_path / "1")
    with pytest.raises(BundleRefusedError, match="Foreign"):
        load_bundle(tmp_path / "1", digest)


def test_a_pickle_is_refused_and_never_run(tmp_path):
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (trap.touch, ())

    path = tmp_path / MODEL_FILE
    for content in (pickle.dumps(Trap()), pickle.dumps(LogisticRegression())):
        path.write_bytes(content)
        with pytest.raises(BundleRefusedError, match="not a skops model file"):
            load_model(path)
    assert not trap.exists()


def test_a_function_of_the_system_is_refused(tmp_path):
    skops.io.dump({"run": print}, tmp_path / MODEL_FILE)
    with pytest.raises(BundleRefusedError, match="print"):
        load_model(tmp_path / MODEL_FILE)


def test_a_bundle_that_cannot_be_written_leaves_nothing_behind(bundle, tmp_path):
    with pytest.raises(TypeError):
        save_bundle(replace(bundle, recipe={**bundle.recipe, "odd": object()}), tmp_path / "1")
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


def test_a_bundle_without_a_model_comes_back_without_one(bundle, tmp_path):
    digest = save_bundle(replace(bundle, pipeline=None, recipe={}), tmp_path / "1")
    assert load_bundle(tmp_path / "1", digest).pipeline is None
    assert RECORD_FILE in {path.name for path in (tmp_path / "1").iterdir()}
    assert MODEL_FILE not in {path.name for path in (tmp_path / "1").iterdir()}
