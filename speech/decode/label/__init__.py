"""Autoregressive decoding: search with a label decoder, scored jointly with CTC."""
