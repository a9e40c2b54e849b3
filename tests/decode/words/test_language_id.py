"""Languages are read from real frames only."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.decode.ctc.frames import CtcFrames
from speech.decode.words.language_id import (
    first_token_posterior,
    language_posterior,
    next_token_posterior,
    posterior_among,
    top,
)


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(1, 4), st.integers(0, 10_000))
def test_padding_changes_no_posterior(length, languages, seed):
    logits = torch.randn(1, length, languages, generator=torch.Generator().manual_seed(seed))
    padded = torch.cat([logits, torch.full((1, 3, languages), torch.nan)], dim=1)
    found = language_posterior(padded, torch.tensor([length]))
    evidence = logits.log_softmax(-1).mean(1) if length else torch.zeros(1, languages)
    torch.testing.assert_close(found, evidence.softmax(-1))


def test_the_first_token_is_read_where_languages_are_most_probable():
    probs = torch.tensor([[0.9, 0.05, 0.05, 0.0], [0.1, 0.2, 0.6, 0.1], [0.8, 0.1, 0.0, 0.1]])
    frames = CtcFrames(probs.log()[None], torch.tensor([3]), 0.04)
    torch.testing.assert_close(first_token_posterior(frames, [1, 2]), torch.tensor([[0.25, 0.75]]))


def test_a_language_said_later_or_in_the_padding_does_not_count():
    probs = torch.full((2, 6, 3), 1e-3)
    probs[:, 0, 1] = 0.3  # language 1 in the first frame
    probs[0, 4, 2] = 0.9  # language 2 too late
    probs[1, 2, 2] = 0.9  # language 2 in the padding
    posterior = first_token_posterior(CtcFrames(probs.log(), torch.tensor([6, 2]), 0.04), [1, 2])
    assert posterior.argmax(-1).tolist() == [0, 0]


@pytest.mark.parametrize("steps", [0, 3])
def test_without_frames_every_language_is_equally_probable(steps):
    frames = CtcFrames(torch.randn(1, steps, 4), torch.tensor([0]), 0.04)
    torch.testing.assert_close(first_token_posterior(frames, [1, 2]), torch.tensor([[0.5, 0.5]]))


def test_forbidden_languages_leave_no_nan():
    frames = CtcFrames(torch.full((1, 2, 4), -torch.inf), torch.tensor([2]), 0.04)
    torch.testing.assert_close(first_token_posterior(frames, [1, 3]), torch.tensor([[0.5, 0.5]]))


def test_the_most_probable_language_comes_with_its_probability():
    assert top(torch.tensor([0.25, 0.75]), ["deu", "eng"]) == ("eng", 0.75)


@pytest.mark.parametrize("codes", [["deu"], []])
def test_codes_that_do_not_fit_the_posterior_are_refused(codes):
    with pytest.raises(ValueError, match="expected one value"):
        top(torch.tensor([0.25, 0.75])[: 2 * bool(codes)], codes)


def test_a_label_decoder_is_asked_for_the_language_tokens_alone():
    logits = torch.tensor([[9.0, 1.0, 2.0, 0.0], [0.0, 3.0, 3.0, 99.0]]).half()
    found = next_token_posterior(logits, [1, 2])
    torch.testing.assert_close(found, torch.tensor([[1.0, 2.0], [3.0, 3.0]]).softmax(-1))
    assert next_token_posterior(logits, [3]).tolist() == [[1.0], [1.0]]


def test_of_the_languages_that_are_allowed_the_others_have_no_share():
    codes, logits = ["deu", "eng", "spa"], torch.tensor([0.2, 0.5, 0.3]).log() + 7.0
    assert posterior_among(logits, codes, ()).tolist() == pytest.approx([0.2, 0.5, 0.3])
    assert posterior_among(logits, codes, ("spa", "deu", "fra")).tolist() == pytest.approx([0.4, 0.0, 0.6])
    assert posterior_among(logits, codes, ("fra",)).tolist() == [0.0, 0.0, 0.0]
