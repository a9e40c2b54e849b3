"""Layers. They know tensors and chunk specifications, nothing of audio files, text or configuration."""
