"""Corpora: manifests, Lhotse cuts and shards, language mixing, and batches for training."""
