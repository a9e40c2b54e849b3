"""Languages, vocabularies, tokenizers, normalisation."""
