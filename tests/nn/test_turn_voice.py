"""The network that hears ends of turns: rows, lengths and loudness."""

import torch

from speech.nn.turn_voice import N_MELS, TurnVoiceConfig, TurnVoiceNetwork, levelled_frames, turn_log_mel


def network():
    torch.manual_seed(1)
    return TurnVoiceNetwork(TurnVoiceConfig(width=16)).eval()


def test_what_lies_in_front_of_a_row_does_not_count():
    own, frames = network(), torch.randn(1, 101, N_MELS)
    alone = own(frames, torch.tensor([101]))
    for missing in (1, 2, 3, 50):
        padded = torch.cat([torch.full((1, missing, N_MELS), 7.0), frames], dim=1)
        assert torch.allclose(own(padded, torch.tensor([101])), alone, atol=1e-5)


def test_batch_mates_do_not_matter():
    own, one, other = network(), torch.randn(90, N_MELS), torch.randn(400, N_MELS)
    rows = torch.zeros(2, 400, N_MELS)
    rows[0, 310:], rows[1] = one, other
    together = own(rows, torch.tensor([90, 400]))
    assert torch.allclose(together[0], own(one[None], torch.tensor([90]))[0], atol=1e-5)
    assert torch.allclose(together[1], own(other[None], torch.tensor([400]))[0], atol=1e-5)


def test_the_end_weighs():
    own, frames = network(), torch.randn(1, 200, N_MELS)
    changed = frames.clone()
    changed[:, -20:] += 1.0
    assert not torch.allclose(own(frames, torch.tensor([200])), own(changed, torch.tensor([200])), atol=1e-3)


def test_loudness_does_not_count():
    samples = torch.randn(16_000) * torch.linspace(0.1, 0.5, 16_000)
    loud, quiet = (levelled_frames(turn_log_mel(), samples * gain) for gain in (1.0, 0.1))
    assert loud.shape[1] == N_MELS
    assert (loud - quiet).abs().max() < 0.05
