"""Files of models that hear ends of turns: what is written is read, and damage is named."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save

from speech.errors import ModelError
from speech.models.turn_voice import TurnVoiceModel, last_heard, load_turn_voice, save_turn_voice
from speech.nn.turn_voice import TurnVoiceConfig, TurnVoiceNetwork


def model():
    torch.manual_seed(1)
    return TurnVoiceModel(TurnVoiceNetwork(TurnVoiceConfig(width=16)), {"note": "é"})


def sound(seconds=2.0):
    return (np.sin(np.arange(round(seconds * 16_000)) * 0.2) * 0.3).astype(np.float32)


def test_what_is_written_is_read(tmp_path):
    save_turn_voice(tmp_path / "m", model(), "# card\n", {"more.txt": b"x"})
    read = load_turn_voice(tmp_path / "m")
    assert read.info == {"note": "é"}
    assert read.log_odds(sound(), 30_000) == pytest.approx(model().log_odds(sound(), 30_000), abs=2e-2)
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "README.md", "config.json", "model.safetensors", "more.txt",
    }  # fmt: skip


def test_only_the_last_seconds_before_the_pause_are_heard():
    own, samples = model(), sound(6.0)
    assert len(last_heard(samples, 80_000)) == 64_000 + 640
    assert len(last_heard(samples, 8_000)) == 8_640
    changed = samples.copy()
    changed[: 80_000 - 64_000] = 0.0
    changed[80_640:] = 0.5
    assert own.log_odds(samples, 80_000) == own.log_odds(changed, 80_000)
    assert own.log_odds(samples, 100) is None


def test_a_generator_that_was_seeded_is_left_alone(tmp_path):
    save_turn_voice(tmp_path / "m", model(), "", {})
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load_turn_voice(tmp_path / "m")
    assert torch.rand(1) == expected


def test_weights_that_float16_cannot_hold_are_not_written(tmp_path):
    own = model()
    own.network.output.bias.data.fill_(1e6)
    with pytest.raises(ModelError, match="not finite in float16"):
        save_turn_voice(tmp_path / "m", own, "", {})
    assert not (tmp_path / "m").exists()


def record(**other):
    size = {"width": 16, "kernel": 7, "dilations": [1, 2, 4, 1]}
    return json.dumps({"format": 1, "kind": "turn_voice", "network": size, "info": {}} | other).encode()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", b"{", "is no record"),
        ("config.json", b"[]", "is no record"),
        ("config.json", record(kind="codec"), "kind 'codec'; expected 'turn_voice'"),
        ("config.json", record(network={"width": "wide"}), "is no record"),
        ("config.json", record(network={"width": 32, "kernel": 7, "dilations": [1]}), "holds no weights"),
        ("model.safetensors", b"nothing", "holds no weights"),
        ("model.safetensors", save({"other": torch.zeros(3)}), "holds no weights"),
    ],
)
def test_damage_is_named(tmp_path, name, content, said):
    save_turn_voice(tmp_path / "m", model(), "", {})
    (tmp_path / "m" / name).write_bytes(content)
    with pytest.raises(ModelError, match=said):
        load_turn_voice(tmp_path / "m")
    (tmp_path / "m" / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}"):
        load_turn_voice(tmp_path / "m")
