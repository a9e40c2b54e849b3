"""French: what is written and how it is said."""

import pytest

from speech.tts.text_front_end.grammars.french import French
from speech.tts.text_front_end.normalise import normalise

CASES = [
    ("1 chat et 1 fille", "un chat et une fille"),
    ("1 heure", "une heure"),
    ("21 heures", "vingt et une heures"),
    ("21 jours", "vingt et un jours"),
    ("80 ans", "quatre-vingts ans"),
    ("81 ans", "quatre-vingt-un ans"),
    ("71 pages", "soixante et onze pages"),
    ("81 pages", "quatre-vingt-une pages"),
    ("200 et 201", "deux cents et deux cent un"),
    ("1 234", "mille deux cent trente-quatre"),
    ("1 000 000 d'habitants", "un million d'habitants"),
    ("3,14", "trois virgule quatorze"),
    ("0,05", "zéro virgule zéro cinq"),
    ("il fait -5", "il fait moins cinq"),
    ("50 %", "cinquante pour cent"),
    ("en 1984", "en mille neuf cent quatre-vingt-quatre"),
    ("le 1er mai", "le premier mai"),
    ("le 1 mai 2024", "le premier mai deux mille vingt-quatre"),
    ("le 14 juillet 1789", "le quatorze juillet mille sept cent quatre-vingt-neuf"),
    ("4/7/2024", "quatre juillet deux mille vingt-quatre"),
    ("04.07.2024", "quatre juillet deux mille vingt-quatre"),
    ("2024-07-04", "quatre juillet deux mille vingt-quatre"),
    ("mai 2024", "mai deux mille vingt-quatre"),
    ("à 14h30", "à quatorze heures trente"),
    ("à 14:30", "à quatorze heures trente"),
    ("à 1h", "à une heure"),
    ("à 21 h", "à vingt et une heures"),
    ("à 8 h 05", "à huit heures cinq"),
    ("1 €", "un euro"),
    ("2,50 €", "deux euros cinquante"),
    ("0,50 €", "cinquante centimes"),
    ("5 $", "cinq dollars"),
    ("1 000 000 €", "un million d'euros"),
    ("3,5 millions €", "trois virgule cinq millions d'euros"),
    ("2 M€", "deux millions d'euros"),
    ("120 km/h", "cent vingt kilomètres par heure"),
    ("1 kg", "un kilogramme"),
    ("1 t", "une tonne"),
    ("20 °C", "vingt degrés Celsius"),
    ("10-15 km", "dix à quinze kilomètres"),
    ("30 min", "trente minutes"),
    ("1/2", "un demi"),
    ("3/4", "trois quarts"),
    ("2/3", "deux tiers"),
    ("le 2e étage", "le deuxième étage"),
    ("la 1re fois", "la première fois"),
    ("le XXe siècle", "le vingtième siècle"),
    ("le Ier siècle", "le premier siècle"),
    ("Louis XIV et François Ier", "Louis quatorze et François premier"),
    ("chapitre IV", "chapitre quatre"),
    ("M. Dupont et Mme Durand", "monsieur Dupont et madame Durand"),
    ("des fruits, p. ex. des pommes, etc.", "des fruits, par exemple des pommes, et cetera."),
    ("n° 5, p. 12", "numéro cinq, page douze"),
    ("appelez le 01 23 45 67 89", "appelez le zéro un, deux trois, quatre cinq, six sept, huit neuf"),
    ("jean@exemple.fr", "jean arobase exemple point fr"),
    ("2 + 2 = 4", "deux plus deux égale quatre"),
    ("80 000 personnes", "quatre-vingt mille personnes"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_written_text_is_said(written, spoken):
    assert normalise(written, "fra").text == spoken


@pytest.mark.parametrize(
    ("number", "spoken"), [(80, "quatre-vingtième"), (200, "deux centième"), (21, "vingt et unième")]
)
def test_ordinals_have_no_plural_s_inside(number, spoken):
    assert French().ordinal(number) == spoken
