"""Layers of audio codecs: causal convolutions, quantisers, and decoders from frames to samples."""
