"""Backtest: one history, replayed under several policies before a model goes live."""
