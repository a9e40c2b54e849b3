"""Training from shards is training from files: the same batches, losses and shares of processes, also when resumed."""

import shutil
from pathlib import Path

import pytest
import torch

from speech.audio.augment import AugmentConfig, WaveAugment
from speech.data.batches import SpeechBatch, TrainBatches
from speech.data.manifest import Utterance, read_manifest
from speech.data.plan import BatchConfig
from speech.data.shards import shard_utterances, write_shards
from speech.errors import DataError
from speech.text.normalize import plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.train.asr.config import DataConfig, RunConfig, TokenizerConfig, TrainConfig
from speech.train.asr.corpus import language_weights, read_corpus
from speech.train.asr.run import train
from speech.train.loop.callbacks import Metrics, read_metrics
from speech.train.loop.config import OptimizerConfig, TrainerConfig
from speech.train.loop.stream import Stream
from tests.train.models import smallest_ctc

BATCHES = BatchConfig(batch_s=7.0, max_s=4.0, concatenate_max_s=3.0)
STEPS, KILLED_AT = 14, 5


@pytest.fixture(scope="module")
def shards(corpus, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_shards(read_manifest(corpus / "train.jsonl", corpus), folder, shard_size=10)
    return folder


@pytest.fixture(scope="module")
def without_files(corpus, tmp_path_factory) -> Path:
    """The corpus without the files and the manifest of the training part."""
    root = tmp_path_factory.mktemp("less") / "corpus"
    shutil.copytree(corpus, root, ignore=shutil.ignore_patterns("train*"))
    return root


def tiny(output: Path, **data: object) -> TrainConfig:
    return TrainConfig(
        output=str(output),
        model=smallest_ctc(),
        data=DataConfig(**({"batches": BATCHES, "workers": 0} | data)),
        tokenizer=TokenizerConfig(size=40),
        optimizer=OptimizerConfig(lr=1e-3, warmup=1),
        trainer=TrainerConfig(
            max_steps=STEPS,
            validate_every=7,
            checkpoint_every=2,
            average_every=7,
            average=1,
            log_every=1,
            progress=False,
            accelerator="cpu",
        ),
        evaluate=False,
    )


def losses(folder: Path) -> list[dict[str, float]]:
    timed = {"seconds", "audio_per_s"}
    return [{k: v for k, v in row.items() if k not in timed} for row in read_metrics(folder / "metrics.jsonl")]


class Killed(Exception):
    pass


@pytest.mark.parametrize("cache", [True, False])
def test_a_run_from_shards_killed_within_an_epoch_has_the_losses_of_one_from_files(
    corpus, shards, without_files, tmp_path, monkeypatch, cache
):
    train(tiny(tmp_path / "files", root=str(corpus), cache=cache))
    original = Metrics.on_train_batch_end

    def die(self, trainer, *rest):
        original(self, trainer, *rest)
        if trainer.global_step == KILLED_AT:
            raise Killed

    config = tiny(tmp_path / "shards", root=str(without_files), shards=str(shards), cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "on_train_batch_end", die)
        with pytest.raises(Killed):
            train(config)
    train(config)
    expected, found = losses(tmp_path / "files"), losses(tmp_path / "shards")
    assert [row["step"] for row in found if "train/final" in row] == list(range(1, STEPS + 1))
    assert found == expected


def batches(corpus: Path, shards: Path | None, tokenizer: Tokenizer) -> TrainBatches:
    utterances = shard_utterances(shards) if shards else read_manifest(corpus / "train.jsonl", corpus)
    return TrainBatches(utterances, tokenizer, BATCHES, WaveAugment(AugmentConfig()), plain_text)


def test_processes_and_epochs_divide_shards_as_they_divide_files(corpus, shards):
    texts = [u.text for u in read_manifest(corpus / "train.jsonl", corpus)]
    tokenizer = Tokenizer.train(texts, vocab_size=30, languages=["deu", "eng"])
    files, tars = batches(corpus, None, tokenizer), batches(corpus, shards, tokenizer)
    assert KILLED_AT < files.size(0) < STEPS  # the run above was killed within an epoch, and went on into the next
    for rank in range(2):
        read: list[list[SpeechBatch]] = [list(Stream(source, 2, files.size(0), (rank, 2))) for source in (files, tars)]
        assert len(read[0]) == files.size(0) - 2
        for one, other in zip(*read, strict=True):
            assert one.ids == other.ids
            assert torch.equal(one.samples, other.samples)
            assert torch.equal(one.tokens, other.tokens)
            assert torch.equal(one.prefix, other.prefix)


def test_shards_stand_for_the_training_manifest_alone(corpus, shards, without_files, tmp_path):
    (tmp_path / "excluded").write_text("train3\n")
    settings = {"exclude": str(tmp_path / "excluded"), "languages": ["deu"]}
    files = read_corpus(RunConfig(data=DataConfig(root=str(corpus), **settings)))
    tars = read_corpus(RunConfig(data=DataConfig(root=str(without_files), shards=str(shards), **settings)))
    assert tars["train"] == files["train"]
    assert "train3" not in [u.id for u in tars["train"]]
    assert all(u.record is not None for u in tars["train"])
    assert [u.id for u in tars["dev"] + tars["test"]] == [u.id for u in files["dev"] + files["test"]]
    with pytest.raises(DataError, match="never written to its end"):
        read_corpus(RunConfig(data=DataConfig(root=str(corpus), shards=str(tmp_path))))
    with pytest.raises(DataError, match="no utterance of the languages") as error:
        read_corpus(RunConfig(data=DataConfig(root=str(corpus), shards=str(shards), languages=["fra"])))
    assert error.value.where == str(shards)


def test_a_run_that_meets_a_damaged_record_ends_with_its_shard_and_number(shards, without_files, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(shards, damaged)
    record = shard_utterances(damaged)[13].record
    assert record is not None
    with record.shard.open("r+b") as file:
        file.seek(record.offset)
        file.write(bytes(record.size))
    config = tiny(tmp_path / "run", root=str(without_files), shards=str(damaged), max_unreadable=0.0)
    with pytest.raises(DataError, match=r"train13: .*recording\.000001\.tar, record 3 \(train13\): cannot be decoded"):
        train(config)


def test_languages_weigh_what_the_mixing_says():
    utterances = [*[utterance(n, "eng", 30.0) for n in range(3)], utterance(3, "deu", 10.0)]
    assert language_weights(DataConfig(), utterances) is None
    assert language_weights(DataConfig(temperature=2.0), utterances) == pytest.approx({"eng": 0.75, "deu": 0.25})
    even = language_weights(DataConfig(mixing="unimax", unimax_epochs=5.0), utterances)
    assert even == pytest.approx({"eng": 0.5, "deu": 0.5})


def utterance(number: int, language: str, duration_s: float) -> Utterance:
    return Utterance(id=f"{number}", audio=Path("/a"), duration_s=duration_s, language=language, text="a")
