"""Dialogues: a person speaks, is answered aloud, and may interrupt."""
