"""Many files on many workers, each exactly once."""
