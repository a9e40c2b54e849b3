"""Each model is what its Protocol says, in every precision, and says of itself what its parts are."""

import inspect

import pytest
import torch

from speech.choices import Live
from speech.chunking import ChunkSpec
from speech.models.base import CtcModel, LabelModel
from speech.models.precision import Precision, with_precision
from speech.nn.cpu.int8 import int8_runs
from tests.tiny_whisper import tiny_whisper

PRECISIONS = [Precision.float32, Precision.bfloat16, *([Precision.int8] if int8_runs() else [])]


def members(protocol: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(protocol) if not name.startswith("_")}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["model", "published"])
def test_a_ctc_model_in_any_precision_has_what_the_protocol_names(request, name, precision):
    model = request.getfixturevalue(name)
    found = with_precision(model, precision)
    assert members(CtcModel) <= {*dir(found), *found._modules}
    assert found.device == torch.device("cpu")
    assert found.dtype == (torch.bfloat16 if precision == Precision.bfloat16 else torch.float32)
    assert found.parameter_count == sum(p.numel() for p in model.parameters())
    assert (found.dim, found.layers) == (model.config.encoder.dim, model.config.encoder.layers)
    assert found.writes_prefix == (name == "published")
    assert found.identifies_languages
    assert found.live == model.config.live == Live.chunks


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_label_model_in_any_precision_has_what_the_protocol_names(precision):
    found = with_precision(tiny_whisper(), precision)
    assert members(LabelModel) <= {*dir(found), *found._modules}
    assert found.dtype == (torch.bfloat16 if precision == Precision.bfloat16 else torch.float32)
    assert (found.max_frames, found.max_tokens) == (1500, 40)
    assert found.alignment_heads == [(1, 0), (1, 3)]
    assert (found.suppressed, found.suppressed_first) == ([0, 257], [32, 256])
    assert found.frame_s == 0.02
    assert found.live == found.config.live == Live.parts


@torch.inference_mode()
@pytest.mark.parametrize("name", ["model", "published"])
def test_a_stream_that_gets_the_features_that_it_misses_sees_its_chunk(request, name):
    model = request.getfixturevalue(name)
    chunk = ChunkSpec(size=4, left_context=8)
    state = model.init_state(torch.tensor([[1, 2]]), chunk)
    for _ in range(3):
        x, state = model.encode_step(torch.randn(1, model.missing(state, 4), 80), state, chunk)
        assert x.shape[1] == 4 * model.subsampling.factor // round(model.frame_s * 100)
