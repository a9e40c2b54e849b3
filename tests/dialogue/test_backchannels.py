"""Acknowledgements are told from what asks for the turn."""

from __future__ import annotations

import math

import pytest

from speech.dialogue.backchannels import (
    _DEMANDS,
    _LISTS,
    MOST_WORDS,
    asks_for_turn,
    is_backchannel,
    only_listens,
)
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
    ("text", "confidence", "seconds", "listens"),
    [
        ("Mhm.", 0.1, 0.4, True),
        ("Mhm.", 1.0, 0.4, True),
        ("bale", 0.6, 0.4, True),
        ("bale", 0.89, 0.4, True),
        ("bale", 0.9, 0.4, False),
        ("seven", 0.79, 0.4, True),
        ("seven", 0.8, 0.4, False),
        ("e mai machemem", 0.8, 0.9, True),
        ("e mai machemem", 0.9, 0.9, False),
        ("MMMM", 0.9, 0.4, True),
        ("ah wa", 0.9, 2.0, True),
        ("bale bale", 0.1, 0.6, True),
        ("bale bale", 0.7, 0.6, False),
        ("bale bale", 0.1, 0.8, False),
        ("bale bale", 0.1, math.inf, False),
        ("the old man sleeps", 0.1, 0.6, False),
        ("bale?", 0.1, 0.4, False),
        ("", 0.0, 0.0, False),
    ],
)
def test_doubtful_words_only_listen_if_they_are_short(text, confidence, seconds, listens):
    assert only_listens(text, None, confidence, seconds) == listens


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Stop!", "eng"), ("no", "eng"), ("Wait.", "eng"), ("Hold on.", "eng"), ("espera", "spa"), ("Alto.", "spa"),
        ("¡No!", "spa"), ("Nein.", "deu"), ("Moment.", "deu"), ("Moment mal", "deu"), ("Arrête", "fra"), ("non", "fra"),
        ("stop", "deu"), ("Aspetta", "ita"), ("bardon", "fra"), ("стоп", "rus"), ("nein", "hun"), ("espera", None),
    ],
)  # fmt: skip
def test_whoever_asks_for_the_turn_gets_it_however_doubtful_the_word(text, code):
    assert not only_listens(text, code, 0.01, 0.3)


@pytest.mark.parametrize("code", _DEMANDS)
def test_words_that_ask_for_the_turn_are_single_ones_and_no_backchannels(code):
    assert code in LANGUAGES
    for own in _DEMANDS[code].split("|"):
        assert asks_for_turn(plain_text(own).split(), code)
        assert not is_backchannel(own, code)
