import pytest

from speech.errors import ConfigError
from speech.translate.local_agreement import LocalAgreement
from speech.translate.policy import TranslationDraft


def draft(tokens, written=()):
    return TranslationDraft(3.0, tuple(tokens), (b" on",) * len(tokens), written=tuple(written))


def test_a_first_draft_is_not_believed():
    assert LocalAgreement().decide([draft([1, 2, 3])]) == 0


def test_the_common_prefix_is_written():
    assert LocalAgreement().decide([draft([1, 2, 9]), draft([1, 2, 3, 4])]) == 2


def test_what_has_been_written_counts_as_part_of_the_text():
    assert LocalAgreement().decide([draft([1, 2, 3, 4]), draft([3, 4, 5], written=[1, 2])]) == 2
    assert LocalAgreement().decide([draft([9, 9]), draft([3, 4], written=[1, 2])]) == 0


def test_three_have_to_agree_if_three_are_asked():
    history = [draft([1, 2, 3, 4]), draft([1, 5, 3, 4]), draft([1, 5, 3, 4])]
    assert LocalAgreement(n=3).decide(history) == 1
    assert LocalAgreement(n=2).decide(history) == 3  # the last word is held back


def test_one_draft_agrees_with_nothing():
    with pytest.raises(ConfigError, match="Compare 2 or more"):
        LocalAgreement(n=1)
