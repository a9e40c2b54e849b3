"""Spanish: what is written and how it is said."""

import pytest

from speech.tts.text_front_end.grammars.spanish import Spanish
from speech.tts.text_front_end.normalise import normalise

CASES = [
    ("Tengo 1 hermano y 1 hermana.", "Tengo un hermano y una hermana."),
    ("21 años", "veintiún años"),
    ("21 horas", "veintiuna horas"),
    ("1 hora", "una hora"),
    ("31 días", "treinta y un días"),
    ("200 personas", "doscientas personas"),
    ("500 libros", "quinientos libros"),
    ("500 páginas", "quinientas páginas"),
    ("100 casas", "cien casas"),
    ("101 dálmatas", "ciento una dálmatas"),
    ("21.000 euros", "veintiún mil euros"),
    ("1.234", "mil doscientos treinta y cuatro"),
    ("1 000 000 de habitantes", "un millón de habitantes"),
    ("3,14", "tres coma catorce"),
    ("0,05", "cero coma cero cinco"),
    ("-5 grados", "menos cinco grados"),
    ("el 50 %", "el cincuenta por ciento"),
    ("en 1984", "en mil novecientos ochenta y cuatro"),
    ("4/7/2024", "cuatro de julio de dos mil veinticuatro"),
    ("2024-07-04", "cuatro de julio de dos mil veinticuatro"),
    ("el 12 de octubre de 1492", "el doce de octubre de mil cuatrocientos noventa y dos"),
    ("mayo de 2024", "mayo de dos mil veinticuatro"),
    ("a las 14:30", "a las catorce treinta"),
    ("a las 14:30 h", "a las catorce treinta"),
    ("a las 8:00", "a las ocho horas"),
    ("a la 1", "a la una"),
    ("a las 5 p. m.", "a las cinco de la tarde."),
    ("21:15", "veintiuna quince"),
    ("1 €", "un euro"),
    ("21 €", "veintiún euros"),
    ("2,50 €", "dos euros con cincuenta céntimos"),
    ("0,01 €", "un céntimo"),
    ("£1", "una libra"),
    ("$200", "doscientos dólares"),
    ("£200", "doscientas libras"),
    ("3,5 millones de €", "tres coma cinco millones de euros"),
    ("1.000.000 €", "un millón de euros"),
    ("120 km/h", "ciento veinte kilómetros por hora"),
    ("1 kg", "un kilogramo"),
    ("20 °C", "veinte grados Celsius"),
    ("5-10 km", "cinco a diez kilómetros"),
    ("2 h", "dos horas"),
    ("1/2", "un medio"),
    ("2/3", "dos tercios"),
    ("3/4 partes", "tres cuartos partes"),
    ("el 1.er piso", "el primer piso"),
    ("la 2.ª vez", "la segunda vez"),
    ("el 11º", "el undécimo"),
    ("el 3.º", "el tercero"),
    ("el 21º", "el vigésimo primero"),
    ("el siglo XX", "el siglo veinte"),
    ("Felipe VI y Alfonso XIII", "Felipe sexto y Alfonso trece"),
    ("Isabel II", "Isabel segunda"),
    ("el capítulo IV", "el capítulo cuatro"),
    ("la Sra. García y el Dr. Ruiz", "la señora García y el doctor Ruiz"),
    ("frutas, p. ej. manzanas, etc.", "frutas, por ejemplo manzanas, etcétera."),
    ("los EE. UU.", "los Estados Unidos."),
    ("en los EE. UU. hoy", "en los Estados Unidos hoy"),
    ("pág. 12", "página doce"),
    ("tel. 612 345 678", "teléfono seis uno dos, tres cuatro cinco, seis siete ocho"),
    ("ana@correo.es", "ana arroba correo punto es"),
    ("www.ejemplo.es", "w w w punto ejemplo punto es"),
    ("2 + 2", "dos más dos"),
    ("el 21.º día", "el vigésimo primer día"),
    ("Ve allí", "Ve allí"),
    ("y/o", "y o"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_written_text_is_said(written, spoken):
    assert normalise(written, "spa").text == spoken


@pytest.mark.parametrize(
    ("number", "spoken"),
    [(7, "séptimo"), (12, "duodécimo"), (13, "decimotercero"), (18, "decimoctavo"), (40, "cuadragésimo")],
)
def test_ordinals_are_those_of_the_academy(number, spoken):
    assert Spanish().ordinal(number) == spoken
