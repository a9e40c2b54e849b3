"""`BeamDecoder`: the search's best text, with times."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import greedy
from speech.decode.ctc.prefix_beam import prefix_beam


def random_frames(seed: int, rows: int = 2, length: int = 12, vocabulary: int = 5) -> CtcFrames:
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.log_softmax(3 * torch.randn(rows, length, vocabulary, generator=generator), dim=-1)
    return CtcFrames(log_probs, torch.tensor([length, length // 2]), 0.02)


@given(st.integers(0, 1000))
def test_it_says_what_the_search_finds_and_when(seed):
    frames = random_frames(seed)
    for row, spans in enumerate(BeamDecoder(beam=4, top_k=5, least=-math.inf)(frames)):
        best = prefix_beam(frames.select(row), beam=4, top_k=5)[0]
        assert tuple(span.id for span in spans) == best.ids
        edges = [frame for span in spans for frame in (span.start_frame, span.end_frame)]
        assert edges == sorted(edges)
        assert all(span.start_frame < span.end_frame <= int(frames.lengths[row]) for span in spans)


def test_forbidden_tokens_are_not_said():
    frames = random_frames(1)
    assert all(span.id != 3 for spans in BeamDecoder()(frames, forbidden=[3]) for span in spans)


def test_where_every_frame_is_certain_it_is_the_greedy_text():
    ids = torch.tensor([[1, 1, 0, 2, 2, 3, 0, 3]])
    log_probs = torch.log_softmax(20.0 * torch.nn.functional.one_hot(ids, 4).float(), dim=-1)
    frames = CtcFrames(log_probs, torch.tensor([8]), 0.02)
    assert [[s.id for s in row] for row in BeamDecoder()(frames)] == [[s.id for s in row] for row in greedy(frames)]


def test_no_frames_are_no_tokens():
    assert BeamDecoder()(CtcFrames(torch.zeros(1, 0, 4), torch.tensor([0]), 0.02)) == [[]]


class Likes:
    """A language model that only ever expects one token."""

    def __init__(self, token: int) -> None:
        self.token = token

    def start(self) -> int:
        return 0

    def score(self, state: int, token: int) -> tuple[int, float]:
        return state + 1, 0.0 if token == self.token else -20.0

    def finish(self, state: int) -> float:
        return 0.0


def test_a_language_model_decides_between_tokens_that_sound_alike():
    log_probs = torch.full((1, 1, 3), math.log(0.01))
    log_probs[0, 0, 1], log_probs[0, 0, 2] = math.log(0.5), math.log(0.49)
    frames = CtcFrames(log_probs, torch.tensor([1]), 0.02)
    assert [s.id for s in BeamDecoder()(frames)[0]] == [1]
    assert [s.id for s in BeamDecoder(scorer=Likes(2))(frames)[0]] == [2]


@pytest.mark.parametrize("beam", [2, 8])
def test_a_row_does_not_depend_on_its_batch_mates(beam):
    frames = random_frames(5)
    together = BeamDecoder(beam=beam)(frames)
    alone = BeamDecoder(beam=beam)(CtcFrames(frames.log_probs[1:], frames.lengths[1:], 0.02))
    assert together[1] == alone[0]


@pytest.mark.parametrize("scorer", [None, Likes(1)], ids=["ours", "others"])
def test_all_texts_of_the_beam_are_listed_and_the_first_is_what_it_says(scorer):
    log_probs = random_frames(3).log_probs[:1]
    frames = CtcFrames(log_probs, torch.tensor([log_probs.shape[1]]), 0.02)
    decode = BeamDecoder(beam=4, scorer=scorer, least=-math.inf)
    found = decode.nbest(frames.select(0), forbidden=[3])
    assert [span.id for span in found[0][0]] == [span.id for span in decode(frames, forbidden=[3])[0]]
    assert len({tuple(span.id for span in spans) for spans, _ in found}) == len(found) == 4
    shares = [share for _, share in found]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0)
    assert all(span.id != 3 for spans, _ in found for span in spans)
