"""Adapters are trained on real speech behind a small model: alone or beside others, interrupted or not, with letters
and languages that the model has never seen; and what else can be trained the same way."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from speech import Recognizer
from speech.data.manifest import read_manifest, write_manifest
from speech.data.plan import BatchConfig
from speech.errors import ConfigError, DataError
from speech.models.adapters.file import fingerprint, load_adapter, load_bank
from speech.models.checkpoint import save_checkpoint
from speech.models.owsm_ctc import OwsmCtc
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.train.adapters.config import AdaptConfig, AdapterRows, AdapterStart, Method
from speech.train.adapters.module import CHECKPOINTS, SCORES, AdaptModule, read_scores
from speech.train.adapters.run import CURVE, REPORT, adapt, best_steps, is_hidden
from speech.train.asr.config import ChunkConfig, DataConfig, LossConfig, OptimizerConfig, TrainerConfig
from speech.train.loop.state import CHECKPOINT
from tests.changes import changed
from tests.conftest import CORPUS, small_whisper

LAYERS, DIM = 4, 32


@pytest.fixture(scope="module")
def checkpoint(corpus, tmp_path_factory) -> Path:
    """It knows German, and the letters of German and Italian."""
    texts = [u.text.lower() for u in read_manifest(corpus / "train.jsonl", corpus) if u.language != "rus"]
    tokenizer = Tokenizer.train(texts * 2, vocab_size=60, languages=["deu"], characters=True, coverage=1.0)
    config = replace(small_whisper(), encoder=replace(small_whisper().encoder, layers=LAYERS, reduce_after=0))
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "base"
    save_checkpoint(path, OwsmCtc(config, tokenizer.vocabulary).eval(), tokenizer, info={}, card="# base\n")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A few utterances of each part in three languages; the audio stays where it is."""
    root = tmp_path_factory.mktemp("corpus")
    for part, count in (("train", 24), ("dev", 4), ("test", 4)):
        found = read_manifest(CORPUS / f"{part}.jsonl", CORPUS)
        chosen = [
            u
            for code in ("deu", "ita", "rus")
            for u in sorted((u for u in found if u.language == code), key=lambda u: (u.duration_s, u.id))[4:][:count]
        ]
        write_manifest(chosen, root / f"{part}.jsonl")
    return root


def settings(corpus: Path, checkpoint: Path, output: Path, language: object, **changes: object) -> AdaptConfig:
    values = {
        "budget": 0.06,
        "data": DataConfig(
            root=str(corpus),
            augment=None,
            workers=0,
            batches=BatchConfig(
                batch_s=6.0, max_s=6.0, min_token_s=0.0, concatenate_probability=0.2, concatenate_max_s=4.0
            ),
        ),
        "optimizer": OptimizerConfig(lr=1e-2, warmup=1, weight_decay=0.0, clip=1.0),
        "chunk": ChunkConfig(probability=0.0, random_offset=False),
        "loss": LossConfig(freq_masks=1, time_masks=1),
        "trainer": TrainerConfig(
            max_steps=4, validate_every=2, checkpoint_every=1, average=0, progress=False, accelerator="cpu"
        ),
        "evaluate": False,
    }
    return AdaptConfig(base=str(checkpoint), output=str(output), language=language, **(values | changes))


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return dict(load_adapter(path).adapter.named_parameters())


def test_languages_and_letters_that_the_model_has_never_seen(corpus, checkpoint, tmp_path):
    before = fingerprint(checkpoint)
    config = settings(corpus, checkpoint, tmp_path, ["ita", "rus"], evaluate=True)
    config = changed(config, {"layers": [3]})
    report = adapt(config)
    assert fingerprint(checkpoint) == before

    scores = read_scores(tmp_path / SCORES)
    assert sorted(scores) == [0, 2, 4]
    assert all(sorted(row) == ["ita", "rus"] for row in scores.values())
    assert sorted(p.name for p in (tmp_path / CHECKPOINTS).iterdir()) == ["000000", "000002", "000004"]
    assert report.steps == best_steps(scores).of
    assert (tmp_path / CURVE).stat().st_size > 5000
    assert json.loads((tmp_path / REPORT).read_text())["gain"]["base"] == 0.0
    assert {row.utterances for table in report.tables.values() for row in table.rows.values()} == {4}

    russian = load_adapter(tmp_path / "adapters" / "rus.safetensors", before)
    assert len(russian.adapter.tokens) > 20
    assert "о" in russian.adapter.tokens
    assert russian.scores["step"] == report.steps["rus"]
    assert {"dev_cer", "dev_wer", "test_cer", "test_wer"} <= russian.scores.keys()
    assert "asterisk_core_sounds" in russian.card
    assert "CC-BY" in russian.card

    recognizer = Recognizer.from_pretrained(str(checkpoint), adapters=tmp_path / "adapters")
    clip = next(u for u in read_manifest(corpus / "test.jsonl", corpus) if u.language == "rus")
    assert recognizer.transcribe(clip.audio, language="rus").language == "rus"


def test_it_learns(corpus, checkpoint, tmp_path):
    config = settings(corpus, checkpoint, tmp_path, "deu")
    config = changed(config, {"trainer.max_steps": 30, "trainer.validate_every": 30})
    adapt(config)
    losses = [row["deu"]["dev_loss"] for row in read_scores(tmp_path / SCORES).values()]
    assert losses[1] < 0.9 * losses[0]


def test_what_a_language_learns_does_not_depend_on_the_others_in_the_run(corpus, checkpoint, tmp_path):
    adapt(settings(corpus, checkpoint, tmp_path / "alone", "ita"))
    adapt(settings(corpus, checkpoint, tmp_path / "beside", ["deu", "ita"]))
    step = Path(CHECKPOINTS) / "000004" / "ita.safetensors"
    alone, beside = tensors(tmp_path / "alone" / step), tensors(tmp_path / "beside" / step)
    assert alone["up"].abs().sum() > 0
    for name, value in alone.items():
        torch.testing.assert_close(beside[name], value, rtol=1e-3, atol=1e-5)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(corpus, checkpoint, tmp_path, monkeypatch):
    adapt(settings(corpus, checkpoint, tmp_path / "whole", ["deu", "ita"]))

    def cut(module, batch, index):
        if module.global_step == 3:
            raise RuntimeError("the power is cut")

    with monkeypatch.context() as patch:
        patch.setattr(AdaptModule, "on_train_batch_start", cut, raising=False)
        with pytest.raises(RuntimeError, match="power"):
            adapt(settings(corpus, checkpoint, tmp_path / "cut", ["deu", "ita"]))
    assert (tmp_path / "cut" / CHECKPOINT).is_file()
    adapt(settings(corpus, checkpoint, tmp_path / "cut", ["deu", "ita"]))
    for code in ("deu", "ita"):
        step = Path(CHECKPOINTS) / "000004" / f"{code}.safetensors"
        whole, cut_short = tensors(tmp_path / "whole" / step), tensors(tmp_path / "cut" / step)
        assert all(torch.equal(cut_short[name], value) for name, value in whole.items())
    with pytest.raises(ConfigError, match="holds a run"):
        adapt(settings(corpus, checkpoint, tmp_path / "cut", ["deu", "ita"], resume=False))


@pytest.mark.parametrize(
    ("method", "start"),
    [(Method.lora, AdapterStart.principal), (Method.lora, AdapterStart.random), (Method.whole, AdapterStart.random)],
)
def test_the_same_run_trains_what_adapters_are_compared_with(corpus, checkpoint, tmp_path, method, start):
    if method == Method.lora:
        pytest.importorskip("peft")
    config = settings(corpus, checkpoint, tmp_path, ["deu", "ita"], method=method, start=start, evaluate=True)
    config = changed(config, {"trainer.max_steps": 2, "trainer.validate_every": 2})
    report = adapt(config)
    assert report.method == method
    assert report.share == pytest.approx(1.0) if method == Method.whole else report.share < 0.5
    assert load_bank(checkpoint) is None
    with pytest.raises(ConfigError, match=r"rus is written with .* characters that the model lacks"):
        adapt(settings(corpus, checkpoint, tmp_path / "rus", "rus", method=method))


def test_hidden_transcripts_are_left_out_and_those_of_a_teacher_come_in(corpus, checkpoint, tmp_path):
    train = [u for u in read_manifest(corpus / "train.jsonl", corpus) if u.language == "ita"]
    hidden = [u for u in train if is_hidden(u, 0.5)]
    assert 0 < len(hidden) < len(train)
    assert all(is_hidden(u, 0.9) for u in hidden)
    write_manifest(hidden[:2], corpus / "pseudo.jsonl")
    config = settings(corpus, checkpoint, tmp_path, "ita", hidden=0.5, pseudo=str(corpus / "pseudo.jsonl"))
    config = changed(config, {"trainer.max_steps": 1, "trainer.validate_every": 1})
    adapt(config)
    card = load_adapter(tmp_path / CHECKPOINTS / "000001" / "ita.safetensors").card
    assert f"({len(train) - len(hidden) + 2} utterances)" in card


def test_what_cannot_be_trained_is_named(corpus, checkpoint, tmp_path):
    with pytest.raises(ConfigError, match="language=None"):
        adapt(settings(corpus, checkpoint, tmp_path, None))
    with pytest.raises(ConfigError, match="Write 'ita'"):
        adapt(settings(corpus, checkpoint, tmp_path, "Italian"))
    with pytest.raises(ConfigError, match="one or several codes"):
        adapt(settings(corpus, checkpoint, tmp_path, ["ita", "ita"]))
    with pytest.raises(DataError, match="train has no speech in lug"):
        adapt(settings(corpus, checkpoint, tmp_path, ["ita", "lug"]))


def test_rows_may_begin_at_random(corpus, checkpoint, tmp_path):
    rows = {}
    for start in AdapterRows:
        config = settings(corpus, checkpoint, tmp_path / start, "rus", rows=start, layers=[3])
        config = changed(config, {"trainer.max_steps": 1, "trainer.validate_every": 1})
        adapt(config)
        rows[start] = tensors(tmp_path / start / CHECKPOINTS / "000000" / "rus.safetensors")["rows"]
    assert not torch.equal(rows[AdapterRows.near], rows[AdapterRows.random])


def test_the_best_steps_are_those_with_the_fewest_wrong_characters():
    def row(a: float, b: float) -> dict:
        return {code: {"dev_cer": cer, "dev_wer": 1.0} for code, cer in (("deu", a), ("ita", b))}

    best = best_steps({0: row(0.5, 0.5), 2: row(0.2, 0.4), 4: row(0.3, 0.1), 6: row(0.3, 0.1)})
    assert best.of == {"deu": 2, "ita": 4}
    assert best.common == 4
