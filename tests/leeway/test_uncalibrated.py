"""A model whose reference has too few windows for an alert budget says so wherever it is looked at."""

import math
import re

import pytest

WHY = "uncalibrated: the reference has 4 windows, 8 are needed"
TOLD = (
    "Uncalibrated: the reference has 4 windows, 8 are needed. So Evidently's thresholds judge drift"
)


def metrics(text: str) -> list[float]:
    """Return whether the model is calibrated, and how many reference windows it has."""
    found = (
        re.search(rf'^leeway_{name}\{{model="late"\}} (\S+)$', text, re.MULTILINE)
        for name in ("calibrated", "reference_windows")
    )
    return [float(one[1]) for one in found if one is not None]


def page_of(http) -> str:
    """Return what is written on the model's page."""
    text = re.sub(r"<[^>]+>", "", http.get("/models/late").text)
    return " ".join(text.replace("&#39;", "'").split())


def test_it_is_said_before_any_window_has_ended(home):
    with home.opened() as app, app.http() as http:
        assert http.get("/v1/models/late").json()["uncalibrated"] == WHY
        assert TOLD in page_of(http)
        assert metrics(http.get("/metrics").text) == [0, 4]
    for command in (["status"], ["why", "late"]):
        said = home.cli(*command)
        assert said.returncode == 0, said.stderr
        assert TOLD in said.stdout


def test_a_judged_window_says_who_judged_its_drift(home):
    with home.opened() as app, app.http() as http:
        app.live(0)
        assert http.post("/v1/models/late/checks").status_code == 200
        (window,) = http.get("/v1/models/late/windows").json()
        scores = http.get(f"/v1/models/late/windows/{window['id']}").json()["scores"]
        (one,) = (s for s in scores if s["method"] == "calibrated")
        assert (one["column"], one["score"], one["detail"]) == (None, None, WHY)
        shown = http.get(f"/models/late/windows/{window['id']}").text
        assert f"compared; {WHY}, so Evidently's thresholds judge" in " ".join(shown.split())


def test_shorter_windows_mend_it(home):
    home.configure("every: P7D", "every: P1D")
    with home.opened() as app, app.http() as http:
        assert http.get("/v1/models/late").json()["uncalibrated"] is None
        assert "ncalibrated" not in page_of(http)
        assert metrics(http.get("/metrics").text) == [1, 28]
    assert "ncalibrated" not in home.cli("status").stdout


@pytest.mark.parametrize("by_hand", ["alert_budget: off", "share_drifted: 0.4"])
def test_nothing_is_said_of_a_model_whose_limits_a_person_has_set(home, by_hand):
    home.configure("window: {every: P7D}", f"window: {{every: P7D}}\n    drift: {{{by_hand}}}")
    with home.opened() as app, app.http() as http:
        assert http.get("/v1/models/late").json()["uncalibrated"] is None
        assert "ncalibrated" not in page_of(http)
        is_calibrated, n_windows = metrics(http.get("/metrics").text)
        assert (math.isnan(is_calibrated), n_windows) == (True, 4)


def test_a_model_that_leeway_yaml_does_not_name_any_more_still_has_its_page(home):
    home.configure("  late:\n", "  other:\n")
    with home.opened() as app, app.http() as http:
        assert "ncalibrated" not in page_of(http)
        assert http.get("/v1/models/late").json()["uncalibrated"] is None
        assert "late" in home.cli("status").stdout
