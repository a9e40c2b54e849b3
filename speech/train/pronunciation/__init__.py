"""Training of pronunciation models."""
