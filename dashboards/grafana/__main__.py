"""Writes grafana/dashboards/*.json."""

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.fleet import fleet
from dashboards.grafana.model import model
from dashboards.grafana.retraining import retraining
from dashboards.grafana.service import service

FOLDER = Path(__file__).parents[2] / "grafana" / "dashboards"


def boards() -> list[Dashboard]:
    """Return every dashboard."""
    return [fleet(), model(), retraining(), service()]


def rendered(board: Dashboard) -> str:
    """Return a dashboard as it is committed."""
    document = json.loads(json.dumps(board, cls=JSONEncoder))
    return json.dumps(_in_sight(document), indent=2, ensure_ascii=False) + "\n"


def _in_sight(node: Any) -> Any:
    """Leave out what the SDK puts on every link and annotation: it would hide them in a menu."""
    if isinstance(node, list):
        return [_in_sight(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {k: v for k, v in node.items() if (k, v) != ("placement", "inControlsMenu")}
    return {key: _in_sight(value) for key, value in kept.items()}


def main() -> None:
    """Write every dashboard."""
    for board in boards():
        (FOLDER / f"{board.uid}.json").write_text(rendered(board), encoding="utf-8")


if __name__ == "__main__":
    main()
