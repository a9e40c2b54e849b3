"""Tokens that a model lacks for a language."""

from speech.train.adapters.start import missing_tokens


def test_letters_are_missing_where_the_model_writes_none(tokenizer):
    assert missing_tokens(tokenizer, ["the cat"]) == ()
    assert missing_tokens(tokenizer, ["γάτα", "γάτα και", "the γ"])[:2] == ("γ", "α")
    assert "ψ" not in missing_tokens(tokenizer, ["γάτα", "γάτα", "ψ"])  # once is too rarely
