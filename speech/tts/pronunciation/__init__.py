"""Spoken words to phonemes."""
