"""Languages by code, name and alias."""

import re

import pytest

from speech.errors import LanguageError
from speech.text.language_table import ALIASES, ROWS
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


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_a_language_is_found_under_each_of_its_own_names_in_any_case(code):
    language = LANGUAGES[code]
    for name in filter(None, (language.code, language.alpha2, language.name, language.native)):
        assert resolve(name) is language
        assert resolve(f" {name.upper()} ") is language or name.upper().lower() != name.lower()


@pytest.mark.parametrize("alias", list(ALIASES))
def test_an_alias_leads_to_the_language_it_is_listed_for(alias):
    assert resolve(alias).code == ALIASES[alias]


@pytest.mark.parametrize("code", WHISPER.split())
def test_every_language_of_whisper_is_known(code):
    assert resolve(code).code in LANGUAGES


@pytest.mark.parametrize("code", SPOKEN.split())
def test_languages_with_speech_at_hand_are_known_by_their_own_code(code):
    assert resolve(code).code == code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("zh", "cmn"), ("zho", "cmn"), ("zh-CN", "cmn"), ("zh-yue", "yue"), ("no", "nor"), ("nb", "nob"),
        ("pt_BR", "por"), ("jv", "jav"), ("jw", "jav"), ("Deutsch", "deu"), ("普通话", "cmn"),
    ],
)  # fmt: skip
def test_names_that_other_systems_use_are_understood(name, code):
    assert resolve(name).code == code


def test_an_unknown_name_is_refused_with_near_matches():
    with pytest.raises(LanguageError, match=r"'englsh' is not a known language.*'english'"):
        resolve("englsh")


def test_an_empty_name_is_refused_with_advice():
    with pytest.raises(LanguageError, match="Use an ISO 639-3 code"):
        resolve("")


def test_words_stand_apart_except_in_scripts_without_spaces():
    joined = {code for code, language in LANGUAGES.items() if not language.spaces}
    assert {"cmn", "yue", "jpn", "tha", "lao", "khm", "mya"} <= joined
    assert not joined & {"eng", "kor", "vie", "hin", "ara"}
