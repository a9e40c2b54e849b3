"""The step: what is learned, and that requests of a row do not see each other."""

import math

import pytest
import torch
import torch.nn.functional as F

from speech.train.speech_lm.module import SpeechLmModule, targets_of, visible_places
from tests.changes import changed
from tests.tiny_dual_ar import tiny_dual_ar, tiny_dual_ar_config
from tests.train.speech_lm.corpus import some_packer, tiny


def module(tmp_path, **more) -> SpeechLmModule:
    model = tiny_dual_ar(tiny_dual_ar_config(positions=192, **more))
    return SpeechLmModule(model, changed(tiny(tmp_path, tmp_path, tmp_path), {"model": model.config}))


def one_by_one(found: SpeechLmModule, numbers: list[int]) -> dict[str, torch.Tensor]:
    """Losses from the scores of each utterance alone, written anew."""
    model, packer = found.speech_lm, some_packer(6)
    tokens, wanted_tokens, scores, wanted = [], [], [], []
    for number in numbers:
        said = packer.spoken[number].said
        frames, begin = packer.spoken[number].frames, len(said.tokens) - packer.spoken[number].frames - 2
        hidden = model(said.tokens[None].long(), said.codes[None].long())[0]
        codes = said.codes[:, begin + 1 : begin + 1 + frames].T.long()
        own = model.scores(hidden[begin : begin + frames + 1], torch.arange(frames), codes)
        tokens.append(own.tokens)
        wanted_tokens += [*codes[:, 0].tolist(), 12]
        scores.append(own.codes)
        wanted.append(codes)
    losses = {"code_0": F.cross_entropy(torch.cat(tokens), torch.tensor(wanted_tokens))}
    losses["code_1"] = F.cross_entropy(torch.cat(scores)[:, 0], torch.cat(wanted)[:, 1])
    return losses


def test_losses_of_a_packed_batch_are_those_of_its_utterances_alone(tmp_path):
    found = module(tmp_path)
    batch = some_packer(6).batch([[[0], [3], [5]], [[4], [1]]])
    loss, parts = found.loss(batch, None)
    wanted = one_by_one(found, [0, 3, 5, 4, 1])
    assert parts.keys() == {"code_0", "code_1"}
    for name, value in wanted.items():
        torch.testing.assert_close(parts[name], value.detach(), atol=1e-5, rtol=1e-5)
    assert float(loss.detach()) == pytest.approx(float(sum(parts.values())) / 2, rel=1e-5)


def test_a_prompted_request_sees_its_voice(tmp_path):
    found = module(tmp_path)
    alone = found.loss(some_packer(6).batch([[[0], [2]]]), None)[0]
    prompted = found.loss(some_packer(6).batch([[[0, 2]]]), None)[0]
    assert not torch.allclose(alone, prompted, atol=1e-4)
    own = targets_of(some_packer(6).batch([[[0, 2]]]), found.speech_lm)
    assert int(own.is_frame.sum()) == 3 + 5
    assert int((own.tokens == 12).sum()) == 2


def test_padding_and_texts_are_no_targets():
    packer = some_packer(6)
    batch = packer.batch([[[0]], [[5], [1]]])
    model = tiny_dual_ar()
    found = targets_of(batch, model)
    assert found.places.sum(dim=1).tolist() == [3 + 1, 8 + 1 + 4 + 1]
    assert int(found.is_frame.sum()) == 3 + 8 + 4
    said = packer.spoken[0].said
    assert found.tokens[:4].tolist() == [*said.codes[0, -4:-1].tolist(), 12]
    assert torch.equal(found.codes[:3], said.codes[:, -4:-1].T.long())


def test_places_see_earlier_ones_of_their_request():
    found = visible_places(torch.tensor([[0, 0, 1, -1]]))[0, 0]
    assert found.int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"first_in_tokens": False}, ("token", "code_0", "code_1")),
        ({"fast": {"kind": "parallel"}}, ("code_0", "code_1")),
        ({"codebooks": 2, "tied": True}, ("code_0", "code_1")),
    ],
    ids=str,
)
def test_every_codebook_has_a_loss_and_every_parameter_a_gradient(tmp_path, more, names):
    found = module(tmp_path, **more)
    batch = some_packer(6, found.speech_lm.config).batch([[[0], [3]], [[4]]])
    loss, parts = found.loss(batch, torch.Generator().manual_seed(0))
    assert parts.keys() == {*names}
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in found.model.parameters())


def test_of_the_frames_a_share_trains_the_fast_network(tmp_path, monkeypatch):
    found, seen = module(tmp_path), []
    original = type(found.speech_lm.fast).forward
    monkeypatch.setattr(
        type(found.speech_lm.fast), "forward", lambda self, *given: (seen.append(given[1]), original(self, *given))[1]
    )
    batch = some_packer(6).batch([[[0], [3]], [[4]]])
    for seed in (0, 0, 1):
        found.loss(batch, torch.Generator().manual_seed(seed))
    found.loss(batch, None)
    assert [len(codes) for codes in seen] == [8, 8, 8, 16]
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_scores_that_know_nothing_cost_the_logarithm_of_the_codes(tmp_path):
    found = module(tmp_path)
    with torch.no_grad():
        for parameter in (*found.speech_lm.output.parameters(), *found.speech_lm.fast.outputs.parameters()):
            parameter.zero_()
    _, parts = found.loss(some_packer(6).batch([[[0]]]), None)
    assert float(parts["code_0"]) == pytest.approx(math.log(13))
    assert float(parts["code_1"]) == pytest.approx(math.log(12))


def test_embeddings_and_norms_are_not_decayed(tmp_path):
    found = module(tmp_path)
    found.trainer = type("T", (), {})()
    groups = found.configure_optimizers()["optimizer"].param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    names = {name for name, p in found.model.named_parameters() if id(p) in decayed}
    assert "slow.layers.0.attention.qkv.weight" in names
    assert not [name for name in names if name.startswith("embed.") or "norm" in name]
