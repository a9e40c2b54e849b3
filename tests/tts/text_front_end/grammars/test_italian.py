"""Italian: what is written and how it is said."""

import pytest

from speech.tts.text_front_end.grammars.italian import Italian
from speech.tts.text_front_end.normalise import normalise

CASES = [
    ("1 ora", "un'ora"),
    ("1 libro", "un libro"),
    ("1 zaino", "uno zaino"),
    ("1 studente", "uno studente"),
    ("1 casa", "una casa"),
    ("1 amica", "un'amica"),
    ("1 problema", "un problema"),
    ("21 anni", "ventuno anni"),
    ("23 persone", "ventitré persone"),
    ("28 giorni", "ventotto giorni"),
    ("1.234", "milleduecentotrentaquattro"),
    ("2.000 euro", "duemila euro"),
    ("1.000.000 di abitanti", "un milione di abitanti"),
    ("3,14", "tre virgola quattordici"),
    ("0,05", "zero virgola zero cinque"),
    ("-5 gradi", "meno cinque gradi"),
    ("il 50%", "il cinquanta per cento"),
    ("nel 1984", "nel millenovecentottantaquattro"),
    ("il 1° maggio", "il primo maggio"),
    ("il 2 giugno 1946", "il due giugno millenovecentoquarantasei"),
    ("4/7/2024", "quattro luglio duemilaventiquattro"),
    ("2024-07-04", "quattro luglio duemilaventiquattro"),
    ("maggio 2024", "maggio duemilaventiquattro"),
    ("alle 14:30", "alle quattordici e trenta"),
    ("alle 14.30", "alle quattordici e trenta"),
    ("all'1:15", "all'una e quindici"),
    ("alle 8:00", "alle otto"),
    ("alle ore 20:45", "alle ore venti e quarantacinque"),
    ("1 €", "un euro"),
    ("2,50 €", "due euro e cinquanta"),
    ("€ 2,50", "due euro e cinquanta"),
    ("0,50 €", "cinquanta centesimi"),
    ("£1", "una sterlina"),
    ("$5", "cinque dollari"),
    ("1.000.000 €", "un milione di euro"),
    ("3,5 milioni di €", "tre virgola cinque milioni di euro"),
    ("120 km/h", "centoventi chilometri orari"),
    ("1 kg", "un chilogrammo"),
    ("20 °C", "venti gradi Celsius"),
    ("5-10 km", "cinque a dieci chilometri"),
    ("2 h", "due ore"),
    ("1/2", "mezzo"),
    ("1/3", "un terzo"),
    ("3/4", "tre quarti"),
    ("il 3° posto", "il terzo posto"),
    ("la 2ª volta", "la seconda volta"),
    ("il XX secolo", "il ventesimo secolo"),
    ("Luigi XIV e Elisabetta II", "Luigi quattordicesimo e Elisabetta seconda"),
    ("capitolo IV", "capitolo quattro"),
    ("il Sig. Rossi e la Dott.ssa Bianchi", "il signor Rossi e la dottoressa Bianchi"),
    ("frutta, p. es. mele, ecc.", "frutta, per esempio mele, eccetera."),
    ("pag. 12, n. 5", "pagina dodici, numero cinque"),
    ("tel. 06 1234567", "telefono zero sei, uno due tre quattro cinque sei sette"),
    ("anna@esempio.it", "anna chiocciola esempio punto it"),
    ("2 + 2 = 4", "due più due uguale quattro"),
    ("e/o", "e o"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_written_text_is_said(written, spoken):
    assert normalise(written, "ita").text == spoken


def test_an_elided_article_is_one_word_with_the_noun():
    spoken = normalise("per 1 ora", "ita")
    assert [(word.text, word.source_start, word.source_end) for word in spoken.words] == [
        ("per", 0, 3),
        ("un'ora", 4, 9),
    ]
    assert Italian().ordinal(23) == "ventitreesimo"
