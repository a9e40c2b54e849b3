"""Training on code-switched speech: the language of each frame is learnt, and manifests beside the corpus are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from speech.data.batches import SpeechBatch, Stretch
from speech.data.plan import BatchConfig
from speech.errors import ConfigError, DataError
from speech.models.owsm_ctc import FrontEnd, OwsmCtc, OwsmCtcConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig
from speech.text.vocabulary import Vocabulary
from speech.train.asr.config import DataConfig, RunConfig, TokenizerConfig, TrainConfig
from speech.train.asr.corpus import read_corpus
from speech.train.asr.module import CtcModule
from speech.train.asr.run import train
from speech.train.loop.config import TrainerConfig
from tests.changes import changed

DEU, ENG, FRA = range(3)


def small() -> OwsmCtcConfig:
    return OwsmCtcConfig(
        encoder=WhisperEncoderConfig(dim=16, layers=2, heads=2, hidden=32, period=600, reduce_after=1),
        front_end=FrontEnd.whisper,
        inter_layers=[1],
        inter_transcript=1,
        inter_norm=True,
        target_prefix=False,
        language_head=True,
        prompt_dim=8,
    )


@pytest.fixture(scope="module")
def module() -> CtcModule:
    torch.manual_seed(0)
    vocabulary = Vocabulary.build(["deu", "eng", "fra"], [], ["a"], sos_eos=False)
    return CtcModule(OwsmCtc(small(), vocabulary), RunConfig())


def a_batch(
    module: CtcModule, languages: list[int], stretches: list[list[Stretch]], named: bool = False
) -> SpeechBatch:
    vocabulary = module.model.vocabulary
    rows = len(languages)
    first = [vocabulary.language_ids[max(index, 0)] if named else vocabulary.nolang for index in languages]
    empty, none = torch.zeros(rows, 1, dtype=torch.int64), torch.zeros(rows, dtype=torch.int64)
    return SpeechBatch(
        samples=torch.zeros(rows, 16000),
        sample_lengths=torch.full((rows,), 16000),
        asr_tokens=empty,
        asr_lengths=none,
        tokens=empty,
        token_lengths=none,
        prefix=torch.tensor([[one, vocabulary.task_id("asr")] for one in first]),
        languages=torch.tensor(languages),
        stretches=stretches,
        codes=[""] * rows,
        ids=[str(row) for row in range(rows)],
    )


def formerly(logits: Tensor, lengths: Tensor, languages: Tensor) -> Tensor:
    """The loss as it was before there were utterances in several languages."""
    rows = []
    for row, length in zip(logits, lengths.tolist(), strict=True):
        rows.append(torch.log_softmax(row[:length], dim=-1).mean(dim=0))
    return F.cross_entropy(torch.stack(rows), languages)


def certain(frames: list[int], weight: float = 4.0) -> Tensor:
    """Logits `(1, T, 3)` for these languages."""
    return weight * F.one_hot(torch.tensor([frames]), 3).float()


def test_where_no_utterance_is_mixed_the_loss_is_what_it_was(module: CtcModule) -> None:
    torch.manual_seed(1)
    logits, lengths = 3 * torch.randn(4, 20, 3), torch.tensor([20, 12, 7, 20])
    languages = [DEU, ENG, FRA, ENG]
    found = module._language(logits, lengths, a_batch(module, languages, [[]] * 4))
    torch.testing.assert_close(found, formerly(logits, lengths, torch.tensor(languages)))


def test_a_language_that_is_unknown_or_named_costs_nothing_and_leaves_the_gradient_alone(module: CtcModule) -> None:
    logits = torch.randn(2, 9, 3, requires_grad=True)
    lengths = torch.tensor([9, 9])
    for batch in (a_batch(module, [-1, -1], [[], []]), a_batch(module, [DEU, ENG], [[], []], named=True)):
        loss = module._language(logits, lengths, batch)
        loss.backward()
        assert loss.item() == 0.0
        assert logits.grad is not None
        assert not logits.grad.any()


def test_frames_of_a_mixed_utterance_are_learnt_each_by_itself(module: CtcModule) -> None:
    frame_s = module.model.frame_s
    stretches = [[Stretch(0.0, 5 * frame_s, DEU), Stretch(7 * frame_s, 10 * frame_s, ENG)]]
    batch, lengths = a_batch(module, [-1], stretches), torch.tensor([10])
    assert module._frame_languages(batch, 10).tolist() == [[DEU] * 5 + [-1] * 2 + [ENG] * 3]
    right = module._language(certain([DEU] * 5 + [FRA] * 2 + [ENG] * 3), lengths, batch)
    undecided = module._language(torch.zeros(1, 10, 3), lengths, batch)
    turned = module._language(certain([ENG] * 5 + [FRA] * 2 + [DEU] * 3), lengths, batch)
    assert right < undecided < turned
    assert undecided.item() == pytest.approx(torch.log(torch.tensor(3.0)).item())
    between = module._language(certain([DEU] * 5 + [ENG] * 2 + [ENG] * 3), lengths, batch)
    torch.testing.assert_close(between, right)  # what is said between words is nobody's


def test_each_utterance_counts_once_whether_it_is_mixed_or_not(module: CtcModule) -> None:
    torch.manual_seed(2)
    logits, lengths = torch.randn(3, 10, 3), torch.tensor([10, 8, 10])
    stretches = [[], [], [Stretch(0.0, 0.08, DEU), Stretch(0.1, 0.3, FRA)]]
    both = module._language(logits, lengths, a_batch(module, [DEU, ENG, -1], stretches))
    alone = module._language(logits[:2], lengths[:2], a_batch(module, [DEU, ENG], [[], []]))
    mixed = module._language(logits[2:], lengths[2:], a_batch(module, [-1], stretches[2:]))
    torch.testing.assert_close(both, (2 * alone + mixed) / 3)


def test_stretches_too_short_for_a_frame_or_behind_the_last_are_no_mistake(module: CtcModule) -> None:
    stretches = [[Stretch(0.001, 0.002, DEU), Stretch(0.9, 2.0, ENG)], [Stretch(0.001, 0.002, DEU)]]
    batch = a_batch(module, [-1, -1], stretches)
    loss = module._language(torch.zeros(2, 8, 3), torch.tensor([8, 8]), batch)
    assert torch.isfinite(loss)


def test_mixed_speech_gives_the_whole_objective_a_finite_value_and_the_head_a_gradient(module: CtcModule) -> None:
    batch = a_batch(module, [-1], [[Stretch(0.0, 0.4, DEU), Stretch(0.5, 1.0, ENG)]])
    batch.asr_tokens = batch.tokens = torch.tensor([[module.model.vocabulary.index["a"]]])
    batch.asr_lengths = batch.token_lengths = torch.tensor([1])
    loss, parts = module.loss(batch, None)
    loss.backward()
    assert torch.isfinite(loss)
    assert parts["language"].item() == pytest.approx(1.1, abs=0.6)
    grown = [name for name, p in module.model.named_parameters() if "language" in name and p.grad is not None]
    assert grown


def write(path: Path, *records: dict[str, object]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def mixed_record(name: str, audio: str, languages: tuple[str, str] = ("eng", "deu")) -> dict[str, object]:
    words = [
        {"text": "one", "start": 0.0, "end": 0.4, "language": languages[0]},
        {"text": "zwei", "start": 0.4, "end": 0.8, "language": languages[1]},
    ]
    return {"id": name, "audio": audio, "duration": 0.8, "lang": languages[0], "text": "one zwei", "words": words}


@pytest.fixture
def also(corpus: Path, tmp_path: Path) -> str:
    """A manifest beside the corpus, with its audio."""
    folder = tmp_path / "more"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.wav").write_bytes((corpus / f"train{number}.wav").read_bytes())
    return write(folder / "train.jsonl", *[mixed_record(f"cs{n}", f"{n}.wav") for n in range(4)])


def test_more_manifests_are_read_for_training_only_and_as_often_as_asked(corpus: Path, also: str) -> None:
    plain = read_corpus(RunConfig(data=DataConfig(root=str(corpus))))
    more = read_corpus(RunConfig(data=DataConfig(root=str(corpus), also=[also], also_times=3)))
    assert more["train"][: len(plain["train"])] == plain["train"]
    added = more["train"][len(plain["train"]) :]
    assert [u.id for u in added] == [f"cs{n}" for n in range(4)] * 3
    assert added[0].audio == Path(also).parent / "0.wav"
    assert added[0].languages == ("eng", "deu")
    assert (more["dev"], more["test"]) == (plain["dev"], plain["test"])


def test_of_more_manifests_what_is_excluded_or_partly_in_another_language_is_left_out(
    corpus: Path, also: str, tmp_path: Path
) -> None:
    (tmp_path / "excluded").write_text("cs1\n")
    config = RunConfig(data=DataConfig(root=str(corpus), also=[also], exclude=str(tmp_path / "excluded")))
    assert [u.id for u in read_corpus(config)["train"] if u.id.startswith("cs")] == ["cs0", "cs2", "cs3"]
    config = changed(config, {"data.languages": ["eng"]})
    assert {code for u in read_corpus(config)["train"] for code in u.languages} == {"eng"}


def test_a_manifest_that_is_missing_is_named_and_so_is_missing_audio(corpus: Path, tmp_path: Path) -> None:
    none = str(tmp_path / "none" / "train.jsonl")
    with pytest.raises(DataError, match="no such manifest") as error:
        read_corpus(RunConfig(data=DataConfig(root=str(corpus), also=[none])))
    assert error.value.where == none
    silent = write(tmp_path / "train.jsonl", mixed_record("cs", "none.wav"))
    with pytest.raises(DataError, match="no such file") as error:
        read_corpus(RunConfig(data=DataConfig(root=str(corpus), also=[silent])))
    assert error.value.where == f"{silent}:1:audio"
    with pytest.raises(ConfigError, match="also_times 0"):
        DataConfig(also_times=0)


def test_a_model_learns_from_both(corpus: Path, also: str, tmp_path: Path) -> None:
    batches = BatchConfig(batch_s=20.0, max_s=5.0, concatenate_max_s=4.0)
    config = TrainConfig(
        name="both",
        output=str(tmp_path / "run"),
        model=small(),
        data=DataConfig(root=str(corpus), also=[also], also_times=2, batches=batches, workers=0),
        tokenizer=TokenizerConfig(size=40),
        trainer=TrainerConfig(max_steps=2, validate_every=2, average_every=2, progress=False, accelerator="cpu"),
        evaluate=False,
    )
    result = train(config)
    assert result is not None
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())["config"]["data"]
    assert (recorded["also"], recorded["also_times"]) == ([also], 2)
