import pytest

from speech.errors import ConfigError
from speech.translate.policy import TranslationDraft
from speech.translate.wait_k import WaitK

TOKENS, PIECES = (1, 2, 3, 4, 5), (b" th", b"is", b" is", b" a", b" test")


@pytest.mark.parametrize(
    ("heard_s", "written_words", "count"),
    [(0.7, 0, 0), (1.2, 0, 2), (1.6, 0, 3), (1.6, 2, 0), (9.0, 0, 4)],
)
def test_one_word_for_each_step_behind_k(heard_s, written_words, count):
    draft = TranslationDraft(heard_s, TOKENS, PIECES, written_words=written_words)
    assert WaitK(k=2, word_s=0.4).decide([draft]) == count


@pytest.mark.parametrize("wrong", [{"k": -1}, {"word_s": 0.0}])
def test_a_lag_that_is_none_is_refused(wrong):
    with pytest.raises(ConfigError, match="k is at least 0"):
        WaitK(**wrong)
