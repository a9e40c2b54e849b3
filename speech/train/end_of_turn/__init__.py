"""Training of the model that says whether a turn is over."""
