"""A CTC model learns to read the lower layers of a label model, and both become a hybrid that computes them once."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from speech.errors import ConfigError, ModelError
from speech.models.checkpoint import (
    Checkpoint,
    LabelCheckpoint,
    load_checkpoint,
    save_checkpoint,
    save_label_checkpoint,
)
from speech.models.hybrid import Hybrid
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.train.asr.config import ChunkConfig, DataConfig, InitConfig, TokenizerConfig, TrainConfig
from speech.train.asr.init import build_model
from speech.train.asr.run import train
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper

ENCODER = WhisperEncoderConfig(dim=32, layers=3, heads=4, hidden=64, period=600)


@pytest.fixture(scope="module")
def label(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("label") / "m"
    save_label_checkpoint(path, LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {}), card="")
    return path


def written(tmp_path: Path, model: OwsmCtcConfig) -> Path:
    texts = ["one two three four", "eins zwei drei vier"]
    tokenizer = Tokenizer.train(texts, vocab_size=40, languages=["deu", "eng"], st_targets=[], characters=True)
    torch.manual_seed(0)
    built = OwsmCtc(model, tokenizer.vocabulary)
    save_checkpoint(tmp_path / "ctc", built, tokenizer, info={}, card="")
    return tmp_path / "ctc"


def configured(corpus: Path, tmp_path: Path, label: Path, inter_layer: int = 2) -> TrainConfig:
    model = OwsmCtcConfig(
        encoder=ENCODER,
        front_end=FrontEnd.whisper,
        inter_layers=[inter_layer],
        inter_transcript=1,
        target_prefix=False,
        language_head=True,
        prompt_dim=8,
    )
    ctc = written(tmp_path, model)
    return TrainConfig(
        output=str(tmp_path / "run"),
        model=replace(model, encoder=replace(ENCODER, prefix_after=1)),
        init=InitConfig(checkpoint=str(ctc), lower=str(label)),
        data=DataConfig(root=str(corpus), workers=0),
        tokenizer=TokenizerConfig(size=40),
        chunk=ChunkConfig(sizes=[8], left_context=32),
        optimizer=OptimizerConfig(frozen_layers=1, warmup=2),
        trainer=TrainerConfig(max_steps=4, validate_every=4, average=0, progress=False, accelerator="cpu"),
        evaluate=False,
    )


def test_lower_layers_stay_and_the_others_learn_to_read_them(corpus, tmp_path, label):
    config = configured(corpus, tmp_path, label)
    result = train(config)
    assert result is not None
    found, lower = load_checkpoint(result.checkpoint), tiny_whisper().encoder
    before = load_checkpoint(Path(config.init.checkpoint)).model
    assert found.model.config.encoder == config.model.encoder
    for name, tensor in lower.layers[0].state_dict().items():
        torch.testing.assert_close(found.model.encoder.layers[0].state_dict()[name], tensor, atol=1e-3, rtol=1e-3)
    for number in (1, 2):
        mine, theirs = found.model.encoder.layers[number], before.encoder.layers[number]
        assert not torch.allclose(mine.attention.query.weight, theirs.attention.query.weight, atol=1e-4)
    hybrid = Hybrid(
        Checkpoint(found.model, found.tokenizer, {}), LabelCheckpoint(tiny_whisper(), tiny_label_tokenizer(), {})
    )
    assert hybrid.same_layers() == 1


def test_layers_that_cannot_be_shared_are_named(corpus, tmp_path, label):
    config = configured(corpus, tmp_path, label)

    def refused(error: type[Exception], match: str, **changed: object) -> None:
        with pytest.raises(error, match=match):
            build_model(replace(config, **changed), None, [])  # type: ignore[arg-type]

    late = r"prefix_after \d, optimizer.frozen_layers 0"
    refused(ConfigError, late, optimizer=OptimizerConfig(frozen_layers=0))
    refused(ConfigError, "prefix_after 0", model=replace(config.model, encoder=ENCODER))
    wide = tmp_path / "wide"
    save_label_checkpoint(wide, LabelCheckpoint(tiny_whisper(48), tiny_label_tokenizer(), {}), card="")
    refused(ModelError, "is not the checkpoint's", init=replace(config.init, lower=str(wide)))
    (tmp_path / "low").mkdir()
    refused(ConfigError, "All have to be above 1", init=configured(corpus, tmp_path / "low", label, inter_layer=1).init)
    with pytest.raises(ConfigError, match=r"init\.lower without"):
        InitConfig(lower="x")
