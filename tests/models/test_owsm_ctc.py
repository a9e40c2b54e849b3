"""The whole model: shapes, live equality, prompt, published size and vocabulary layout."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.models.checkpoint import build_empty
from speech.models.owsm_ctc import OwsmCtcConfig
from speech.nn.encoder.e_branchformer import EBranchformerConfig
from speech.nn.prompt import PromptConfig
from speech.text.vocabulary import Vocabulary

CHUNK = ChunkSpec(size=4, left_context=8)


def prefix_of(model, batch):
    vocabulary = model.vocabulary
    return torch.tensor([[vocabulary.nolang, vocabulary.task_id("asr")]] * batch)


@pytest.mark.parametrize("name", ["model", "published"])
@settings(max_examples=25, deadline=None)
@given(frames=st.integers(16, 200), pieces=st.lists(st.integers(1, 60), min_size=1, max_size=4))
@torch.no_grad()
def test_live_log_probabilities_equal_chunked_forward(request, name, frames, pieces):
    model = request.getfixturevalue(name)
    features = torch.randn(2, frames, 80)
    prefix = prefix_of(model, 2)
    whole = model(features, torch.tensor([frames, frames]), prefix, CHUNK)
    state, outputs, start = model.init_state(prefix, CHUNK), [], 0
    while start < frames:
        size = pieces[len(outputs) % len(pieces)]
        log_probs, _, state = model.step(features[:, start : start + size], state, CHUNK)
        outputs.append(log_probs)
        start += size
    outputs.append(model.finish(state, CHUNK)[0])
    live = torch.cat(outputs, dim=1)
    front = 2 if model.config.target_prefix else 0
    torch.testing.assert_close(live, whole.log_probs[:, front : front + live.shape[1]], atol=1e-4, rtol=1e-4)
    assert live.shape[1] == int(whole.lengths[0]) - front


@torch.no_grad()
def test_published_stream_begins_with_the_prefix_frames(published):
    features, lengths = torch.randn(1, 100, 80), torch.tensor([100])
    output = published(features, lengths, prefix_of(published, 1), intermediate=True)
    frames = published.encoder.subsampling.output_lengths(lengths)
    assert output.lengths.tolist() == (frames + 2).tolist()
    assert [y.shape for y in output.intermediate] == [output.log_probs.shape] * 2
    assert output.language_logits is None


@torch.no_grad()
def test_a_prompt_changes_the_published_model_and_is_refused_by_the_other(model, published):
    features, lengths = torch.randn(1, 100, 80), torch.tensor([100])
    bare = published(features, lengths, prefix_of(published, 1)).log_probs
    told = published(features, lengths, prefix_of(published, 1), prompt=[[10, 11, 12]]).log_probs
    assert not torch.allclose(bare, told)
    with pytest.raises(ConfigError, match="takes no text prompt"):
        model(features, lengths, prefix_of(model, 1), prompt=[[10]])


@torch.no_grad()
def test_the_language_prefix_changes_what_is_said(model):
    features, lengths = torch.randn(1, 100, 80), torch.tensor([100])
    prefix = prefix_of(model, 1)
    german = torch.tensor([[model.vocabulary.language_id("deu"), prefix[0, 1]]])
    assert not torch.allclose(model(features, lengths, prefix).log_probs, model(features, lengths, german).log_probs)


def test_published_architecture_has_its_published_size():
    languages = [f"l{number:02}" for number in range(151)]
    targets = [f"t{number:02}" for number in range(25)]
    pieces = [f"p{number}" for number in range(49999 - 181)]
    vocabulary = Vocabulary.build(languages, targets, pieces, sos_eos=True)
    assert len(vocabulary) == 50002
    assert vocabulary.task_id("asr") == 155
    assert vocabulary.piece_start == 181
    config = OwsmCtcConfig(encoder=EBranchformerConfig(), prompt=PromptConfig())
    model = build_empty(config, vocabulary)
    assert all(p.device.type == "meta" for p in model.parameters())
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    assert millions == pytest.approx(1011.342, abs=0.001)


def test_more_transcript_heads_than_heads_are_refused():
    with pytest.raises(ConfigError, match="inter_transcript"):
        OwsmCtcConfig(encoder=EBranchformerConfig(), inter_layers=[3], inter_transcript=2)
