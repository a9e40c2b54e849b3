"""Training of a label decoder behind an encoder that stays as it is."""
