"""What a part answers for is told in frames of the stream, and nothing else is."""

import numpy as np
import pytest
import torch

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.endpoint import Reason
from speech.decode.label.timing import TimedText, WrittenWord
from speech.recognize.kept import kept
from speech.recognize.parts import Part
from speech.transcript import Toxicity

GRID, TOXICITY = 320, Toxicity(("pest",), removed=True)
SPANS = [TokenSpan(7, 1, 3, 0.5), TokenSpan(8, 4, 12, 0.6), TokenSpan(9, 12, 13, 0.7)]


def part(*, rested: bool = False, reason: Reason = Reason.silence) -> Part:
    """It begins at frame 100, hears 15 frames and answers for 4 .. 12."""
    samples = np.zeros(15 * GRID, np.float32)
    begin, first, end = 100 * GRID, 4 * GRID, 12 * GRID
    return Part(begin, samples, first, end, begin + end, True, False, begin + end, reason, rested)


def test_a_token_belongs_to_the_part_that_holds_its_first_frame():
    found = kept(part(), GRID, 15, SPANS)
    assert found.spans == [TokenSpan(8, 104, 112, 0.6)]
    assert (found.frames, found.end_s) == (8, 112 * GRID / 16_000)
    assert (found.evidence, found.told, found.written, found.sure) == (None, None, None, None)


def test_the_last_part_answers_for_all_frames_to_its_end():
    found = kept(part(reason=Reason.stop), GRID, 15, SPANS)
    assert [span.id for span in found.spans] == [8, 9]
    assert found.frames == 11


def test_evidence_is_that_of_its_own_frames_and_of_each_of_its_tokens():
    evidence = -torch.arange(30.0).reshape(15, 2) / 30
    found = kept(part(), GRID, 15, SPANS, evidence)
    torch.testing.assert_close(found.evidence, evidence[4:12].sum(dim=0))
    assert found.told is not None
    assert found.told.frames.tolist() == [11]  # of the one token, up to the end of what is heard


@pytest.mark.parametrize(("rested", "words"), [(False, ["b"]), (True, ["a", "b"])])
def test_what_a_label_decoder_writes_takes_the_place_of_the_tokens(rested, words):
    """Behind a pause nobody has said what seems to lie before the part: it is later."""
    spans = (TokenSpan(1, 2, 3, 0.9), TokenSpan(2, 5, 6, 0.8), TokenSpan(3, 13, 14, 0.7))
    written = TimedText(
        tuple(WrittenWord(text, n, n) for n, text in enumerate("abc")), spans, "deu", sure=-0.2, toxicity=TOXICITY
    )
    found = kept(part(rested=rested), GRID, 15, SPANS, None, written)
    assert [word.text for word in found.written] == words
    assert [span.start_frame for span in found.spans] == [104, 105][-len(words) :]
    assert (found.sure, found.toxicity) == (-0.2, TOXICITY)
