"""IPA to symbols: ties, languages, marks of another language."""

from __future__ import annotations

import pytest

from speech.tts.pronunciation.ipa import symbols_of_ipa


@pytest.mark.parametrize(
    ("ipa", "language", "expected"),
    [
        ("t^ʃˈa^ɪ d^ʒˈo^ʊ", "eng", "ʧˈI ʤˈO"),
        ("t^sˈyːɡə mˈʏnçən", "deu", "ʦˈyːɡə mˈynçən"),
        ("bɔ̃ʒˈuʁ", "fra", "bɔ̃ʒˈuʁ"),
        ("(en)wˈiːkɛnd(fr) la", "fra", "wˈiːkɛnd la"),
        ("ʦˈeː(^e^n)sˈɜːvə(^d^e)", "deu", "ʦˈeːsˈɜːvə"),
        ("  a \n b-c\n", "spa", "a bc"),
        ("ɾ", "deu", "ʁ"),
        ("ɾ", "spa", "ɾ"),
        ("", "eng", ""),
    ],
)
def test_symbols(ipa, language, expected):
    assert symbols_of_ipa(ipa, language) == expected
