"""Config file: leeway.yaml, read once; what is wrong with it is said by file and key."""

import os
import re
from collections.abc import Hashable
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from leeway.config import Config, DriftConfig, ModelConfig
from leeway.retrain_config import RetrainConfig
from monitor.checks.methods import METHODS
from monitor.checks.performance import METRICS
from monitor.errors import ConfigError, NotPossibleError

_FEW_TAKE = (
    ("missing", "keep", {"hist_gradient_boosting", "random_forest", "tree"}),
    ("encoding", "native", {"hist_gradient_boosting"}),
)
"""Ways of preparing that only some algorithms can take."""


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that is given twice: plain YAML would forget the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's own
        found = super().construct_mapping(node, deep)
        keys = [self.construct_object(key) for key, _ in node.value]
        for key in found:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(
                    None, None, f"the key {key!r} is given twice", node.start_mark
                )
        return found


def load_config(path: Path) -> Config:
    """Read leeway.yaml; paths in it are relative to it.

    Raises
    ------
    ConfigError
        Naming the file, the path of the key and what was expected.
    """
    name = str(path)
    document = _read(path)
    try:
        config = Config.model_validate(_with_environment(document, name, ""))
    except ValidationError as error:
        raise _config_error(name, error) from error
    for module in config.imports:
        _import(name, module)
    for model, one in config.models.items():
        _check_model(name, model, one)
        if not config.imports:
            _check_methods(name, model, one.drift)
    here = path.resolve().parent
    models = {
        model: one.model_copy(update={"reference": here / one.reference})
        for model, one in config.models.items()
    }
    return config.model_copy(update={"data": here / config.data, "models": models})


def _read(path: Path) -> dict[str, Any]:
    name = str(path)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_OnceLoader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise ConfigError(name, "file", "not found; make one with `leeway init`") from None
    except OSError as error:
        raise ConfigError(name, "file", f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(name, "file", f"not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(name, "file", "expected keys: models, notify, data, tick, url")
    return document


_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def _with_environment(value: Any, file: str, path: str) -> Any:
    """Replace ${NAME} by the environment's value, in every text."""
    if isinstance(value, dict):
        return {k: _with_environment(v, file, f"{path}.{k}".strip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_environment(v, file, f"{path}.{i}") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _VARIABLE.findall(value):
        if name not in os.environ:
            raise ConfigError(file, path, f"the environment has no variable {name}")
    return _VARIABLE.sub(lambda match: os.environ[match[1]], value)


def _config_error(file: str, error: ValidationError) -> ConfigError:
    errors = error.errors()
    # Where a key takes one of two types both complain; the one that came further knows better.
    about = [one for one in errors if _key_path(one).startswith(_key_path(errors[0]))]
    first = max(about, key=lambda one: len(_key_path(one)))
    path = _key_path(first)
    if first["type"] == "extra_forbidden":
        return ConfigError(file, path, "unknown key; is it spelled right, and in the right place?")
    if first["type"] == "missing":
        return ConfigError(file, path, "this key is required")
    found = first.get("input")
    is_value = isinstance(found, str | int | float | bool)
    # An address of a database, or of a webhook, may hold a password.
    is_secret = path == "database" or path.startswith("notify.promoted")
    shown = f" (found {found!r})" if is_value and not is_secret else ""
    return ConfigError(file, path, f"{first['msg'].removeprefix('Value error, ')}{shown}")


def _key_path(error: ErrorDetails) -> str:
    """Return the dotted path of the key, without the types that pydantic puts among them."""
    types = ("literal[", "dict[", "[key]")
    keys = [str(part) for part in error["loc"] if not str(part).startswith(types)]
    return ".".join(keys) or "file"


def _import(file: str, module: str) -> None:
    try:
        import_module(module)
    except Exception as error:
        reason = f"{module} cannot be imported: {error}; is its folder in PYTHONPATH?"
        raise ConfigError(file, "imports", reason) from error


def _check_methods(file: str, name: str, drift: DriftConfig) -> None:
    methods = {} if drift.methods == "evidently" else drift.methods
    for column, method in methods.items():
        if method not in METHODS:
            path = f"models.{name}.drift.methods.{column}"
            known = f"Evidently has no method {method}; it has {', '.join(METHODS)}"
            raise ConfigError(file, path, f"{known}; a module of `imports` may register others")


def _check_preprocess(file: str, name: str, retrain: RetrainConfig) -> None:
    """Refuse a list of ways that a candidate can take none of."""
    for part, way, takers in _FEW_TAKE:
        allowed = set(getattr(retrain.preprocess, part))
        unable = [one for one in retrain.candidates if one not in takers]
        if allowed == {way} and unable:
            path = f"models.{name}.retrain.preprocess.{part}"
            expected = f"{unable[0]} cannot take {way}: allow another way, or remove {unable[0]}"
            raise ConfigError(file, path, f"{expected} from retrain.candidates")


def _check_estimators(file: str, name: str, retrain: RetrainConfig) -> None:
    """Refuse what is no estimator, before a run meets it."""
    if not retrain.estimators:
        return
    from retrain.own_estimator import own_class  # noqa: PLC0415 - loads scikit-learn

    for dotted in retrain.estimators:
        try:
            own_class(dotted)
        except NotPossibleError as error:
            path = f"models.{name}.retrain.estimators"
            expected = f"{error}; expected the dotted name of an installed class"
            raise ConfigError(file, path, expected) from error


def _check_model(file: str, name: str, model: ModelConfig) -> None:
    path = f"models.{name}"
    if not _MODEL_NAME.fullmatch(name):
        raise ConfigError(file, path, "a model's name has letters, digits, _, . and - only")
    _check_preprocess(file, name, model.retrain)
    _check_estimators(file, name, model.retrain)
    metric = model.performance.metric
    if metric is not None and metric not in METRICS:
        raise ConfigError(
            file, f"{path}.performance.metric", f"expected one of {', '.join(METRICS)}"
        )
    if metric is not None and model.task is not None and model.task not in METRICS[metric].tasks:
        fitting = ", ".join(name for name, one in METRICS.items() if model.task in one.tasks)
        raise ConfigError(file, f"{path}.performance.metric", f"{model.task} models have {fitting}")
