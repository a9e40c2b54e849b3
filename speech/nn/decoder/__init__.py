"""Autoregressive label decoders with cross-attention to an encoder's frames."""
