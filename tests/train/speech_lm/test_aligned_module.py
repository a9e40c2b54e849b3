"""The step of aligned models: losses of a packed batch are those of its utterances alone."""

import math

import pytest
import torch
import torch.nn.functional as F

from speech.models.aligned_ar import AlignedFrames
from speech.nn.speech_lm.text_encoder import duration_loss
from speech.train.speech_lm.aligned_batches import AlignedPacker
from speech.train.speech_lm.aligned_module import AlignedModule
from tests.changes import changed
from tests.tiny_aligned_ar import tiny_aligned_ar, tiny_aligned_config
from tests.tiny_codec import tiny_codec
from tests.train.speech_lm.corpus import some_aligned, tiny


def module(tmp_path, weight=0.5, **more) -> AlignedModule:
    config = changed(tiny(tmp_path, tmp_path, tmp_path), {"duration_weight": weight})
    return AlignedModule(tiny_aligned_ar(tiny_aligned_config(codebooks=2, **more)), config)


def test_losses_of_a_packed_batch_are_those_of_its_utterances_alone(tmp_path):
    found, spoken, numbers = module(tmp_path), some_aligned(6), [0, 3, 5, 4, 1]
    loss, parts = found.loss(AlignedPacker(spoken, tiny_codec(), None).batch([[[0], [3], [5]], [[4], [1]]]), None)
    scores, codes, log_frames, frames = [], [], [], []
    for own in (spoken[n] for n in numbers):
        counts, wanted = own.alignment.frame_counts.tolist(), own.codes.long()
        symbols = own.symbols[None].long()
        given = AlignedFrames(
            symbols=symbols,
            languages=torch.full_like(symbols, own.language),
            utterances=torch.zeros_like(symbols),
            speakers=None,
            said=torch.tensor([[n for n, count in enumerate(counts) for _ in range(count)]]),
            inside=torch.tensor([[n for count in counts for n in range(count)]]),
            before=torch.cat([torch.full((2, 1), -1), wanted[:, :-1]], dim=1)[None],
        )
        output = found.aligned_ar(given)
        scores.append(found.aligned_ar.scores(output.hidden[0], torch.arange(wanted.shape[1]), wanted.T))
        codes.append(wanted.T)
        log_frames.append(output.log_frames[0])
        frames.append(own.alignment.frames)
    wanted = torch.cat(codes)
    expected = {"code_0": F.cross_entropy(torch.cat([own.first for own in scores]), wanted[:, 0])}
    expected["code_1"] = F.cross_entropy(torch.cat([own.others for own in scores])[:, 0], wanted[:, 1])
    expected["duration"] = duration_loss(torch.cat(log_frames), torch.cat(frames).float())
    assert parts.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(parts[name], value.detach(), atol=1e-5, rtol=1e-5)
    mean = (float(parts["code_0"]) + float(parts["code_1"])) / 2
    assert float(loss.detach()) == pytest.approx(mean + 0.5 * float(parts["duration"]), rel=1e-5)


def test_a_prompted_request_sees_its_voice(tmp_path):
    found, packer = module(tmp_path), AlignedPacker(some_aligned(6), tiny_codec(), None)
    alone, prompted = (found.loss(packer.batch([rows]), None)[1] for rows in ([[0], [2]], [[0, 2]]))
    assert abs(float(alone["code_0"]) - float(prompted["code_0"])) > 1e-4
    assert float(alone["duration"]) == pytest.approx(float(prompted["duration"]), rel=1e-5)


@pytest.mark.parametrize("more", [{}, {"fast": {"kind": "parallel"}}], ids=str)
def test_every_parameter_has_a_gradient_and_few_are_decayed(tmp_path, more):
    found = module(tmp_path, **more)
    batch = AlignedPacker(some_aligned(6), tiny_codec(), None).batch([[[0], [3]], [[4]]])
    found.loss(batch, torch.Generator().manual_seed(0))[0].backward()
    assert not [name for name, p in found.model.named_parameters() if p.grad is None or not p.grad.any()]
    found.trainer = type("T", (), {})()
    groups = found.configure_optimizers()["optimizer"].param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    names = {name for name, p in found.model.named_parameters() if id(p) in decayed}
    assert "text.encoder.layers.0.taps.weight" in names
    assert not [name for name in names if name.startswith("embed.") or "norm" in name]


def test_scores_that_know_nothing_cost_the_logarithm_of_the_codes(tmp_path):
    found = module(tmp_path)
    with torch.no_grad():
        for parameter in (*found.aligned_ar.output.parameters(), *found.aligned_ar.fast.outputs.parameters()):
            parameter.zero_()
    _, parts = found.loss(AlignedPacker(some_aligned(6), tiny_codec(), None).batch([[[0]]]), None)
    assert [float(parts[f"code_{n}"]) for n in range(2)] == pytest.approx([math.log(12)] * 2)
