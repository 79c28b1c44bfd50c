"""SciPy by hand: Evidently's two distances as a careful person would write them with pandas."""

import pandas as pd
from measure import Case, Work, measure
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance


def by_hand(case: Case) -> Work:
    """Compare two frames in memory."""
    reference, current = case.frames()
    numeric = set(case.numeric)
    return Work(
        lambda: {
            name: (distance if name in numeric else divergence)(reference[name], current[name])
            for name in reference.columns
        }
    )


def distance(reference: pd.Series, current: pd.Series) -> float:
    """Return the Wasserstein distance in standard deviations of the reference."""
    before, after = reference.dropna(), current.dropna()
    return wasserstein_distance(before, after) / max(before.std(ddof=0), 0.001)


def divergence(reference: pd.Series, current: pd.Series) -> float:
    """Return the Jensen-Shannon distance of the shares of the levels."""
    before, after = reference.value_counts().align(current.value_counts(), fill_value=0)
    return jensenshannon(before / before.sum(), after / after.sum())


if __name__ == "__main__":
    measure({"scipy": by_hand})
