"""Encoded audio: prefix frames are left out, and what is known of languages stands beside each frame."""

import pytest
import torch

from speech.recognize.encoded import batch_of


@torch.inference_mode()
@pytest.mark.parametrize("name", ["model", "published"])
def test_frames_behind_the_prefix_are_kept_with_the_evidence_of_each(request, name):
    model = request.getfixturevalue(name)
    features = torch.randn(2, 200, 80, generator=torch.Generator().manual_seed(0))
    lengths, prefix = torch.tensor([200, 120]), torch.tensor([[1, 4], [1, 4]])
    encoded = model.encode(features, lengths, prefix)
    found = batch_of(model, encoded, prefix)
    front = 2 if model.writes_prefix else 0
    assert found.frames == tuple((encoded.lengths - front).tolist())
    assert torch.equal(found.x, encoded.x[:, front:])
    x, evidence = found.select(1)
    assert len(x) == len(evidence) == found.frames[1]
    torch.testing.assert_close(evidence.logsumexp(dim=-1), torch.zeros(len(evidence)), atol=1e-5, rtol=0)
    if model.writes_prefix:  # said once, for all frames
        assert torch.equal(evidence, evidence[:1].expand_as(evidence))
    else:
        expected = torch.log_softmax(encoded.language_logits, dim=-1)
        assert torch.equal(evidence, expected[1, : len(evidence)])


def test_of_a_model_that_tells_no_languages_there_is_no_evidence(model, monkeypatch):
    features, prefix = torch.randn(1, 60, 80), torch.tensor([[1, 4]])
    with torch.inference_mode():
        encoded = model.encode(features, torch.tensor([60]), prefix)._replace(language_logits=None)
        found = batch_of(model, encoded, prefix)
    assert found.evidence is None
    assert found.select(0)[1] is None
