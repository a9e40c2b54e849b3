"""Decoders that write label by label, attending to an encoder's frames."""
