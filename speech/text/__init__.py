"""Languages, vocabularies, tokenizers and text normalisation."""
