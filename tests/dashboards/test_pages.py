"""What the pages say, on a real database filled by real cycles."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import text

from monitor.change import Change
from monitor.checks.score import BreachWhen, Check, Score
from monitor.checks.slow_fall import METHOD as SLOW_FALL
from monitor.checks.unlabelled import BLIND
from retrain.record import Outcome, RequestKind

FLIGHTS = "flights_late"
HOSTILE = "<script>alert(\"x\")</script> & 'co'"


def cells(html: str) -> list[str]:
    return re.findall(r'<rect class="cell (\w+)" x="[\d.]+" y="[\d.]+" width="8.0"', html)


def test_the_timeline_has_one_titled_cell_a_window(deployed):
    deployed.year(FLIGHTS)
    page = deployed.show("/").text
    found = cells(page)
    assert len(found) == 44
    assert {status: found.count(status) for status in found} == {
        "OK": 36,
        "WARNING": 3,
        "BREACH": 4,
        "NO_DATA": 1,
    }
    titles = re.findall(r'tabindex="-1" aria-label="(.*?)"', page)
    window = deployed.recorded()[18]
    expected = f"2013-05-13 to 2013-05-20 UTC: BREACH, 480 rows, version 5; {window['sentence']}"
    assert unescape(titles[18]) == expected


def test_statuses_differ_in_shape_and_not_only_in_colour(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0)
    deployed.judge(FLIGHTS, 1, drifted=["hour"])
    deployed.judge(FLIGHTS, 2, missing=["hour"])
    page = deployed.show("/").text
    heights = dict(re.findall(r'<rect class="cell (\w+)" .*? width="8.0" height="([\d.]+)"', page))
    assert len(set(heights.values())) == 3


def test_the_chart_draws_the_metric_with_its_reference_and_marks_promotions(deployed):
    deployed.year(FLIGHTS)
    page = deployed.show("/").text
    assert page.count('class="reference" x1="0"') == 1
    path = re.search(r'<path class="metric" d="(.*?)"', page)[1]
    # 44 windows, of which the one with too few rows has its metric all the same.
    assert len(re.findall("[ML]", path)) == 44
    assert "version 7 serves from 2013-06-03 on" in page
    assert "0.703 reference" in page


def test_without_labels_the_page_says_that_performance_is_not_known(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0)
    page = deployed.show("/").text
    assert "performance is not known; send labels to POST /v1/models/flights_late/labels" in page
    assert 'class="metric"' not in page


def test_500_windows_are_all_on_the_models_page_and_the_newest_52_on_the_first(deployed):
    deployed.year(FLIGHTS, 500)
    assert len(cells(deployed.show("/").text)) == 52
    assert "The newest 52 of 500 windows" in deployed.said()
    assert len(cells(deployed.show("/models/flights_late").text)) == 500


def test_decisions_are_told_with_their_reasons_and_what_came_of_them(deployed):
    deployed.year(FLIGHTS, 21)
    said = deployed.said()
    why = deployed.recorded()[20]["sentence"]
    assert (
        f"Retrain, performance breach: {why}. Promoted version 7: +0.031 ROC AUC on 952 rows"
        in said
    )
    assert "Refused: no better than the champion: +0.002 ROC AUC." in said


def test_a_decision_of_an_earlier_revision_is_not_lost_with_late_labels(deployed):
    deployed.year(FLIGHTS, 18)
    key = deployed.judge(FLIGHTS, 18, drifted=["temp", "dewp", "humid"])
    why = deployed.recorded()[18]["sentence"]
    deployed.retrain(FLIGHTS, datetime(2013, 5, 21, tzinfo=UTC), Outcome.PROMOTED, "better")
    deployed.judge(FLIGHTS, 18, drifted=["temp", "dewp", "humid"], auc=0.7, revision=2)
    expected = f"Retrain, drift breach: {why}."
    assert f"{expected} Promoted version 6: better." in deployed.said()
    assert deployed.lead(f"/models/flights_late/windows/{key}").startswith(expected)


def test_models_that_need_someone_come_first(deployed):
    for name in "abcdefgh":
        deployed.model(name)
        deployed.judge(name, 0, drifted=["temp", "dewp", "humid"] * (name == "g"))
    page = deployed.show("/").text
    assert re.findall(r'<h2><a href="/models/(\w)"', page) == list("gabcdefh")
    assert "8 models, 1 needs a look" in deployed.said()


def test_the_models_page_shows_alerts_runs_versions_and_how_to_undo(deployed):
    deployed.year(FLIGHTS, 21)
    said = deployed.said("/models/flights_late")
    assert "performance 2013-05-20T00:00:00Z 2013-05-27 07:00 roc_auc" in said
    assert "promoted, version 7" in said
    assert "7 champion" in said
    assert said.count("champion 2013") == 1
    assert "leeway rollback flights_late" in said
    assert "curl -X POST http://testserver/v1/models/flights_late/rollback" in said


def test_with_one_version_there_is_nothing_to_undo(deployed):
    deployed.model(FLIGHTS)
    assert "Nothing to undo" in deployed.show("/models/flights_late").text


def test_the_windows_page_shows_scores_thresholds_diagnosis_decision_and_reason(deployed):
    deployed.model(FLIGHTS)
    key = deployed.judge(FLIGHTS, 0, drifted=["temp", "dewp", "humid"], auc=0.69)
    said = deployed.said(f"/models/flights_late/windows/{key}")
    assert "temp wasserstein 0.310 above 0.100 480 with 4,000 BREACH" in said
    assert "hour wasserstein 0.020 above 0.100 480 with 4,000 OK" in said
    assert "ROC AUC 0.690 ± 0.006 below 0.673 0.703 470 with 4,000 OK" in said
    assert "covariate drift: the inputs have moved" in said
    assert f"Held, too few new labels: {deployed.recorded()[0]['sentence']}." in said


@pytest.mark.parametrize(
    ("z", "said"),
    [
        (5.0, "concept drift: the relation of inputs and outcome has changed, though performance"),
        (0.4, "none: nothing stands out Changeof -0.070 ROC AUC against the reference -0.010"),
    ],
)
def test_the_windows_page_takes_the_change_of_performance_apart(deployed, z, said):
    deployed.model(FLIGHTS)
    change = Change("roc_auc", 0.0, -0.01, -0.06, z, 0.015)
    key = deployed.judge(FLIGHTS, 0, auc=0.69, change=change)
    assert said in deployed.said(f"/models/flights_late/windows/{key}")


def test_the_runs_page_shows_what_the_declared_segments_say(deployed):
    deployed.year(FLIGHTS, 21)
    said = deployed.said("/models/flights_late/runs/1")
    assert "carrier is UA 240 -0.0031 ± 0.004 0.220" in said
    assert "none is surely harmed; 1 tested" in said
    assert "at least +0.0097 with a confidence of 99.72 % (one-sided): sure enough" in said
    assert "tail (names the row)" in said


def test_the_windows_page_shows_every_revision_the_newest_first(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0)
    key = deployed.judge(FLIGHTS, 0, auc=0.61, revision=2)
    said = deployed.said(f"/models/flights_late/windows/{key}")
    assert "2 2013-01-14 08:00 BREACH 480 470" in said
    assert said.index("2 2013-01-14 08:00 BREACH") < said.index("1 2013-01-14 07:00 OK")


def test_a_window_links_to_its_neighbours(deployed):
    deployed.model(FLIGHTS)
    keys = [deployed.judge(FLIGHTS, number) for number in range(3)]
    page = deployed.show(f"/models/flights_late/windows/{keys[1]}").text
    assert f'href="/models/flights_late/windows/{keys[0]}" rel="prev"' in page
    assert f'href="/models/flights_late/windows/{keys[2]}" rel="next"' in page


def test_row_windows_have_a_page_too(deployed):
    deployed.model(FLIGHTS)
    key = deployed.judge(FLIGHTS, 1, by_rows=True)
    said = deployed.said(f"/models/flights_late/windows/{key}")
    assert "Window rows from 500, 2013-01-14 to 2013-01-21" in said


def test_each_cell_leads_to_a_page(deployed):
    deployed.year(FLIGHTS, 3)
    links = re.findall(r'<a href="(/models/[^"]+/windows/[^"]+)" tabindex', deployed.show("/").text)
    assert [deployed.show(link).status_code for link in links] == [200, 200, 200]


@pytest.mark.parametrize("path", ["/models/nobody", "/models/nobody/windows/x"])
def test_an_unknown_model_is_a_problem_document(deployed, path):
    answer = deployed.show(path)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "there is no model 'nobody'"


def test_an_unknown_window_is_a_problem_document(deployed):
    deployed.model(FLIGHTS)
    answer = deployed.show("/models/flights_late/windows/2013-01-01")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture
def hostile(deployed):
    """Put markup wherever a user's text can reach: names, columns, reasons, errors."""
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, auc=0.5, drifted=[HOSTILE, "temp", "dewp", "humid"])
    deployed.judge(FLIGHTS, 1, failure=HOSTILE, missing=[HOSTILE])
    at = datetime(2013, 1, 22, tzinfo=UTC)
    if not deployed.runs.open_requests(FLIGHTS):
        deployed.runs.ask(FLIGHTS, RequestKind.RETRAIN, "by hand", HOSTILE, at)
    deployed.retrain(FLIGHTS, at, Outcome.FAILED, HOSTILE)
    deployed.version(FLIGHTS, at, HOSTILE)
    deployed.store.fail(FLIGHTS, HOSTILE, at)
    deployed.store.register(HOSTILE, at)
    with deployed.engine.begin() as connection:
        connection.execute(text("UPDATE windows SET key = :name || key"), {"name": "<b>&"})
        connection.execute(
            text("UPDATE revisions SET window_key = :name || window_key"), {"name": "<b>&"}
        )
    return deployed


def pages(deployed) -> list[str]:
    paths = ["/", "/models/flights_late"]
    paths += [f"/models/flights_late/windows/{w['id']}" for w in deployed.recorded()]
    paths += [f"/models/flights_late/runs/{run['id']}" for run in deployed.runs.runs(FLIGHTS)]
    answers = [deployed.show(path.replace("<b>&", "%3Cb%3E%26")) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    return [answer.text for answer in answers]


def test_everything_a_user_gives_is_escaped(hostile):
    for page in pages(hostile):
        assert "&lt;script&gt;" in page
        assert "<script" not in page
        assert "<b>" not in page


@pytest.mark.parametrize("n_weeks", [0, 1, 44])
def test_html_is_well_formed(deployed, n_weeks):
    deployed.year(FLIGHTS, n_weeks)
    for page in pages(deployed):
        root = ET.fromstring(page)
        assert root.tag == "html"
        assert root.get("lang") == "en"
        assert len(root.findall(".//h1")) == 1


def test_hostile_text_leaves_html_well_formed(hostile):
    for page in pages(hostile):
        ET.fromstring(page)


def test_nothing_is_fetched_from_elsewhere_and_nothing_runs(deployed):
    deployed.year(FLIGHTS, 3)
    for page in pages(deployed):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
        assert "<script" not in page
    policy = deployed.show("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_every_page_says_that_times_are_utc(deployed):
    deployed.year(FLIGHTS, 1)
    assert all("All times are UTC." in page for page in pages(deployed))


def test_a_wall_may_ask_for_reloading(deployed):
    assert 'http-equiv="refresh" content="60"' in deployed.show("/?refresh=60").text
    assert "http-equiv" not in deployed.show("/").text
    assert deployed.show("/?refresh=0").status_code == 422


def test_the_pages_are_not_in_the_api_description(deployed):
    assert deployed.app().openapi()["paths"] == {}


def test_estimates_are_shown_with_their_record_their_reason_and_what_they_cannot_see(deployed):
    model = deployed.model("flights_late")
    told = Score(
        Check.ESTIMATE, None, "roc_auc", 0.7, 0.66, BreachWhen.BELOW, 470, 480,
        standard_error=0.01, reference_value=0.703, detail=BLIND,
    )  # fmt: skip
    deployed.judge(model, 0, auc=0.71, more=[told])
    key = deployed.judge(model, 1, more=[told])
    said = deployed.said(f"/models/{model}")
    assert "The newest window: estimated ROC AUC 0.700, 95 % band 0.680 to 0.720." in said
    assert "In 1 window with an estimate and labels it was off by 0.010 on average" in said
    assert "they cannot see concept drift" in said
    assert "it cannot see concept drift" in deployed.said(f"/models/{model}/windows/{key}")
    reason = "not estimated: 80% of the rows are of a kind that the reference hardly has"
    deployed.judge(model, 2, more=[replace(told, value=None, standard_error=None, detail=reason)])
    assert f"The newest window: {reason}." in deployed.said(f"/models/{model}").replace(" %", "%")


TOLD = Score(Check.ESTIMATE, None, "roc_auc", 0.695, 0.66, BreachWhen.BELOW, 4000, 480)
TOGETHER = Score(Check.MULTIVARIATE, None, "domain_classifier", 0.6, 0.55, BreachWhen.ABOVE, 9, 9)
ADDED = Score(Check.PERFORMANCE, None, SLOW_FALL, 2.5, 4.5, BreachWhen.ABOVE, 8, 3)


def test_what_was_estimated_is_drawn_beside_what_was_measured_and_says_what_it_cannot_see(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, auc=0.70, more=[replace(TOLD, standard_error=0.01)])
    page = deployed.show("/models/flights_late").text
    drawing = page[page.index('<div class="chart') : page.index("</figcaption>")]
    assert drawing.count('class="band"') == drawing.count('class="whiskers"') == 1
    assert "they cannot see concept drift" in drawing
    assert "In 1 window with an estimate and labels it was off by 0.005" in deployed.said(
        "/models/flights_late"
    )


def test_without_an_estimate_no_band_is_drawn_nor_spoken_of(deployed):
    deployed.model(FLIGHTS)
    deployed.judge(FLIGHTS, 0, auc=0.70, more=[replace(TOLD, value=None)])
    page = deployed.show("/models/flights_late").text
    drawing = page[page.index('<div class="chart') : page.index("</figcaption>")]
    assert 'class="band"' not in drawing
    assert "concept drift" not in drawing


def test_performance_is_called_provisional_until_it_is_final(deployed):
    deployed.model(FLIGHTS)
    key = deployed.judge(FLIGHTS, 0, auc=0.70, n_labels=240)
    assert "0.700 provisional" in deployed.said("/models/flights_late")
    assert 'class="early"' in deployed.show("/models/flights_late").text
    assert "performance is provisional" in deployed.said(f"/models/flights_late/windows/{key}")
    deployed.judge(FLIGHTS, 0, auc=0.70, revision=2)
    assert "0.700 provisional" not in deployed.said("/models/flights_late")
    assert "performance is final" in deployed.said(f"/models/flights_late/windows/{key}")
    assert "final, 95 % band 0.688 to 0.712" in deployed.show("/models/flights_late").text


def test_the_models_page_shows_what_no_single_column_or_window_shows(deployed):
    deployed.model(FLIGHTS)
    key = deployed.judge(FLIGHTS, 0, auc=0.70, more=[TOGETHER, ADDED])
    said = deployed.said("/models/flights_late")
    assert "by what comes together with a ROC AUC of 0.600, its limit 0.550" in said
    assert "Slow fall: the control chart stands at 2.5 of 4.5" in said
    assert "slow fall: control chart 2.5" in deployed.said(f"/models/flights_late/windows/{key}")
