"""Layers of audio watermarks: a generator that marks samples, and a detector that finds the mark and its bits."""
