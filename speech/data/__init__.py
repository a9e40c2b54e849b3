"""Corpora: manifests, Lhotse cuts and shards, the mix of languages, and batches for training."""
