"""Training of a tiny model on the codes of tones: it learns, resumes exactly, and says of itself what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from speech.data.manifest import read_manifest, write_manifest
from speech.errors import ConfigError, DataError
from speech.models.aligned_ar import AlignedAr
from speech.models.codec_checkpoint import CodecCheckpoint, save_codec_checkpoint
from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from speech.models.speech_lm_checkpoint import load_own_codec, load_speech_lm_checkpoint
from speech.nn.speech_lm.text_encoder import TextEncoderConfig
from speech.tensors import save_tensors
from speech.train.loop.averaging import average, snapshots
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.loop.state import CHECKPOINT
from speech.train.speech_lm.config import LoraConfig, SpeechLmInitConfig, SpeechLmTrainConfig, SpeechTextConfig
from speech.train.speech_lm.run import train_speech_lm
from tests.changes import changed
from tests.pronounced import save_tiny_letter_phonemes
from tests.tiny_codec import tiny_codec, tiny_codec_config
from tests.train.codec.corpus import spoken
from tests.train.speech_lm.corpus import kept_codec, tiny

__all__ = ["spoken"]  # fixtures


@pytest.fixture(scope="module")
def codec(tmp_path_factory) -> Path:
    return kept_codec(tmp_path_factory.mktemp("codec") / "model")


@pytest.fixture(scope="module")
def whole(spoken, codec, tmp_path_factory) -> Path:
    """A run of six steps, which nobody may change."""
    return train_speech_lm(tiny(spoken, codec, tmp_path_factory.mktemp("whole") / "run"))


def steps(folder: Path) -> list[dict[str, float]]:
    """Losses of each step, without what depends on the clock."""
    rows = [row for row in read_metrics(folder / "metrics.jsonl") if "train/code_0" in row]
    return [{name: row[name] for name in row if name == "step" or name.startswith("train/code")} for row in rows]


def test_the_result_is_the_mean_of_the_last_snapshots(whole):
    found = load_speech_lm_checkpoint(whole).model.state_dict()
    assert [path.stem for path in snapshots(whole.parent / "snapshots")] == ["00000004", "00000006"]
    wanted = average(snapshots(whole.parent / "snapshots"))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)


def test_shape_and_vocabulary_are_those_of_codec_and_corpus(whole):
    loaded = load_speech_lm_checkpoint(whole)
    assert (loaded.model.codebooks, loaded.model.codebook_size, loaded.model.frame_s) == (2, 12, 0.01)
    assert loaded.vocabulary.languages == ("deu", "eng")
    assert load_own_codec(whole).model.config == tiny_codec().config


def test_every_validation_reports_each_codebook(whole):
    rows = [row for row in read_metrics(whole.parent / "metrics.jsonl") if "dev/loss" in row]
    assert [row["step"] for row in rows] == [0, 3, 6]
    for row in rows:
        assert row["dev/loss"] == pytest.approx((row["dev/code_0"] + row["dev/code_1"]) / 2, abs=1e-4)
    assert (whole.parent / "learning_curve.png").stat().st_size > 5000


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(spoken, codec, whole, tmp_path, monkeypatch):
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 5:
            raise Killed

    config = tiny(spoken, codec, tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train_speech_lm(config)
    assert torch.load(tmp_path / "cut" / CHECKPOINT, weights_only=True)["global_step"] == 4
    result = train_speech_lm(config)
    assert steps(tmp_path / "cut") == steps(whole.parent)
    assert len(steps(whole.parent)) == 6
    expected, found = (load_speech_lm_checkpoint(path).model.state_dict() for path in (whole, result))
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert train_speech_lm(config) == result  # a finished run is not repeated
    assert len(steps(tmp_path / "cut")) == 6


def test_codes_of_an_earlier_run_need_no_audio(spoken, codec, whole, tmp_path):
    for part in ("train", "dev", "test"):
        lines = [changed(own, {"audio": tmp_path / "gone.wav"}) for own in read_manifest(spoken / f"{part}.jsonl")]
        write_manifest(lines, tmp_path / f"{part}.jsonl")
    config = tiny(tmp_path, codec, tmp_path / "run")
    with pytest.raises(DataError, match="no such file"):
        train_speech_lm(config)
    result = train_speech_lm(changed(config, {"codes": str(whole.parent / "codes")}))
    expected, found = (load_speech_lm_checkpoint(path).model.state_dict() for path in (whole, result))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_model_is_trained_on(spoken, whole, tmp_path, rank):
    if rank:
        pytest.importorskip("peft")
    config = tiny(spoken, Path(), tmp_path / "run", max_steps=2, average=0)
    init = SpeechLmInitConfig(checkpoint=str(whole))
    result = train_speech_lm(changed(config, {"init": init, "codec": "", "lora": LoraConfig(rank=rank)}))
    before, after = load_speech_lm_checkpoint(whole), load_speech_lm_checkpoint(result)
    assert after.vocabulary == before.vocabulary
    assert after.model.config == before.model.config
    old, new = before.model.state_dict(), after.model.state_dict()
    assert old.keys() == new.keys()
    frozen = {name for name in old if torch.equal(old[name], new[name])}
    if rank:
        assert all(
            ("attention" in name or "feed_forward" in name) == (name not in frozen)
            for name in old
            if "norm" not in name
        )
    else:
        assert not frozen - {name for name in old if "norm" in name}
    assert "It began as model." in (result / "README.md").read_text()
    assert load_own_codec(result).model.config == tiny_codec().config


def test_a_model_with_speakers_learns_from_their_embeddings(spoken, codec, tmp_path):
    save_tensors(tmp_path / "speakers.safetensors", {"ann": torch.ones(3)})
    for part in ("train", "dev", "test"):
        lines = [changed(own, {"speaker": "ann"}) for own in read_manifest(spoken / f"{part}.jsonl")]
        write_manifest(lines, tmp_path / f"{part}.jsonl")
    config = tiny(tmp_path, codec, tmp_path / "run", max_steps=2, average=0)
    model = changed(config.model, {"speaker_dim": 3})
    config = replace(config, model=model, speakers=str(tmp_path / "speakers.safetensors"))
    config = replace(config, pronunciation=str(save_tiny_letter_phonemes(tmp_path / "letters")))
    result = train_speech_lm(config)
    loaded = load_speech_lm_checkpoint(result)
    assert loaded.model.config.speaker_dim == 3
    assert list(loaded.speakers) == ["ann"]
    assert loaded.speakers["ann"].embedding.tolist() == [1, 1, 1]
    assert load_letter_phonemes_checkpoint(result / "pronunciation").info == {"note": "tiny"}
    save_tensors(tmp_path / "speakers.safetensors", {"ann": torch.ones(4)})
    with pytest.raises(DataError, match=r"ann has shape \(4,\), expected \(3,\)"):
        train_speech_lm(replace(config, output=str(tmp_path / "other")))


def test_the_card_says_what_it_is_and_no_path_of_this_machine(whole, spoken):
    card, info = (whole / "README.md").read_text(), load_speech_lm_checkpoint(whole).info
    assert "bytes of texts to 2 codes out of 12 per frame of 10.0 ms" in card
    assert "Trained for 6 steps on 0.0 h of speech in 2 languages" in card
    assert "| tones | CC0 |" in card
    assert f"| code_1 | {info['dev']['dev/code_1']} |" in card
    assert {path.name for path in whole.iterdir()} == {
        "README.md", "config.json", "learning_curve.png", "metrics.jsonl", "model.safetensors", "codec",
    }  # fmt: skip
    for path in whole.iterdir():
        if path.is_file():
            assert str(spoken).encode() not in path.read_bytes()
            assert str(whole).encode() not in path.read_bytes()


def test_what_cannot_be_trained_is_said_before_the_first_step(spoken, codec, whole, tmp_path):
    config = tiny(spoken, codec, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"trainer\.devices 2"):
        train_speech_lm(changed(config, {"trainer.devices": 2}))
    other = changed(tiny_codec_config(), {"quantizer.levels": [3, 3]}).build()
    save_codec_checkpoint(tmp_path / "other", CodecCheckpoint(other, {}), card="# other")
    init = {"codec": str(tmp_path / "other"), "init": SpeechLmInitConfig(checkpoint=str(whole))}
    with pytest.raises(ConfigError, match="the codec has 2 codebooks of 9 codes, the model 2 of 12"):
        train_speech_lm(changed(config, init))
    with pytest.raises(ConfigError, match="no utterance of train is left"):
        train_speech_lm(changed(config, {"packing.places": 20}))
    with pytest.raises(DataError, match="no such file"):
        train_speech_lm(changed(config, {"codes": str(tmp_path)}))
    assert not (tmp_path / "run" / "last.ckpt").exists()


@pytest.fixture
def aligned(spoken, codec, tmp_path) -> SpeechLmTrainConfig:
    """A run on texts of symbols whose durations are known; two recordings in three are aligned."""
    for part in ("train", "dev"):
        durations = {}
        for number, own in enumerate(read_manifest(spoken / f"{part}.jsonl")):
            if number % 3:
                durations[own.id] = torch.full((len(own.text),), own.duration_s / len(own.text))
        save_tensors(tmp_path / "alignments" / f"{part}.safetensors", durations)
    text = SpeechTextConfig(unit="symbols")
    changes = {"conditioner": "aligned", "alignments": str(tmp_path / "alignments"), "text": text}
    return replace(tiny(spoken, codec, tmp_path / "run"), **changes, text_encoder=TextEncoderConfig(dim=8))


def test_an_aligned_model_is_trained_and_a_killed_run_resumes_to_the_same_weights(aligned, tmp_path, monkeypatch):
    whole = train_speech_lm(aligned)
    loaded = load_speech_lm_checkpoint(whole)
    assert isinstance(loaded.model, AlignedAr)
    assert loaded.vocabulary.layout.frames == 0
    assert (loaded.model.codebooks, loaded.model.codebook_size, loaded.model.frame_s) == (2, 12, 0.01)
    rows = [row for row in read_metrics(whole.parent / "metrics.jsonl") if "dev/loss" in row]
    assert rows[-1]["dev/duration"] < rows[0]["dev/duration"]
    assert rows[-1]["dev/code_0"] < rows[0]["dev/code_0"]
    assert "each frame is told its symbol" in (whole / "README.md").read_text()
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 5:
            raise Killed

    config = replace(aligned, output=str(tmp_path / "cut"))
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train_speech_lm(config)
    found = load_speech_lm_checkpoint(train_speech_lm(config)).model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in loaded.model.state_dict().items())

    init = {"init": SpeechLmInitConfig(checkpoint=str(whole)), "codec": "", "output": str(tmp_path / "mine")}
    with pytest.raises(ConfigError, match="alignments '' for an aligned model"):
        train_speech_lm(replace(aligned, **init, alignments=""))
    one = changed(replace(aligned, **init), {"trainer.max_steps": 1, "trainer.average": 0})
    assert isinstance(load_speech_lm_checkpoint(train_speech_lm(one)).model, AlignedAr)


def test_phonemes_are_symbols_of_the_corpus(spoken, codec, tmp_path):
    config = tiny(spoken, codec, tmp_path / "run", max_steps=1, average=0)
    text = SpeechTextConfig(unit="symbols", languages=False)
    vocabulary = load_speech_lm_checkpoint(train_speech_lm(changed(config, {"text": text}))).vocabulary
    assert vocabulary.symbols == tuple("enot")
    assert vocabulary.languages == ()
