"""Tokens of texts and frames."""

import pytest

from speech.errors import DataError, LanguageError
from speech.text.speech_vocabulary import SpeechVocabulary, TextUnit


def test_bytes_say_any_text():
    vocabulary = SpeechVocabulary.of(TextUnit.bytes, ["eng", "deu", "eng"], ["ignored"], frames=10)
    assert vocabulary.languages == ("deu", "eng")
    assert vocabulary.symbols == ()
    assert vocabulary.encode("aé", "eng") == [0, 4, 5 + 0x61, 5 + 0xC3, 5 + 0xA9, 1]
    assert vocabulary.encode("", "deu") == [0, 3, 1]
    assert vocabulary.layout == (5 + 256 + 10, 5 + 256, 10, 2)


def test_symbols_are_the_characters_of_the_texts():
    vocabulary = SpeechVocabulary.of(TextUnit.symbols, [], ["həˈloʊ", "lə"], frames=1)
    assert "".join(vocabulary.symbols) == "".join(sorted("həˈloʊ"))
    ids = vocabulary.encode("lə")
    assert (ids[0], ids[-1]) == (vocabulary.text, vocabulary.speech)
    assert [vocabulary.symbols[number - 3] for number in ids[1:-1]] == ["l", "ə"]
    assert vocabulary.layout == (3 + 6 + 1, 3 + 6, 1, 2)


def test_tokens_of_all_kinds_are_apart():
    vocabulary = SpeechVocabulary.of(TextUnit.symbols, ["eng"], ["abc"], frames=4)
    ids = vocabulary.encode("abc", "eng")
    assert len({*ids, vocabulary.end, *range(vocabulary.layout.first_frame, vocabulary.layout.size)}) == len(ids) + 5


def test_what_cannot_be_said_is_named():
    vocabulary = SpeechVocabulary.of(TextUnit.symbols, ["eng"], ["abc"], frames=1)
    with pytest.raises(DataError, match=r"no symbol for 'x' \(U\+0078\) '\\u200b' \(U\+200B\)\. Leave it out"):
        vocabulary.encode("ax\u200bx", "eng")
    with pytest.raises(LanguageError, match=r"does not speak 'deu'\. It speaks: eng"):
        vocabulary.encode("a", "deu")
    with pytest.raises(LanguageError, match="does not speak ''"):
        vocabulary.encode("a")
