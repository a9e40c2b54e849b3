"""A label decoder: pieces give the logits of the whole, hypotheses can be reordered, and nobody hears a batch mate."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.nn.decoder.label import DecoderState, LabelDecoderConfig
from tests.tiny_decoder import random, random_decoder, tokens_below

CONFIG = LabelDecoderConfig(vocabulary=23, dim=12, layers=3, heads=3, hidden=20, positions=16)
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
HEADS = [(2, 1), (0, 2), (2, 0)]


DECODER = random_decoder(CONFIG, 0.4)
tokens_of = partial(tokens_below, CONFIG.vocabulary)


def repeated(state: DecoderState, utterances: int, hypotheses: int) -> DecoderState:
    return state.select(torch.arange(utterances).repeat_interleave(hypotheses))


@given(
    pieces=st.lists(st.integers(1, 5), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) <= CONFIG.positions),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    hypotheses=st.integers(1, 3),
    seed=st.integers(0, 5),
)
@torch.no_grad()
def test_pieces_give_the_logits_of_the_whole(pieces, lengths, hypotheses, seed):
    """For any split of the text, any number of utterances and hypotheses, and frames behind an utterance's end."""
    utterances, count = len(lengths), sum(pieces)
    frames = random(utterances, max(lengths), CONFIG.dim, seed=seed)
    texts = tokens_of(utterances * hypotheses, count, seed)
    state = repeated(DECODER.begin(frames, torch.tensor(lengths)), utterances, hypotheses)
    found, seen = [], []
    for piece in texts.split(pieces, dim=1):
        x, state, attention = DECODER.step(piece, state, HEADS)
        found.append(DECODER.logits(x))
        seen.append(attention)
    assert state.length == count
    logits, attention = torch.cat(found, dim=1), torch.cat(seen, dim=2)
    for row, text in enumerate(texts):  # alone, and without padding
        own = frames[row // hypotheses, : lengths[row // hypotheses]][None]
        torch.testing.assert_close(logits[row], DECODER(text[None], own)[0], **CLOSE)
        _, _, expected = DECODER.step(text[None], DECODER.begin(own), HEADS)
        torch.testing.assert_close(attention[row, ..., : own.shape[1]], expected[0], **CLOSE)
        assert not attention[row, ..., own.shape[1] :].any()


@torch.no_grad()
def test_frames_behind_the_end_make_no_difference():
    frames, texts, lengths = random(2, 8, CONFIG.dim), tokens_of(2, 6), torch.tensor([8, 5])
    other = frames.clone()
    other[1, 5:] = 1e3
    assert torch.equal(DECODER(texts, frames, lengths), DECODER(texts, other, lengths))


@given(
    choice=st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=2, max_size=2),
    before=st.integers(1, 4),
)
@torch.no_grad()
def test_select_reorders_and_doubles_hypotheses(choice, before):
    """Two utterances with three hypotheses each; afterwards each has four, of any of them."""
    frames = random(2, 7, CONFIG.dim)
    texts, more = tokens_of(6, before), tokens_of(8, 3, seed=1)
    _, state, _ = DECODER.step(texts, repeated(DECODER.begin(frames, torch.tensor([7, 4])), 2, 3))
    rows = torch.tensor([3 * utterance + n for utterance, chosen in enumerate(choice) for n in chosen])
    x, _, _ = DECODER.step(more, state.select(rows))
    whole = torch.cat([texts[rows], more], dim=1)
    expected = DECODER(whole, frames.repeat_interleave(4, 0), torch.tensor([7] * 4 + [4] * 4))
    torch.testing.assert_close(DECODER.logits(x), expected[:, before:], **CLOSE)


@torch.no_grad()
def test_a_step_leaves_the_state_before_it_as_it_was():
    state = DECODER.begin(random(1, 5, CONFIG.dim))
    _, first, _ = DECODER.step(tokens_of(1, 2), state)
    one, _, _ = DECODER.step(tokens_of(1, 3, seed=1), first)
    DECODER.step(tokens_of(1, 3, seed=2), first)
    again, _, _ = DECODER.step(tokens_of(1, 3, seed=1), first)
    assert torch.equal(one, again)
    assert (state.length, first.length) == (0, 2)


@torch.no_grad()
def test_attention_of_heads_sums_up_to_one_and_comes_in_their_order():
    frames = random(2, 7, CONFIG.dim)
    state = repeated(DECODER.begin(frames, torch.tensor([7, 4])), 2, 2)
    x, _, attention = DECODER.step(tokens_of(4, 3), state, HEADS)
    assert x.shape == (4, 3, CONFIG.dim)
    assert attention.shape == (4, 3, 3, 7)
    torch.testing.assert_close(attention.sum(-1), torch.ones(4, 3, 3))
    _, _, turned = DECODER.step(tokens_of(4, 3), state, HEADS[::-1])
    assert torch.equal(turned, attention.flip(1))
    plain, _, nothing = DECODER.step(tokens_of(4, 3), state)
    assert nothing is None
    assert torch.equal(plain, x)


@given(kept=st.integers(0, 9), more=st.integers(1, 9))
@torch.no_grad()
def test_frames_that_are_known_need_not_be_projected_again(kept, more):
    """Also those that have come in the place of others."""
    frames, lengths = random(2, kept + more, CONFIG.dim), torch.tensor([kept + more, max(kept, 1)])
    earlier = torch.cat([frames[:, :kept], random(2, 3, CONFIG.dim, seed=1)], dim=1)
    found = DECODER.begin(frames, lengths, DECODER.begin(earlier), kept)
    texts = tokens_of(2, 4)
    torch.testing.assert_close(DECODER.step(texts, found)[0], DECODER.step(texts, DECODER.begin(frames, lengths))[0])


@torch.no_grad()
def test_what_cross_attention_is_asked_is_its_input_in_each_layer():
    asked = []
    hooks = [layer.cross_norm.register_forward_hook(lambda *given: asked.append(given[2])) for layer in DECODER.layers]
    texts, state = tokens_of(4, 5), repeated(DECODER.begin(random(2, 7, CONFIG.dim), torch.tensor([7, 4])), 2, 2)
    found = DECODER.asked(texts, state)
    for hook in hooks:
        hook.remove()
    assert torch.equal(found, torch.stack(asked, dim=1))
    _, later, _ = DECODER.step(texts[:, :2], state)
    torch.testing.assert_close(DECODER.asked(texts[:, 2:], later), found[:, :, 2:], **CLOSE)


@torch.no_grad()
def test_a_text_that_is_longer_than_the_positions_is_refused():
    state = DECODER.begin(random(1, 5, CONFIG.dim))
    _, state, _ = DECODER.step(tokens_of(1, CONFIG.positions), state)
    with pytest.raises(ConfigError, match="a text of 17 tokens; the decoder has 16 positions"):
        DECODER.step(tokens_of(1, 1), state)


def test_gradients_reach_every_parameter():
    decoder = random_decoder(CONFIG, 0.4)
    decoder(tokens_of(2, CONFIG.positions), random(2, 6, CONFIG.dim), torch.tensor([6, 3])).logsumexp(
        -1
    ).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in decoder.parameters())


@pytest.mark.parametrize(
    ("settings", "named"), [({"heads": 5}, "must be a multiple of heads"), ({"layers": 0}, r"model\.decoder\.layers")]
)
def test_a_shape_that_cannot_be_is_refused(settings, named):
    with pytest.raises(ConfigError, match=named):
        LabelDecoderConfig(**({"dim": 12} | settings))
