"""Portuguese as in Brazil: what is written and how it is said."""

import pytest

from speech.tts.text_front_end.grammars.portuguese import Portuguese
from speech.tts.text_front_end.normalise import normalise

CASES = [
    ("1 hora e 2 horas", "uma hora e duas horas"),
    ("1 dia e 2 dias", "um dia e dois dias"),
    ("21 anos", "vinte e um anos"),
    ("22 pessoas", "vinte e duas pessoas"),
    ("200 pessoas", "duzentas pessoas"),
    ("500 reais", "quinhentos reais"),
    ("16 anos", "dezesseis anos"),
    ("100 e 101", "cem e cento e um"),
    ("1.234", "mil duzentos e trinta e quatro"),
    ("2.000 pessoas", "duas mil pessoas"),
    ("1.000.000 de habitantes", "um milhão de habitantes"),
    ("1 bilhão", "um bilhão"),
    ("3,14", "três vírgula catorze"),
    ("0,05", "zero vírgula zero cinco"),
    ("-5 graus", "menos cinco graus"),
    ("50%", "cinquenta por cento"),
    ("em 1984", "em mil novecentos e oitenta e quatro"),
    ("em 2024", "em dois mil e vinte e quatro"),
    ("1º de maio", "primeiro de maio"),
    ("7 de setembro de 1822", "sete de setembro de mil oitocentos e vinte e dois"),
    ("4/7/2024", "quatro de julho de dois mil e vinte e quatro"),
    ("2024-07-04", "quatro de julho de dois mil e vinte e quatro"),
    ("maio de 2024", "maio de dois mil e vinte e quatro"),
    ("às 14h30", "às catorze e trinta"),
    ("às 14:30", "às catorze e trinta"),
    ("às 22:10", "às vinte e duas e dez"),
    ("à 1:00", "à uma hora"),
    ("às 8h", "às oito horas"),
    ("R$ 1,00", "um real"),
    ("R$ 2,50", "dois reais e cinquenta centavos"),
    ("R$ 0,99", "noventa e nove centavos"),
    ("R$ 3,5 milhões", "três vírgula cinco milhões de reais"),
    ("5 €", "cinco euros"),
    ("£2", "duas libras"),
    ("US$ 10", "dez dólares americanos"),
    ("R$ 1.000.000", "um milhão de reais"),
    ("120 km/h", "cento e vinte quilômetros por hora"),
    ("2 kg", "dois quilogramas"),
    ("20 °C", "vinte graus Celsius"),
    ("5-10 km", "cinco a dez quilômetros"),
    ("30 min", "trinta minutos"),
    ("1/2", "um meio"),
    ("2/3", "dois terços"),
    ("3/4", "três quartos"),
    ("o 3º lugar", "o terceiro lugar"),
    ("a 2ª vez", "a segunda vez"),
    ("o 21º", "o vigésimo primeiro"),
    ("o século XX", "o século vinte"),
    ("Dom Pedro II e Luís XIV", "Dom Pedro segundo e Luís catorze"),
    ("capítulo IV", "capítulo quatro"),
    ("o Sr. Silva e a Dra. Lima", "o senhor Silva e a doutora Lima"),
    ("frutas, p. ex. maçãs, etc.", "frutas, por exemplo maçãs, etcétera."),
    ("pág. 12", "página doze"),
    ("ligue (11) 98765-4321", "ligue um um, nove oito sete seis cinco, quatro três dois um"),
    ("ana@exemplo.com.br", "ana arroba exemplo ponto com ponto br"),
    ("2 + 2 = 4", "dois mais dois igual a quatro"),
    ("e/ou", "e ou"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_written_text_is_said(written, spoken):
    assert normalise(written, "por").text == spoken


def test_ordinals_agree_with_what_they_count():
    assert Portuguese().ordinal(32, "ª") == "trigésima segunda"
    assert Portuguese().ordinal(100) == "centésimo"
