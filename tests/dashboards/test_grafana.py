"""The Grafana dashboards: what is committed, and the rules of grafana/dashboard-linter."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.__main__ import boards, rendered
from dashboards.grafana.link import Uid
from dashboards.grafana.status import status_mappings
from monitor.checks.score import Status
from tests.query import FOLDER, panels_of

ROOT = Path(__file__).parents[2]
BOARDS = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


PANELS = [
    pytest.param(panel, id=f"{uid}: {panel['title']}")
    for uid, board in BOARDS.items()
    for panel in panels_of(board)
]
EXPRESSIONS = [
    pytest.param(target["expr"], id=f"{uid}: {panel['title']} {target['refId']}")
    for uid, board in BOARDS.items()
    for panel in panels_of(board)
    for target in panel["targets"]
]

each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
each_panel = pytest.mark.parametrize("panel", PANELS)
each_expression = pytest.mark.parametrize("expression", EXPRESSIONS)


@pytest.mark.parametrize("board", boards(), ids=lambda board: board.uid)
def test_what_is_committed_is_what_the_code_gives(board):
    file = FOLDER / f"{board.uid}.json"
    assert file.read_text() == rendered(board), "run python -m dashboards.grafana"


def test_there_is_a_file_for_each_dashboard_and_no_other():
    assert set(BOARDS) == set(Uid) == {board["uid"] for board in BOARDS.values()}


def in_sight(node):
    """Leave out what the SDK adds to links and annotations; see dashboards.grafana.__main__."""
    if isinstance(node, list):
        return [in_sight(one) for one in node]
    if isinstance(node, dict):
        hiding = ("placement", "inControlsMenu")
        return {k: in_sight(v) for k, v in node.items() if (k, v) != hiding}
    return node


@each_board
def test_the_sdk_reads_every_option_of_a_dashboard_and_loses_none(board):
    register_default_plugins()
    read = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert in_sight(read) == board


@each_board
def test_a_dashboard_has_a_title_a_description_a_tag_and_cannot_be_changed_by_accident(board):
    assert board["title"].startswith("Leeway / ")
    assert board["description"]
    assert board["tags"] == ["leeway"]
    assert board["editable"] is False
    assert (board["timezone"], board["refresh"]) == ("browser", "30s")


@each_board
def test_the_data_source_is_chosen_and_never_ours(board):
    first = board["templating"]["list"][0]
    assert (first["name"], first["type"], first["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert all(found == SOURCE for found in sources_in(board))


def sources_in(node):
    if isinstance(node, list):
        for one in node:
            yield from sources_in(one)
    elif isinstance(node, dict):
        yield from [node["datasource"]] if "datasource" in node else []
        for one in node.values():
            yield from sources_in(one)


@each_board
def test_variables_are_labelled_described_and_asked_anew_when_the_time_range_changes(board):
    for variable in board["templating"]["list"]:
        assert variable["label"], variable["name"]
        assert variable["description"], variable["name"]
        if variable["type"] == "query":
            assert variable["refresh"] == 2, variable["name"]
            assert variable["query"]["query"] == variable["definition"]


@each_board
def test_every_variable_is_used_and_every_variable_that_is_used_is_there(board):
    text = json.dumps({key: board[key] for key in ("panels", "annotations", "links")})
    lists = json.dumps([one.get("query") for one in board["templating"]["list"]])
    used = set(re.findall(r"\$\{?([a-z]\w*)", text + lists))
    assert used == {one["name"] for one in board["templating"]["list"]}


@each_board
def test_panels_have_numbers_of_their_own(board):
    rows = [panel for panel in board["panels"] if panel["type"] == "row"]
    numbers = Counter(panel["id"] for panel in [*rows, *panels_of(board)])
    assert max(numbers.values()) == 1


@each_board
def test_panels_neither_overlap_nor_leave_the_grid_nor_are_too_narrow_to_read(board):
    places = [panel["gridPos"] for panel in board["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24
        assert place["w"] >= 4
    for a, b in combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


@each_board
def test_no_line_of_panels_leaves_a_hole(board):
    widths = Counter()
    for panel in board["panels"]:
        widths[panel["gridPos"]["y"]] += panel["gridPos"]["w"]
    assert set(widths.values()) == {24}


@each_board
def test_nothing_is_hidden_in_a_menu(board):
    assert "inControlsMenu" not in json.dumps(board)


@each_board
def test_annotations_say_what_happened_to_which_model(board):
    marks = board["annotations"]["list"]
    if board["uid"] in (Uid.MODEL, Uid.RETRAINING):
        assert [one["name"] for one in marks] == [
            "Incidents",
            "Retrain runs",
            "Promotions",
            "Rollbacks",
        ]
    for mark in marks:
        assert mark["titleFormat"].startswith("{{model}}: ")
        assert mark["enable"]


def test_where_an_estimate_is_shown_it_is_said_what_it_cannot_see():
    panels = [panel for board in BOARDS.values() for panel in panels_of(board)]
    shown = [one for one in panels if "Estimated:" in one["description"]]
    assert len(shown) == 2
    assert all("cannot see concept drift" in one["description"] for one in shown)


@each_panel
def test_a_panel_has_a_title_and_a_description_that_explains_it(panel):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert len(panel["description"].split()) >= 4
    assert "leeway_" not in panel["description"]


@each_panel
def test_a_panel_has_queries_a_unit_and_a_source(panel):
    unit = panel["fieldConfig"]["defaults"].get("unit") or panel["options"]["yAxis"]["unit"]
    assert unit
    assert panel["targets"]
    assert [t["refId"] for t in panel["targets"]] == list("ABCDEFGHIJKLMN"[: len(panel["targets"])])
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])


@each_panel
def test_a_panel_leads_on_to_another_dashboard_or_to_leeway(panel):
    links = panel["links"] + panel["fieldConfig"]["defaults"].get("links", [])
    assert links
    for link in links:
        assert link["url"].startswith(("/d/leeway-", "${leeway:raw}/"))


@each_panel
def test_a_panel_over_time_names_what_it_shows(panel):
    if panel["type"] in ("timeseries", "state-timeline"):
        assert all(target["legendFormat"] for target in panel["targets"])


@each_panel
def test_a_panel_without_data_says_so_instead_of_a_number(panel):
    if panel["type"] != "heatmap":
        assert panel["fieldConfig"]["defaults"]["noValue"]


@each_panel
def test_a_limit_of_leeway_is_never_written_into_a_panel(panel):
    """A colour may change at 1 (one is too many, or a ratio to the limit), and nowhere else."""
    everything = [panel["fieldConfig"]["defaults"]] + [
        {"thresholds": p["value"]}
        for one in panel["fieldConfig"]["overrides"]
        for p in one["properties"]
        if p["id"] == "thresholds"
    ]
    steps = [s["value"] for one in everything for s in one.get("thresholds", {}).get("steps", [])]
    graded = {0.5, 2} if any("drift_threshold" in t["expr"] for t in panel["targets"]) else set()
    assert set(steps) <= {None, 1} | graded


@each_expression
def test_a_query_is_about_one_deployment(expression):
    for matchers in re.findall(r"\{(.*?)\}(?!\()", expression.replace("${job}", "$job")):
        assert re.search(r'job(=|=~)"\$job', matchers), matchers


@each_expression
def test_a_rate_is_taken_over_grafanas_interval_or_the_whole_range(expression):
    for function, over in re.findall(r"(rate|increase)\(\w+\{[^}]*\}\[(.*?)\]", expression):
        assert over in ("$__rate_interval", "$__range"), (function, expression)


@each_expression
def test_a_counter_is_never_shown_as_it_is(expression):
    plain = expression.replace("${job}", "$job")
    for counter in re.finditer(r"(\w+)\(\w+_(total|bucket|count|sum)\{", plain):
        assert counter[1] in ("rate", "increase"), expression
    assert not re.search(r"(^|[^(\w])\w+_(total|bucket)\{", plain), expression


@each_expression
def test_numbers_of_a_model_are_never_summed_over_servers(expression):
    """What is rendered from the database is the same everywhere: only `max` takes it once."""
    per_process = (
        r"process_|predict_duration|http_request|rows_dropped|^\(?(count|sum)?\(?up|scrape_duration"
    )
    if re.search(r"leeway_(?!worker)", expression) and not re.search(per_process, expression):
        plain = expression.replace("${job}", "$job")
        for found in re.finditer(
            r"(\w+)( by \([\w, ]+\))? \(+(?:increase\(|rate\()?leeway_", plain
        ):
            assert found[1] in ("max", "count", "timestamp", "and", "or", "unless"), expression


def test_statuses_have_the_words_and_the_numbers_of_leeway():
    shown = {code: result.text for code, result in status_mappings()[0].options.items()}
    assert shown == {str(s.code): s.replace("_", " ") for s in Status}


def test_each_metric_of_a_dashboard_is_documented():
    documented = set(re.findall(r"`(leeway_\w+)`", (ROOT / "docs" / "metrics.md").read_text()))
    text = "".join(file.read_text() for file in FOLDER.glob("*.json"))
    used = set(re.findall(r"leeway_\w+", text))
    of_histograms = {re.sub(r"_(bucket|count|sum)$", "", name) for name in used}
    of_the_worker = {name for name in of_histograms if name.startswith("leeway_worker_process")}
    assert of_histograms - of_the_worker - documented == set()
