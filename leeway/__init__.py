"""Leeway: drift monitoring and retraining for deployed models."""
