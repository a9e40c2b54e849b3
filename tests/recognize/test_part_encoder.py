"""Parts are encoded whatever their mates; what a label model has begun goes on, unless an adapter is at work."""

import numpy as np
import pytest
import torch

from speech.decode.label.joint import JointConfig
from speech.models.hybrid import load_hybrid
from speech.nn.adapters import Adapter, AdapterBank
from speech.recognize.adapter_tokens import AdapterTokens
from speech.recognize.part_encoder import PartEncoder
from speech.recognize.request import LabelLanguages, Request
from tests.tiny_hybrid import save_tiny_hybrid

SAMPLES = np.random.default_rng(0).standard_normal(24_000).astype(np.float32) * 0.1


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory):
    path = tmp_path_factory.mktemp("shared") / "tiny"
    save_tiny_hybrid(path, JointConfig(), shared_layers=1)
    return load_hybrid(path)


@pytest.fixture
def encoder(hybrid) -> PartEncoder:
    return PartEncoder(
        hybrid.ctc.model, AdapterTokens(hybrid.ctc.tokenizer), LabelLanguages(("spa",), ("eng",)), extends=True
    )


def lower(hybrid):
    with torch.inference_mode():
        return hybrid.label.model.lower(torch.from_numpy(SAMPLES)[None], torch.tensor([len(SAMPLES)]), 1)


def test_a_part_is_encoded_as_if_alone(encoder):
    requests = [Request(("deu",)), Request()]
    together = encoder.encode([SAMPLES, SAMPLES[:9000]], requests)
    for row, samples in enumerate((SAMPLES, SAMPLES[:9000])):
        alone = encoder.encode([samples], requests[row : row + 1])
        for one, other in zip(together.select(row), alone.select(0), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_what_shared_layers_have_made_of_a_part_is_gone_on_with(encoder, hybrid):
    whole, half = (encoder.encode([SAMPLES], [Request(("deu",))], begun) for begun in (None, lower(hybrid)))
    assert whole.frames == half.frames
    assert torch.cosine_similarity(whole.x, half.x, dim=-1).min() > 0.9  # positions on a ring differ a little
    begun = lower(hybrid)
    changed = encoder.encode([SAMPLES], [Request(("deu",))], begun._replace(x=begun.x.flip(1)))
    assert not torch.allclose(changed.x, whole.x, atol=0.1)


def test_with_an_adapter_lower_layers_are_computed_again(encoder, hybrid):
    adapter = Adapter((1,), 32, 8)
    with torch.no_grad():
        adapter.up.normal_()
    encoder.adapters = AdapterBank({"deu": adapter.requires_grad_(False)})
    begun = lower(hybrid)._replace(x=torch.zeros_like(lower(hybrid).x))
    named, other = (encoder.encode([SAMPLES], [Request((code,))], begun) for code in ("deu", "eng"))
    assert torch.equal(named.x, encoder.encode([SAMPLES], [Request(("deu",))]).x)
    assert not torch.allclose(other.x, encoder.encode([SAMPLES], [Request(("eng",))]).x, atol=0.1)
    encoder.adapters = None
    assert not torch.allclose(named.x, encoder.encode([SAMPLES], [Request(("deu",))]).x, atol=0.1)
