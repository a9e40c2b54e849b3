"""Batch transcription: many files on many workers, each file exactly once."""
