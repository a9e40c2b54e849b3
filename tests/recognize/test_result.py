"""What a part says, and the language of several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.timing import WrittenWord
from speech.recognize.result import PartResult, spoken_in, toxicity_of
from speech.transcript import Toxicity


def part(frames: int, **shares: float) -> PartResult:
    return PartResult([TokenSpan(1, 0, 1, 1.0)], None, frames, 1.0, posterior=shares)


def test_words_of_a_label_decoder_stand_where_their_first_and_last_token_do():
    spans = [TokenSpan(5, 3, 5, 0.9), TokenSpan(6, 7, 8, 0.8), TokenSpan(7, 20, 24, 0.7)]
    heard = PartResult(spans, None, 30, 1.0, written=(WrittenWord("der", 0, 1), WrittenWord("Hund", 2, 2)))
    assert [(draft.text, draft.start, draft.end) for draft in heard.drafts] == [("der", 3, 8), ("Hund", 20, 24)]
    assert PartResult(spans, None, 30, 1.0).drafts == []


@given(st.lists(st.tuples(st.integers(1, 99), st.floats(0, 1)), min_size=1, max_size=6), st.randoms())
def test_the_order_of_parts_does_not_matter_and_longer_ones_count_for_more(found, random):
    parts = [part(frames, deu=share, eng=1 - share) for frames, share in found]
    german = sum(frames * share for frames, share in found) / sum(frames for frames, _ in found)
    code, share = spoken_in(parts)
    assert share == pytest.approx(max(german, 1 - german))
    assert code == ("deu" if german >= 1 - german else "eng") or german == pytest.approx(0.5)
    random.shuffle(parts)
    assert spoken_in(parts)[1] == pytest.approx(share)


def test_toxicity_of_parts_is_removed_if_it_is_from_all():
    def toxic(*found: str, removed: bool = True) -> PartResult:
        return PartResult([], None, 1, 1.0, toxicity=Toxicity(found, removed))

    assert toxicity_of([part(3, deu=1.0)]) is None
    assert toxicity_of([toxic("b", "a"), part(3), toxic("c", "a")]) == Toxicity(("b", "a", "c"), removed=True)
    assert toxicity_of([toxic("b"), toxic("b", removed=False)]) == Toxicity(("b",), removed=False)
