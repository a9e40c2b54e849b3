"""Layers of published Fish-Speech models that differ from those of `speech.nn.codec` and `speech.nn.speech_lm`."""
