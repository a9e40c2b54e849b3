"""Label-synchronous decoding: the next token from those before it."""
