"""Training on a tiny real-format corpus: it learns, resumes exactly, averages, draws, and its result loads."""

import json
import math
import shutil
from pathlib import Path

import lightning as L
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest
from speech.data.plan import BatchConfig
from speech.errors import ConfigError, DataError
from speech.models.checkpoint import Storage, load_checkpoint
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.text.vocabulary import Vocabulary
from speech.train.asr.config import ChunkConfig, DataConfig, InitConfig, TokenizerConfig, TrainConfig
from speech.train.asr.init import build_model, build_tokenizer, quiet_prefix
from speech.train.asr.module import CtcModule
from speech.train.asr.run import TrainResult, train
from speech.train.loop.averaging import average, save_snapshot, snapshots
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.loop.optimizer import build_optimizer, rate_factor, schedule_factor
from tests.changes import changed


def tiny(corpus: Path, output: Path, **trainer: object) -> TrainConfig:
    encoder = WhisperEncoderConfig(dim=48, layers=2, heads=4, hidden=96, period=600, reduce_after=1)
    settings = {"max_steps": 8, "validate_every": 4, "checkpoint_every": 2, "average_every": 2, "average": 2}
    return TrainConfig(
        name="tiny",
        output=str(output),
        model=OwsmCtcConfig(
            encoder=encoder,
            front_end=FrontEnd.whisper,
            inter_layers=[1],
            inter_transcript=1,
            inter_norm=True,
            target_prefix=False,
            language_head=True,
            prompt_dim=8,
        ),
        data=DataConfig(
            root=str(corpus), batches=BatchConfig(batch_s=20.0, max_s=5.0, concatenate_max_s=4.0), workers=0
        ),
        tokenizer=TokenizerConfig(size=40),
        chunk=ChunkConfig(sizes=[8, 16], left_context=32),
        optimizer=OptimizerConfig(lr=3e-3, warmup=4),
        trainer=TrainerConfig(**(settings | {"progress": False, "accelerator": "cpu"} | trainer)),
    )


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory) -> TrainResult:
    """A run of eight steps, which nobody may change."""
    result = train(tiny(corpus, tmp_path_factory.mktemp("whole") / "run"))
    assert result is not None
    return result


def untrained(config: TrainConfig, corpus: Path) -> dict[str, torch.Tensor]:
    """The parameters that a run begins with."""
    utterances = read_manifest(corpus / "train.jsonl", corpus)
    L.seed_everything(config.seed, verbose=False)
    return build_model(config, build_tokenizer(config, utterances), utterances).state_dict()


def trained(config: TrainConfig) -> dict[str, torch.Tensor]:
    """The parameters that a run ends with."""
    result = train(config)
    assert result is not None
    return load_checkpoint(result.checkpoint).model.state_dict()


def test_a_run_leaves_a_model_that_transcribes_a_curve_a_card_and_a_table(corpus, whole):
    folder = whole.checkpoint.parent
    assert whole.table is not None
    assert set(whole.table.rows) == {"deu", "eng"}
    assert (folder / "learning_curve.png").stat().st_size > 5000
    assert "CC0" in (whole.checkpoint / "README.md").read_text()
    assert Recognizer.from_pretrained(str(whole.checkpoint)).transcribe(corpus / "test0.wav").duration_s == 0.8
    assert json.loads((folder / "config.json").read_text())["config"]["seed"] == 1
    assert not list(folder.rglob(".*partial"))


def test_it_learns(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "run", max_steps=200, validate_every=50, checkpoint_every=200, average_every=100)
    config = changed(
        config,
        {
            "evaluate": False,
            "data.augment": None,
            "data.batches.concatenate_probability": 0.0,
            "chunk.probability": 0.0,
            "loss.time_masks": 0,
            "loss.freq_masks": 0,
        },
    )
    train(config)
    losses = [row["dev/final"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev/final" in row]
    assert losses[-1] < 0.4 * losses[0]


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_result(corpus, whole, tmp_path, monkeypatch):
    expected = whole.checkpoint
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == 5:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train(tiny(corpus, tmp_path / "cut"))
    resumed = train(tiny(corpus, tmp_path / "cut")).checkpoint
    a, b = load_file(expected / "model.safetensors"), load_file(resumed / "model.safetensors")
    assert all(torch.equal(a[key], b[key]) for key in a)
    steps = [row["step"] for row in read_metrics(tmp_path / "cut" / "metrics.jsonl")]
    assert steps == sorted(steps)


def test_a_finished_run_is_not_repeated_and_an_old_one_not_overwritten(corpus, whole, tmp_path):
    shutil.copytree(whole.checkpoint.parent, tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 8, "train/final": 0.125}\n')  # a step would add a line
    config = tiny(corpus, tmp_path / "run")
    again = train(config)
    assert again is not None
    assert again.table == whole.table
    assert read_metrics(tmp_path / "run" / "metrics.jsonl") == [{"step": 8, "train/final": 0.125}]
    config = changed(config, {"resume": False})
    with pytest.raises(ConfigError, match="holds a run"):
        train(config)


def test_a_run_starts_from_a_checkpoint_or_its_encoder_alone(corpus, whole, tmp_path):
    source = load_checkpoint(whole.checkpoint).model.state_dict()
    config = tiny(corpus, tmp_path / "encoder")
    config = changed(
        config,
        {"init": InitConfig(checkpoint=str(whole.checkpoint), encoder_only=True), "tokenizer.size": 18, "seed": 5},
    )
    (tmp_path / "encoder").mkdir()
    found = untrained(config, corpus)
    encoder = [key for key in source if key.startswith(("encoder.", "feature_"))]
    assert len(encoder) > 20
    assert all(torch.equal(found[key], source[key]) for key in encoder)
    assert found["ctc.linear.weight"].shape[0] < source["ctc.linear.weight"].shape[0]  # a tokenizer of its own
    assert not torch.equal(found["embed_proj.weight"], source["embed_proj.weight"])
    config = changed(config, {"init": InitConfig()})
    other = untrained(config, corpus)
    assert not torch.equal(other[f"{FIRST}.weight"], source[f"{FIRST}.weight"])

    config = tiny(corpus, tmp_path / "all", max_steps=1, average_every=1)
    config = changed(
        config, {"init": InitConfig(checkpoint=str(whole.checkpoint)), "optimizer": STILL, "evaluate": False}
    )
    found = trained(config)
    assert found.keys() == source.keys()
    for key, value in source.items():
        torch.testing.assert_close(found[key], value, atol=1e-3, rtol=0, msg=key)  # float16 on disk, twice


FIRST = "encoder.layers.0.feed_forward.up"
STILL = OptimizerConfig(lr=1e-9, warmup=1, weight_decay=0.0)
"""With this, nothing moves that float16 would show."""


def test_frozen_layers_stay_and_others_move(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "a", max_steps=2, average_every=2)
    config = changed(config, {"optimizer.frozen_layers": 1, "storage": Storage.float32, "evaluate": False})
    moved, start = trained(config), untrained(config, corpus)
    key = "encoder.layers.{}.feed_forward.up.weight"
    assert torch.equal(moved[key.format(0)], start[key.format(0)])
    assert not torch.equal(moved[key.format(1)], start[key.format(1)])


def test_while_the_heads_learn_first_the_encoder_rests(corpus, tmp_path):
    for name, heads_first, moves in (("rest", 3, False), ("go", 2, True)):
        config = tiny(corpus, tmp_path / name, max_steps=3, average=1, average_every=1)
        config = changed(config, {"optimizer.heads_first": heads_first, "storage": Storage.float32, "evaluate": False})
        after, before = trained(config), untrained(config, corpus)
        for key in ("encoder.layers.0.feed_forward.up.weight", "encoder.norm.weight"):
            assert torch.equal(after[key], before[key]) != moves, (name, key)
        assert not torch.equal(after["ctc.linear.weight"], before["ctc.linear.weight"])


def test_chunks_begin_when_they_are_told_to(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "run")
    config = changed(config, {"chunk.probability": 1.0, "chunk.begins": 1})
    module = CtcModule(OwsmCtc(config.model, Vocabulary.build(["eng"], [], ["a"])), config)
    assert module._chunk(torch.Generator()) is None
    module = CtcModule(module.model, changed(config, {"chunk.begins": 0}))
    assert module._chunk(torch.Generator()) is not None


def test_prefix_frames_start_as_silence_with_a_little_of_their_own():
    config = OwsmCtcConfig(
        encoder=WhisperEncoderConfig(period=600),
        front_end=FrontEnd.whisper,
        inter_layers=[],
        inter_transcript=0,
        target_prefix=False,
        prompt_dim=64,
    )
    torch.manual_seed(0)
    model = OwsmCtc(config, Vocabulary.build(["eng", "deu"], [], ["a"])).eval()
    for convolution in (model.encoder.subsampling.conv1, model.encoder.subsampling.conv2):
        nn.init.normal_(convolution.weight, std=0.2)  # as loud as Whisper's
    quiet = torch.zeros(1, 16000)
    with torch.no_grad():
        quiet_prefix(model, model.encoder)
        frames, _ = model.encoder.subsampling(*model.features(quiet, torch.tensor([16000])))
        silence = frames[0, 25] + model.encoder.positions(torch.tensor([0]))[0]
        ids = [model.vocabulary.language_id(code) for code in ("eng", "deu")]
        prefix = model.prefix(torch.tensor([ids]))[0]
    assert torch.cosine_similarity(prefix, silence[None]).min() > 0.8
    assert not torch.allclose(prefix[0], prefix[1], atol=0.05)


def test_a_model_from_nothing_sees_features_around_0_with_deviation_1(corpus, tmp_path):
    config = tiny(corpus, tmp_path, max_steps=1)
    config = changed(config, {"model.front_end": FrontEnd.owsm})
    utterances = read_manifest(corpus / "train.jsonl", corpus)
    model = build_model(config, build_tokenizer(config, utterances), utterances)
    samples = torch.from_numpy(load_audio(corpus / "test0.wav"))[None]
    features = model.normalise(model.features(samples, torch.tensor([samples.shape[1]]))[0])
    assert model.feature_mean.mean() < -3
    assert features.mean().abs() < 0.5
    assert 0.5 < features.std() < 1.5


def test_missing_data_is_said_before_anything_runs(corpus, tmp_path):
    config = tiny(corpus, tmp_path / "run")
    config = changed(config, {"data.languages": ["fra"]})
    with pytest.raises(DataError, match="no utterance"):
        train(config)
    config = changed(config, {"data.root": ""})
    with pytest.raises(ConfigError, match=r"data\.root"):
        train(config)


def test_rates_fall_towards_the_lower_layers():
    config = OptimizerConfig(encoder_lr=0.5, layer_decay=0.8)
    assert rate_factor("ctc.linear.weight", 6, config) == 1.0
    assert rate_factor("encoder.layers.5.attention.query.weight", 6, config) == 0.5
    assert rate_factor("encoder.layers.0.attention.query.weight", 6, config) == pytest.approx(0.5 * 0.8**5)
    assert rate_factor("encoder.subsampling.conv1.weight", 6, config) == pytest.approx(0.5 * 0.8**6)
    groups = build_optimizer(nn.Linear(2, 2), 6, config).param_groups
    assert sorted(group["weight_decay"] for group in groups) == [0.0, config.weight_decay]


def test_schedules_warm_up_and_fall():
    cosine, published = OptimizerConfig(warmup=10, final=0.1), OptimizerConfig(warmup=10, inverse_sqrt=True)
    assert schedule_factor(0, 100, cosine) == pytest.approx(0.1)
    assert schedule_factor(10, 100, cosine) == pytest.approx(1.0)
    assert schedule_factor(100, 100, cosine) == pytest.approx(0.1)
    assert schedule_factor(29, 100, cosine, begins=30) == 0.0
    assert schedule_factor(34, 100, cosine, begins=30) == pytest.approx(0.5)
    assert schedule_factor(39, 100, published) == pytest.approx(math.sqrt(10 / 40))


def test_the_average_is_the_mean_of_the_last_snapshots(tmp_path):
    for step in (1, 2, 3):
        layer = nn.Linear(2, 1)
        nn.init.constant_(layer.weight, float(step))
        nn.init.constant_(layer.bias, 0.0)
        save_snapshot(layer, tmp_path, step, keep=2)
    assert [path.stem for path in snapshots(tmp_path)] == ["00000002", "00000003"]
    assert average(snapshots(tmp_path))["weight"].tolist() == [[2.5, 2.5]]
