"""The table of languages is sorted, well formed, and knows those of other models."""

import re

import pytest

from speech.text.language_table import ROWS
from speech.text.languages import LANGUAGES, resolve

WHISPER = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml "
    "cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am "
    "yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"
)
SPOKEN = (
    "fra deu eng spa cmn rus ron bul ita ell cat lad bel gla por myx dan lug nld slv tur fin swe hin ara eus lit nno "
    "slk pol heb hun mal ces bre kor jpn ukr"
)


def test_the_table_is_sorted_and_every_row_is_well_formed():
    codes = [row[0] for row in ROWS]
    assert codes == sorted(set(codes))
    for code, alpha2, name, native, script in ROWS:
        assert re.fullmatch("[a-z]{3}", code)
        assert re.fullmatch("([a-z]{2})?", alpha2)
        assert name.strip()
        assert native.strip()
        assert re.fullmatch("[A-Z][a-z]{3}", script)


@pytest.mark.parametrize("code", WHISPER.split())
def test_every_language_of_whisper_is_known(code):
    assert resolve(code).code in LANGUAGES


@pytest.mark.parametrize("code", SPOKEN.split())
def test_languages_with_speech_at_hand_are_known_by_their_own_code(code):
    assert resolve(code).code == code
