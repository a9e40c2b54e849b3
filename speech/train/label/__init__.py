"""Training of a label decoder behind a frozen encoder."""
