import pytest

from speech.errors import LanguageError
from speech.translate.text.directions import Directions
from speech.translate.text.translator import check_pair, check_source


def test_languages_that_are_offered_pass_and_others_are_refused():
    translator = Directions(("eng", "spa"), ("fra",))  # the languages are all that is asked for
    check_source(translator, "spa")
    check_pair(translator, "eng", "fra")
    with pytest.raises(LanguageError, match=r"does not translate from German \(deu\). It translates from eng, spa"):
        check_source(translator, "deu")
    with pytest.raises(LanguageError, match=r"does not translate into English \(eng\). It translates into fra"):
        check_pair(translator, "spa", "eng")
