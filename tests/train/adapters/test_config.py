"""Which languages adapters are trained for."""

import pytest

from speech.errors import ConfigError
from speech.train.adapters.config import AdaptConfig


@pytest.mark.parametrize(
    ("given", "expected"), [("lad", ["lad"]), (["lad", "gla"], ["lad", "gla"]), (("ita",), ["ita"])]
)
def test_one_or_several_are_named_in_their_order(given, expected):
    assert AdaptConfig(language=given).languages == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "language=None. Give one or several codes"),
        ([], "one or several codes"),
        (["ita", "ita"], "one or several codes"),
        ("it", "language 'it'. Write 'ita'"),
        (["lad", "Italian"], "language 'Italian'. Write 'ita'"),
    ],
)
def test_none_the_same_twice_and_what_is_no_code_are_refused(given, said):
    config = AdaptConfig(language=given)
    with pytest.raises(ConfigError, match=said):
        _ = config.languages
