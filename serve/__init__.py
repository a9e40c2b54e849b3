"""Live and HTTP serving of `speech` models."""
