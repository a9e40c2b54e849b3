import pytest

from speech.errors import ConfigError
from speech.translate.hold_n import HoldN
from speech.translate.policy import TranslationDraft

DRAFT = TranslationDraft(3.0, (1, 2, 3, 4), (b" is", b" th", b"is", b" it"))


@pytest.mark.parametrize(("n", "count"), [(0, 3), (1, 3), (2, 1), (3, 1), (4, 0), (9, 0)])
def test_the_last_tokens_are_held_back(n, count):
    assert HoldN(n=n).decide([DRAFT]) == count


def test_fewer_than_none_is_refused():
    with pytest.raises(ConfigError, match="n is at least 0"):
        HoldN(n=-1)
