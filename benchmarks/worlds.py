"""Worlds: how the means of features move from window to window, and how features are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

N_FEATURES = 30

WOBBLE = np.linspace(0.0, 0.1, N_FEATURES)
"""How much each feature's mean moves from window to window, in its standard deviations."""


@dataclass(frozen=True)
class Readings:
    """The steps in which a feature is read."""

    step: float

    @property
    def values(self) -> np.ndarray:
        """The readings there can be, shape (n_levels,)."""
        return np.arange(-round(6 / self.step), round(6 / self.step) + 1) * self.step

    def draw(self, means: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
        """Draw how often each reading comes, shape (n_features, n_windows, n_levels)."""
        inner = self.values[:-1] + self.step / 2
        edges = np.concatenate([[-np.inf], inner, [np.inf]])
        shares = np.diff(ndtr(edges - means[..., None]), axis=-1)
        return rng.multinomial(n_rows, shares / shares.sum(axis=-1, keepdims=True))


World = Callable[[int, float, np.random.Generator], np.ndarray]
"""Means of the features, shape (n_features, n_windows): windows, weeks a window, random numbers."""


def iid(n_windows: int, weeks: float, rng: np.random.Generator) -> np.ndarray:
    """Nothing moves."""
    del weeks, rng
    return np.zeros((N_FEATURES, n_windows))


def wobble(n_windows: int, weeks: float, rng: np.random.Generator) -> np.ndarray:
    """Each window's mean is drawn anew."""
    del weeks
    return WOBBLE[:, None] * rng.normal(size=(N_FEATURES, n_windows))


def autoregressive(n_windows: int, weeks: float, rng: np.random.Generator) -> np.ndarray:
    """Half of a window's deviation stays in the next."""
    del weeks
    fresh = rng.normal(size=(N_FEATURES, n_windows))
    found = fresh.copy()
    for at in range(1, n_windows):
        found[:, at] = 0.5 * found[:, at - 1] + np.sqrt(0.75) * fresh[:, at]
    return WOBBLE[:, None] * found


def season(n_windows: int, weeks: float, rng: np.random.Generator) -> np.ndarray:
    """A wave of 13 weeks, for each feature from another point."""
    phase = rng.uniform(size=(N_FEATURES, 1)) + np.arange(n_windows) * weeks / 13
    return WOBBLE[:, None] * np.sqrt(2) * np.sin(2 * np.pi * phase)


WORLDS: Mapping[str, World] = {
    "iid": iid,
    "wobble 0-.1 sd": wobble,
    "wobble AR(.5)": autoregressive,
    "13-week season": season,
}
