"""Turns of a dialogue: whose it is, and whether it is over."""
