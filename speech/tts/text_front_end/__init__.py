"""Written text to the words that are spoken, sentence by sentence."""
