"""Metrics: error rates, meaning, translation, latency, and their confidence intervals."""
