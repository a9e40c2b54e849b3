"""Reads text, times and languages off the stream of frames. Knows log-probabilities, never a model."""
