"""A model from elsewhere becomes a version and serves; a file that could do harm is refused."""

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from leeway.console import register_file
from leeway.policies import retrained
from monitor.errors import BundleRefusedError, NotFoundError
from retrain.adapters.labelled_rows import labelled_reference
from retrain.foreign import foreign_version

FEATURES = ["x", "y", "g"]


def fitted(frame, labels=None):
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["g"]), remainder="passthrough"
    )
    labels = frame["late"].astype(str) if labels is None else labels
    return make_pipeline(columns, LogisticRegression()).fit(frame[FEATURES], labels)


@pytest.fixture
def file(home):
    """Where the model is saved."""
    return home.folder / "elsewhere.skops"


@pytest.fixture
def register(home, file, monkeypatch):
    """Register the file, as the command does."""
    monkeypatch.setenv("LEEWAY_CLOCK_FILE", str(home.folder / "clock"))
    return lambda: register_file(home.config, "late", file, "from the other team")


@pytest.mark.parametrize("kind", [str, int, float, bool])
def test_a_model_from_elsewhere_is_registered_promoted_and_serves(home, file, made_up, kind):
    frame = made_up(-2, 2)
    model = fitted(frame, frame["late"].astype(kind))
    skops.io.dump(model, file)
    done = home.cli("register", "late", str(file), "--why", "from the other team")
    assert (done.returncode, done.stdout.strip()) == (
        0,
        "version 2; let it serve with: leeway promote late 2",
    )
    with home.opened() as app:
        app.deployment.registry.promote("late", 2, app.clock.now(), "it is better")
        served = app.serving.champion("late")
        assert served.version == 2
        made = served.predict(pa.Table.from_pandas(frame[FEATURES])).to_numpy()
        assert made == pytest.approx(model.predict_proba(frame[FEATURES])[:, 1])
        bundle, first = (app.deployment.registry.load("late", n) for n in (2, 1))
        assert bundle.lineage.reason == "from the other team (elsewhere.skops)"
        assert bundle.reference.performance == first.reference.performance
        assert bundle.reference.columns["prediction"].n_rows == 1120
        app.live(0)
        (judged,) = app.deployment.watcher().check("late")
        assert judged.verdict.checks["performance"] in ("OK", "WARNING", "BREACH")
        assert app.deployment.registry.roll_back("late", app.clock.now(), "by hand") == 1


def test_a_rollback_brings_the_reference_back_that_drift_is_told_from(home, made_up, week_start):
    other = made_up(-4, 4).assign(x=lambda rows: rows["x"] + 5)
    with home.opened() as app:
        deployment = app.deployment
        one, schema = deployment.config.models["late"], deployment.schema("late")
        bundle = foreign_version(
            fitted(other),
            labelled_reference(pa.Table.from_pandas(other, preserve_index=False), schema),
            retrained("late", one, schema),
            before=deployment.champion("late").reference,
            why="for other customers",
        )
        deployment.registry.register(bundle, app.clock.now())
        deployment.registry.promote("late", 2, app.clock.now(), "other customers have come")

        assert drift_of_x(app, made_up(0), week_start(1)) < 0.5
        deployment.registry.roll_back("late", app.clock.now(), "they have left")
        assert drift_of_x(app, made_up(1), week_start(2)) > 3


def drift_of_x(app, week, end):
    """Live through a week of other customers, and return how far their x is from the reference."""
    app.clock.set(end)
    app.predict(week.assign(x=week["x"] + 5).drop(columns="late"), f"until {end}")
    (judged,) = app.deployment.watcher().check("late")
    (found,) = (
        score.value
        for score in judged.verdict.scores
        if (score.check, score.column, score.method) == ("drift", "x", "wasserstein")
    )
    return found


def shout(frame):
    return frame


def test_a_file_with_a_function_of_its_own_is_refused_by_name(home, file, made_up, register):
    frame = made_up(-1)
    model = make_pipeline(FunctionTransformer(shout), fitted(frame))
    skops.io.dump(model, file)
    with pytest.raises(BundleRefusedError, match="shout"):
        register()
    assert versions(home) == [1]


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("harm was done",))


@pytest.mark.parametrize("content", [pickle.dumps(Harm()), b"", b"PK no archive"], ids=len)
def test_a_pickle_and_what_is_no_model_are_refused_and_never_run(
    home, file, content, register, capfd
):
    file.write_bytes(content)
    with pytest.raises(BundleRefusedError, match="is not a skops model file"):
        register()
    assert "harm was done" not in capfd.readouterr().out
    assert versions(home) == [1]


def test_a_model_that_cannot_predict_the_reference_is_refused_with_the_reason(
    home, file, made_up, register
):
    frame = made_up(-1)
    skops.io.dump(fitted(frame, np.where(frame["late"] == 1, "yes", "no")), file)
    with pytest.raises(BundleRefusedError, match="it knows the classes no and yes, and not '1'"):
        register()
    skops.io.dump(LogisticRegression().fit(pd.DataFrame({"z": [0.0, 1.0]}), ["0", "1"]), file)
    with pytest.raises(BundleRefusedError, match="cannot predict the reference of 'late'"):
        register()
    assert versions(home) == [1]


def test_a_file_that_is_not_there_is_said_so(register):
    with pytest.raises(NotFoundError, match=r"elsewhere\.skops"):
        register()


def versions(home):
    with home.opened() as app:
        return [one.number for one in app.deployment.registry.versions("late")]
