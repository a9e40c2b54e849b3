"""Layers of Kokoro: text encoders, prosody predictor, and a decoder to samples with a harmonic source."""
