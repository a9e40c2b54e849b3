"""Files and bytes to samples, samples to features."""

SAMPLE_RATE = 16_000
"""Hz, of all samples behind `speech.audio.input`."""
