"""Decoding: text, timestamps and languages from frame log-probabilities, independent of any model."""
