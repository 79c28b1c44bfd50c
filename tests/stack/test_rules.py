"""The rules, the runbooks and Alertmanager's routes, by Prometheus' own tools."""

import re
from pathlib import Path

import pytest
import typer.main
import yaml

from leeway.cli import app

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
TESTS = sorted((Path(__file__).parent / "rules").glob("*_test.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
HEADINGS = ["## What it means", "## What Leeway has done", "## What to do"]
SEVERITIES = ("critical", "warning", "info")


def rules():
    return [
        rule
        for file in RULES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def test_promtool_accepts_the_rules_and_the_configuration(promtool, run_tool, tmp_path):
    checked = run_tool(promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    for job in config["scrape_configs"]:  # the secret is not here, and promtool looks for it
        job.pop("authorization", None)
    config["rule_files"] = [str(file) for file in RULES]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    checked = run_tool(promtool, "check", "config", str(tmp_path / "prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_rule_does_what_its_unit_tests_say(promtool, run_tool):
    tested = run_tool(promtool, "test", "rules", *map(str, TESTS))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_rule_has_a_unit_test_in_which_it_speaks():
    tests = [one for file in TESTS for one in yaml.safe_load(file.read_text())["tests"]]
    spoke = {
        one["alertname"]
        for test in tests
        for one in test.get("alert_rule_test", [])
        if one["exp_alerts"]
    }
    assert spoke == {rule["alert"] for rule in alerts()}
    queried = " ".join(one["expr"] for test in tests for one in test.get("promql_expr_test", []))
    for rule in rules():
        assert rule.get("record", "") in queried


def test_every_metric_in_a_rule_is_exported(prometheus):
    exported = set(prometheus.get_names()) | {
        rule["record"] for rule in rules() if "record" in rule
    }
    for rule in rules():
        texts = [rule["expr"], *rule.get("annotations", {}).values()]
        used = set(re.findall(r"\b(?:\w+:)?leeway_\w+(?::\w+)?", " ".join(texts)))
        assert used <= exported, rule


def test_no_rule_writes_a_limit_that_leeway_decides():
    for rule in rules():
        limited = re.findall(
            r"leeway_(?:drift|performance|missing|unseen)\w*\S*\s*[<>]=?\s*[\d.]+", rule["expr"]
        )
        assert limited == [], rule


def test_every_alert_says_how_bad_it_is_what_happened_and_where_to_read_on():
    for rule in alerts():
        assert rule["labels"]["severity"] in SEVERITIES
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        # Leeway shows the page itself, unless it is down.
        page = f"}}/runbooks/{rule['alert']}"
        if rule["alert"] == "LeewayDown":
            page = f"docs/runbooks/{rule['alert']}.md"
        assert rule["annotations"]["runbook_url"].endswith(page)


def test_a_breach_fires_at_once_because_the_verdict_has_the_patience():
    judged = ("leeway_alert_status", "leeway_check_status")
    breaches = [rule for rule in alerts() if any(one in rule["expr"] for one in judged)]
    assert len(breaches) >= 5
    assert {rule["for"] for rule in breaches} == {"0s"}


def test_every_alert_has_a_runbook_with_the_same_headings_and_a_command():
    for rule in alerts():
        page = (RUNBOOKS / f"{rule['alert']}.md").read_text()
        assert page.startswith(f"# {rule['alert']}\n")
        assert [line for line in page.splitlines() if line.startswith("## ")] == HEADINGS
        assert "```bash" in page or "`leeway " in page


def test_every_runbook_belongs_to_an_alert_and_is_listed():
    names = {rule["alert"] for rule in alerts()}
    assert {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"} == names
    listed = re.findall(
        r"^\| \[(\w+)\]\((\w+)\.md\) ", (RUNBOOKS / "README.md").read_text(), re.MULTILINE
    )
    assert listed == [(name, name) for name in sorted(names)]


def test_the_commands_in_the_runbooks_exist():
    known = set(typer.main.get_command(app).commands)
    for file in RUNBOOKS.glob("*.md"):
        commands = re.findall(r"(?:^ *|`)leeway (\w+)", file.read_text(), re.MULTILINE)
        assert set(commands) <= known, file.name


def test_amtool_accepts_the_configuration_and_its_templates(amtool, run_tool):
    checked = run_tool(amtool, "check-config", str(FOLDER / "alertmanager.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 templates" in checked.stdout


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "urgent"), ("warning", "people"), ("info", "news")]
)
def test_alerts_go_where_their_severity_belongs(amtool, run_tool, severity, receiver):
    config = f"--config.file={FOLDER / 'alertmanager.yml'}"
    for rule in alerts():
        if rule["labels"]["severity"] == severity:
            labels = (f"severity={severity}", f"alertname={rule['alert']}", "model=late")
            routed = run_tool(
                amtool,
                "config",
                "routes",
                "test",
                config,
                f"--verify.receivers={receiver}",
                *labels,
            )
            assert routed.returncode == 0, routed.stdout + routed.stderr


def test_inhibitions_name_alerts_that_exist():
    names = {rule["alert"] for rule in alerts()}
    config = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())
    for rule in config["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            for pattern in re.findall(r'alertname\W+"(.+)"', matcher):
                for alternative in pattern.split("|"):
                    assert any(re.fullmatch(alternative, name) for name in names), matcher
