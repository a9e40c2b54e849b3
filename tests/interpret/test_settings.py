"""Settings of speech-to-speech translation."""

import pytest

from speech.errors import ConfigError
from speech.interpret.settings import InterpretSettings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 3.0}, "rate"),
        ({"patience_s": 0.0}, "patience_s"),
        ({"least_words": 0}, "least_words"),
        ({"fastest": 0.9}, "fastest"),
        ({"easy_s": 3.0}, "late_s 3 is not above easy_s 3"),
    ],
)
def test_values_out_of_range_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        InterpretSettings(**given)
