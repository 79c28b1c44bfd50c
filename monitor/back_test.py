"""Back-test: how far estimates were off where the labels are known."""

from dataclasses import dataclass

import numpy as np

LEAST_WINDOWS = 8
"""With fewer back-tested windows nobody knows how far off an estimate may be."""

MOST_SCALE = 2.0
"""Bands that have to be wider than this many times say that what the estimate assumes does not
hold from one reference window to the next."""


@dataclass(frozen=True)
class BackTest:
    """Estimates of reference windows, each from the others, beside what was measured.

    Parameters
    ----------
    metric : str
        The metric.
    errors : tuple of float
        |estimate - measured| of each window, in half widths of its 95 % band: beyond 1 it is
        outside.
    n_windows : int
        Reference windows.
    why_not : str
        Why a window could not be estimated, where one could not; or why none was.
    classes_alone : BackTest or None
        The same without the chances of several classes, for windows that come without them; None
        where the reference has no chances, or the metric needs them.
    """

    metric: str
    errors: tuple[float, ...]
    n_windows: int
    why_not: str = ""
    classes_alone: "BackTest | None" = None

    @property
    def scale(self) -> float:
        """How many times wider bands have to be to hold 95 % of the windows, at least 1.

        Examples
        --------
        >>> BackTest("mae", (0.2, 0.4, 1.5), 3).scale
        1.42
        """
        return max(1.0, round(float(np.quantile([1.0, *self.errors], 0.95)), 2))

    def against(self, metric: str) -> str:
        """Say why a metric is not estimated; empty where nothing is against it.

        Examples
        --------
        >>> BackTest("mae", (0.2,) * 9, 9).against("mae")
        ''
        >>> BackTest("mae", (0.2,) * 3, 3).against("mae")
        'the reference has 3 windows, 8 are needed to back-test an estimate'
        """
        if metric != self.metric:
            return f"this version's reference was back-tested for {self.metric}, not for {metric}"
        if self.n_windows < LEAST_WINDOWS:
            return (
                f"the reference has {self.n_windows} windows, {LEAST_WINDOWS} are needed to "
                "back-test an estimate"
            )
        if len(self.errors) < LEAST_WINDOWS:
            why = f": {self.why_not}" if self.why_not else ""
            return (
                f"fewer than {LEAST_WINDOWS} of {self.n_windows} reference windows could be "
                f"back-tested{why}"
            )
        if self.scale > MOST_SCALE:
            return (
                f"the back-test left its band: on {len(self.errors)} reference windows estimates "
                f"were up to {max(self.errors):.1f} times as far off as chance explains"
            )
        return ""
