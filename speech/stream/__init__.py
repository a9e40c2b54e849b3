"""Drives models over time: long audio in windows, files in batches."""
