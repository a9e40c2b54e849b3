"""Languages by code, name and alias."""

import pytest

from speech.errors import LanguageError
from speech.text.language_table import ALIASES
from speech.text.languages import LANGUAGES, resolve


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_a_language_is_found_under_each_of_its_own_names_in_any_case(code):
    language = LANGUAGES[code]
    for name in filter(None, (language.code, language.alpha2, language.name, language.native)):
        assert resolve(name) is language
        assert resolve(f" {name.upper()} ") is language or name.upper().lower() != name.lower()


@pytest.mark.parametrize("alias", list(ALIASES))
def test_an_alias_leads_to_the_language_it_is_listed_for(alias):
    assert resolve(alias).code == ALIASES[alias]


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
