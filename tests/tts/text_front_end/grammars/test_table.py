"""Languages with a grammar."""

from speech.tts.text_front_end.grammars.table import GRAMMARS, grammar_of


def test_six_languages_have_a_grammar():
    assert sorted(GRAMMARS) == ["deu", "eng", "fra", "ita", "por", "spa"]
    assert grammar_of("de") is grammar_of("German")
    assert grammar_of("pol") is None
