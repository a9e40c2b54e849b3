"""Audio input, features, voice activity detection and augmentation."""

SAMPLE_RATE = 16_000
"""Sample rate in Hz of all audio that `speech.audio.input` returns."""
