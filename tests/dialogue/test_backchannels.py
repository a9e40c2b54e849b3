"""Acknowledgements are told from what asks for the turn."""

from __future__ import annotations

import pytest

from speech.dialogue.backchannels import _LISTS, MOST_WORDS, is_backchannel, only_listens
from speech.errors import LanguageError
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text

SAID = {
    "eng": [
        "Mhm.",
        "Uh-huh.",
        "yeah",
        "Okay.",
        "Right.",
        "Right, right.",
        "I see.",
        "Yeah, okay.",
        "Mm-hmm",
        "Got it!",
    ],
    "spa": ["Sí.", "si", "Ajá.", "Vale.", "Claro, claro.", "Ya veo.", "De acuerdo."],
    "fra": ["Oui.", "D'accord.", "D’accord.", "Ouais, ouais.", "C'est ça.", "Ah bon.", "Bien sûr !"],
    "ita": ["Sì.", "Certo.", "Va bene.", "Ho capito.", "Sì, sì, certo."],
    "por": ["Sim.", "Pois é.", "Tá bom.", "Isso mesmo.", "É."],
    "deu": ["Ja.", "Genau.", "Ach so.", "Ja, ja.", "Alles klar.", "Jaaaa."],
    "rus": ["Да.", "Понятно."],
    "cmn": ["嗯。", "好的。"],
}
NONE = {
    "eng": ["Yes, but", "stop", "Wait.", "no", "No, okay.", "Okay, stop.", "Right now.", "", "...", "Okay?", "yeah the",
            "Yeah yeah yeah yeah.", "Thank you.", "Help."],
    "spa": ["Sí, pero", "para", "Espera.", "No.", "No, claro.", "¿Sí?"],
    "fra": ["Oui, mais", "Arrête.", "Attends.", "Non.", "D'accord ?"],
    "ita": ["Sì, ma", "Fermati.", "Aspetta.", "No."],
    "por": ["Sim, mas", "Para.", "Espera.", "Não."],
    "deu": ["Ja, aber", "Stopp.", "Warte.", "Nein.", "Moment.", "Ja, nein."],
}  # fmt: skip


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, every in SAID.items() for text in every])
def test_acknowledgements_are_backchannels_in_their_language_and_in_an_unknown_one(code, text):
    assert is_backchannel(text, code)
    assert is_backchannel(text, None)


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, every in NONE.items() for text in every])
def test_what_asks_for_the_turn_is_none_in_any_language(code, text):
    assert not is_backchannel(text, code)
    assert not is_backchannel(text, None)


def test_a_language_knows_its_own_acknowledgements_and_those_that_all_have():
    assert not is_backchannel("Genau.", "eng")
    assert is_backchannel("Okay.", "deu")
    assert is_backchannel("Genau.", "german")
    assert is_backchannel("Genau.", "hun"), "it has no list: all count"
    with pytest.raises(LanguageError, match="klingon"):
        is_backchannel("Ok", "klingon")


def test_long_texts_are_not_looked_at():
    assert not is_backchannel("m" * 100_000, "eng")
    assert is_backchannel("m" * 50, "eng")


@pytest.mark.parametrize("code", _LISTS)
def test_lists_name_known_languages_and_phrases_that_can_be_found(code):
    assert code in LANGUAGES
    entries = _LISTS[code].split("|")
    assert all(is_backchannel(own, code) for own in entries)
    assert all(0 < len(plain_text(own).split()) <= MOST_WORDS for own in entries)


@pytest.mark.parametrize(
    ("text", "confidence", "listens"),
    [
        ("Mhm.", 0.1, True),
        ("Mhm.", 1.0, True),
        ("bale", 0.6, True),
        ("bale", 0.9, False),
        ("Stop!", 0.2, False),
        ("espera", 0.2, False),
        ("bale bale", 0.1, False),
        ("", 0.0, False),
    ],
)
def test_a_doubtful_word_only_listens_unless_it_asks_for_silence(text, confidence, listens):
    assert only_listens(text, None, confidence) == listens
