"""Decoding label by label: a search with a label decoder, and CTC as its judge."""
