"""Training of the audio watermark."""
