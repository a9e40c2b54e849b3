"""Layers of speech language models: causal transformers over time and over the codebooks of a frame."""
