"""Grafana dashboards as code.

`python -m dashboards.grafana` writes `grafana/dashboards/*.json`, which are committed. Needs the
extra ``dev`` (grafana-foundation-sdk); what ships and is copied by `leeway grafana export` is the
JSON alone.
"""
