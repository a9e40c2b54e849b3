import pytest

from speech.errors import ConfigError
from speech.translate.align_att import AlignAtt
from speech.translate.policy import TranslationDraft


def draft(*places):
    return TranslationDraft(5.0, tuple(range(len(places))), (b" on",) * len(places), attended_s=places)


@pytest.mark.parametrize(
    ("places", "count"),
    [
        ((0.5, 1.0, 4.5, 1.0), 2),  # up to the first in the last second
        ((0.5, 1.0, 4.0, 4.1), 3),
        ((4.9, 0.5), 0),
        ((3.9, 3.0, 3.5, 3.6), 3),  # a little way back is reordering
        ((), 0),
    ],
)
def test_tokens_are_written_up_to_the_margin(places, count):
    assert AlignAtt(margin_s=1.0).decide([draft(*places)]) == count


def test_attention_that_jumps_back_has_lost_its_place():
    long = TranslationDraft(12.0, (0, 1, 2), (b" on",) * 3, attended_s=(9.0, 2.0, 3.0))
    assert AlignAtt(margin_s=1.0).decide([long]) == 1


def test_a_smaller_margin_never_writes_less():
    found = [AlignAtt(margin_s=margin).decide([draft(0.5, 2.0, 3.0, 4.2, 4.9, 5.0)]) for margin in (2.5, 1.5, 0.7, 0)]
    assert found == sorted(found) == [2, 3, 4, 5]


def test_a_margin_below_none_is_refused():
    with pytest.raises(ConfigError, match="at least 0"):
        AlignAtt(margin_s=-0.1)
