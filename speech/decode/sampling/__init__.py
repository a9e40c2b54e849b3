"""Sampling of codes from scores: pure rules, and one sampler per request."""
