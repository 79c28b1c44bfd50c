"""Comparison: two tables held against each other; no server, no store, no configuration."""
