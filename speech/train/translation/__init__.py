"""Training of EMMA's policy for simultaneous translation, with a label decoder."""
