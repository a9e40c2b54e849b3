"""Spoken dialogue: turns, answers, and what of them is heard. No sockets, no clock, no threads but those of answers."""
