"""Two files of one model have one content, whoever wrote them; another model has another."""

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from retrain.adapters.bundle_files import dump_model
from retrain.adapters.model_content import content_sha256

MODELS = [
    LogisticRegression(),
    HistGradientBoostingClassifier(max_iter=5, random_state=0),
    RandomForestClassifier(5, random_state=0),
    MLPClassifier(4, max_iter=500, early_stopping=True, random_state=0),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_the_same_fit_has_the_same_content_and_another_has_another(model):
    rows = np.random.default_rng(0).normal(size=(300, 3))
    target = (rows.sum(axis=1) > 0).astype(int)
    first = dump_model(model.fit(rows, target))
    apart = [np.empty(8) for _ in range(100)]  # so that what follows lies elsewhere
    second = dump_model(type(model)(**model.get_params()).fit(rows, target))
    assert first != second
    assert content_sha256(first) == content_sha256(second)
    assert content_sha256(skops.io.dumps(model)) == content_sha256(first)  # however compressed
    other = dump_model(model.fit(rows[len(apart) :], target[len(apart) :]))
    assert content_sha256(other) != content_sha256(first)
