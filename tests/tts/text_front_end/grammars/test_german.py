"""German: what is written and how it is said."""

import pytest

from speech.tts.text_front_end.grammars.german import German
from speech.tts.text_front_end.normalise import normalise

CASES = [
    ("1 oder 2", "eins oder zwei"),
    ("1 Mann und 1 Frau", "ein Mann und eine Frau"),
    ("1 Stunde", "eine Stunde"),
    ("1 Jahr, 21 Jahre", "ein Jahr, einundzwanzig Jahre"),
    ("101 Nächte", "einhunderteins Nächte"),
    ("16 und 17", "sechzehn und siebzehn"),
    ("1.234", "eintausendzweihundertvierunddreißig"),
    ("1.000.000 Menschen", "eine Million Menschen"),
    ("3,14", "drei Komma eins vier"),
    ("0,05", "null Komma null fünf"),
    ("-5 Grad", "minus fünf Grad"),
    ("50 %", "fünfzig Prozent"),
    ("1984 war es so", "neunzehnhundertvierundachtzig war es so"),
    ("im Jahr 1900", "im Jahr neunzehnhundert"),
    ("seit 2005", "seit zweitausendfünf"),
    ("die 1990er Jahre", "die neunzehnhundertneunziger Jahre"),
    ("am 3. Mai", "am dritten Mai"),
    ("am 3. Mai 2024", "am dritten Mai zweitausendvierundzwanzig"),
    ("der 3. Oktober", "der dritte Oktober"),
    ("Berlin, 3. Oktober 1990", "Berlin, dritter Oktober neunzehnhundertneunzig"),
    ("am 04.07.2024", "am vierten Juli zweitausendvierundzwanzig"),
    ("vom 3.10. bis heute", "vom dritten zehnten bis heute"),
    ("2024-07-04", "vierter Juli zweitausendvierundzwanzig"),
    ("Mai 2024", "Mai zweitausendvierundzwanzig"),
    ("um 14:30 Uhr", "um vierzehn Uhr dreißig"),
    ("um 14.30 Uhr", "um vierzehn Uhr dreißig"),
    ("um 1 Uhr", "um ein Uhr"),
    ("um 8:05", "um acht Uhr fünf"),
    ("1 €", "ein Euro"),
    ("2,50 €", "zwei Euro fünfzig"),
    ("2,50 EUR", "zwei Euro fünfzig"),
    ("0,50 €", "fünfzig Cent"),
    ("$5", "fünf Dollar"),
    ("3,5 Mio. €", "drei Komma fünf Millionen Euro"),
    ("1 Mrd. Euro", "eine Milliarde Euro"),
    ("120 km/h", "einhundertzwanzig Kilometer pro Stunde"),
    ("1 kg", "ein Kilogramm"),
    ("1 t", "eine Tonne"),
    ("1 h", "eine Stunde"),
    ("20 °C", "zwanzig Grad Celsius"),
    ("10-15 km", "zehn bis fünfzehn Kilometer"),
    ("100 m²", "einhundert Quadratmeter"),
    ("1/2", "ein halb"),
    ("3/4", "drei Viertel"),
    ("2/3", "zwei Drittel"),
    ("1½ Stunden", "eineinhalb Stunden"),
    ("der 3. Versuch", "der dritte Versuch"),
    ("im 20. Jahrhundert", "im zwanzigsten Jahrhundert"),
    ("in der 3. Klasse", "in der dritten Klasse"),
    ("ein 2. Versuch", "ein zweiter Versuch"),
    ("Heinrich VIII. war König.", "Heinrich der Achte war König."),
    ("Elisabeth II.", "Elisabeth die Zweite."),
    ("im XX. Jahrhundert", "im zwanzigsten Jahrhundert"),
    ("Kapitel IV", "Kapitel vier"),
    ("Dr. Müller und Prof. Dr. Klein", "Doktor Müller und Professor Doktor Klein"),
    ("Obst, z. B. Äpfel, usw.", "Obst, zum Beispiel Äpfel, und so weiter."),
    ("d.h. ca. 5", "das heißt circa fünf"),
    ("Nr. 5 auf S. 12", "Nummer fünf auf Seite zwölf"),
    ("Tel. 030 1234567", "Telefon null drei null, eins zwei drei vier fünf sechs sieben"),
    ("anna@beispiel.de", "anna ät beispiel Punkt de"),
    ("§ 5", "Paragraf fünf"),
    ("2 + 2 = 4", "zwei plus zwei gleich vier"),
    ("1 % der 21 %", "ein Prozent der einundzwanzig Prozent"),
    ("Hauptstr. 5 am Marienpl. 12", "Hauptstraße fünf am Marienplatz zwölf"),
    ("die 68er", "die achtundsechziger"),
    ("im 19. Jh. lebten", "im neunzehnten Jahrhundert lebten"),
    ("Art. 1 Abs. 2", "Artikel eins Absatz zwei"),
    ("vom 1. bis 5. Mai", "vom ersten bis fünften Mai"),
    ("ein A4-Blatt", "ein A vier Blatt"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_written_text_is_said(written, spoken):
    assert normalise(written, "deu").text == spoken


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        (1066, "eintausendsechsundsechzig"),
        (1100, "elfhundert"),
        (1999, "neunzehnhundertneunundneunzig"),
        (2024, "zweitausendvierundzwanzig"),
    ],
)
def test_years_count_hundreds_from_1100_to_1999(number, spoken):
    assert German().year(number) == spoken
