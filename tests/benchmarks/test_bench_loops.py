from pathlib import Path

import pytest
from loops import counted, running

from speech.data.manifest import Utterance


@pytest.mark.parametrize(
    ("text", "size", "times"),
    [
        ("a b c d", 4, 1),
        ("a b c", 4, 0),
        ("a b c d a b c d", 4, 2),
        ("x a b c d a b c d a b c d a b c d y", 4, 4),
        ("a b c d e a b c d", 4, 1),
        ("no no no no", 1, 4),
        ("no no no no no no no no", 4, 2),
        ("a b a b a c", 2, 2),
        ("", 4, 0),
    ],
)
def test_a_run_of_words_is_counted_as_often_as_it_follows_itself(text, size, times):
    assert running(text.split(), size) == times


def test_a_text_is_counted_for_each_reason_that_holds():
    clips = [Utterance(id=name, audio=Path(name), duration_s=2.0, language="eng", text="") for name in "abcd"]
    said = {"a": "so it is", "b": "one two three four " * 4, "c": "no " * 4, "d": "w " * 21}
    found = counted(clips, said, lambda text: len(text.split()))
    assert found == {"loops": ["b", "d"], "any": ["b", "c", "d"], "too long": ["b", "d"], "above the cap": ["d"]}
