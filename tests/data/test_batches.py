"""`speech.data.batches`: plan -> audio and tokens -> `SpeechBatch`, for any number of workers."""

from __future__ import annotations

import logging
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from speech.data import reading
from speech.data.batches import BatchConfig, EvalBatches, SpeechBatch, TrainBatches
from speech.data.manifest import Utterance
from speech.text.vocabulary import Vocabulary
from speech.train.loop.stream import Stream

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz ")
TEXTS = {"eng": "good day", "deu": "guten tag", "lug": "osiibye"}


class Letters:
    """A tokenizer of letters, so that tests can say which ids they expect."""

    vocabulary = Vocabulary.build(languages=["deu", "eng"], st_targets=["eng"], pieces=LETTERS, sos_eos=False)

    def encode(self, text: str) -> list[int]:
        return [self.vocabulary.index[letter] for letter in text]

    def decode(self, ids: list[int]) -> str:
        return "".join(self.vocabulary.tokens[i] for i in ids)


TOKENIZER = Letters()
PLAIN = BatchConfig(
    batch_s=4.0,
    max_s=2.0,
    concatenate_max_s=2.0,
    st_probability=0.0,
    concatenate_probability=0.0,
    language_given_probability=1.0,
    buckets=3,
)
JOINING = replace(
    PLAIN,
    batch_s=8.0,
    max_s=4.0,
    concatenate_max_s=4.0,
    concatenate_probability=0.7,
    st_probability=0.5,
    language_given_probability=0.5,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """30 tones of 0.4 to 0.98 s, in three languages, one of them unknown to the vocabulary."""
    folder = tmp_path_factory.mktemp("tones")
    utterances = []
    for i in range(30):
        n = 6400 + 320 * i
        path = folder / f"{i}.wav"
        soundfile.write(path, 0.5 * np.sin(np.arange(n) * (0.05 + 0.01 * i)), 16000, subtype="PCM_16")
        language = ("eng", "deu", "lug")[i % 3]
        utterances.append(
            Utterance(
                id=f"u{i}",
                audio=path,
                duration_s=n / 16000,
                language=language,
                text=TEXTS[language].upper(),
                translations={"eng": "hi", "fra": "salut"} if language == "deu" else {},
            )
        )
    return utterances


def train_batches(corpus: list[Utterance], config: BatchConfig = PLAIN, **options: object) -> TrainBatches:
    return TrainBatches(corpus, TOKENIZER, config, None, str.lower, **options)  # type: ignore[arg-type]


def epoch_of(batches: TrainBatches, epoch: int = 0) -> list[SpeechBatch]:
    return [batches.batch(epoch, index) for index in range(batches.size(epoch))]


def assert_same(ours: list[SpeechBatch], theirs: list[SpeechBatch]) -> None:
    assert [b.ids for b in ours] == [b.ids for b in theirs]
    for a, b in zip(ours, theirs, strict=True):
        for name in (
            "samples",
            "sample_lengths",
            "asr_tokens",
            "asr_lengths",
            "tokens",
            "token_lengths",
            "prefix",
            "languages",
        ):
            torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=0, atol=0)


def test_a_batch_holds_audio_tokens_and_prefix_of_its_utterances(corpus: list[Utterance]) -> None:
    by_id = {u.id: u for u in corpus}
    seen: list[str] = []
    for batch in epoch_of(train_batches(corpus)):
        seen += batch.ids
        assert batch.samples.dtype == torch.float32
        assert batch.samples.shape == (len(batch), int(batch.sample_lengths.max()))
        assert batch.samples.numel() <= 4.0 * 16000 + len(batch)
        torch.testing.assert_close(batch.tokens, batch.asr_tokens)
        for row, name in enumerate(batch.ids):
            utterance = by_id[name]
            length = int(batch.sample_lengths[row])
            assert utterance.duration_s * 16000 <= length <= (utterance.duration_s + 0.8) * 16000
            assert not batch.samples[row, length:].any()
            assert not batch.tokens[row, batch.token_lengths[row] :].any()
            tokens = batch.tokens[row, : batch.token_lengths[row]].tolist()
            assert TOKENIZER.decode(tokens) == TEXTS[utterance.language]
            vocabulary = TOKENIZER.vocabulary
            language = vocabulary.nolang if utterance.language == "lug" else vocabulary.language_id(utterance.language)
            assert batch.prefix[row].tolist() == [language, vocabulary.task_id("asr")]
            assert batch.languages[row] == {"deu": 0, "eng": 1, "lug": -1}[utterance.language]
    assert sorted(seen) == sorted(by_id)


def test_audio_is_what_the_file_holds_with_faint_noise_around(corpus: list[Utterance]) -> None:
    [batch] = epoch_of(train_batches(corpus[:1]))
    file, _ = soundfile.read(corpus[0].audio, dtype="float32")
    samples = batch.samples[0].numpy()
    start = int(np.argmax(np.correlate(samples, file, mode="valid")))
    np.testing.assert_array_equal(samples[start : start + len(file)], file)
    around = np.concatenate([samples[:start], samples[start + len(file) :]])
    assert around.size
    assert 0 < np.abs(around).max() < 0.01


def test_joined_utterances_have_joined_texts_and_mixed_languages_no_language(corpus: list[Utterance]) -> None:
    by_id = {u.id: u for u in corpus}
    kinds = set()
    batches = train_batches(corpus, JOINING)
    for epoch in range(6):
        for batch in epoch_of(batches, epoch):
            for row, name in enumerate(batch.ids):
                parts = [by_id[part] for part in name.split("+")]
                transcript = TOKENIZER.decode(batch.asr_tokens[row, : batch.asr_lengths[row]].tolist())
                assert transcript == " ".join(TEXTS[u.language] for u in parts)
                mixed = len({u.language for u in parts}) > 1
                if mixed:
                    assert batch.languages[row] == -1
                    assert batch.prefix[row, 0] == TOKENIZER.vocabulary.nolang
                kinds.add((len(parts) > 1, mixed))
    assert kinds == {(False, False), (True, False), (True, True)}


def test_translation_keeps_the_transcript_beside_its_target(corpus: list[Utterance]) -> None:
    german = [u for u in corpus if u.language == "deu"]
    for batch in epoch_of(train_batches(german, replace(PLAIN, st_probability=1.0))):
        for row in range(len(batch)):
            assert batch.prefix[row, 1] == TOKENIZER.vocabulary.task_id("st", to="eng")
            assert TOKENIZER.decode(batch.tokens[row, : batch.token_lengths[row]].tolist()) == "hi"
            assert TOKENIZER.decode(batch.asr_tokens[row, : batch.asr_lengths[row]].tolist()) == "guten tag"


def test_an_epoch_is_the_same_each_time_and_another_epoch_is_not(corpus: list[Utterance]) -> None:
    batches = train_batches(corpus, JOINING)
    first = epoch_of(batches)
    assert [b.ids for b in epoch_of(batches, 1)] != [b.ids for b in first]
    assert_same(epoch_of(batches), first)
    assert_same(epoch_of(train_batches(corpus, JOINING)), first)
    assert_same([batches.batch(0, 1)], first[1:2])


@pytest.mark.parametrize("start", [0, 3])
def test_workers_give_a_run_in_order_whichever_is_ahead(corpus: list[Utterance], start: int) -> None:
    batches = train_batches(corpus, JOINING)
    whole = [batch for epoch in range(3) for batch in epoch_of(batches, epoch)]
    stream = Stream(batches, start, len(whole))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "speech.data.batches", "speech.train.loop.stream"])  # once for all workers
    loader = DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context=context)
    assert_same(list(loader), whole[start:])


def test_weights_change_how_often_a_language_comes(corpus: list[Utterance]) -> None:
    known = [u for u in corpus if u.language != "lug"]
    language_of = {u.id: u.language for u in known}
    seconds = {"eng": 0.0, "deu": 0.0}
    for batch in epoch_of(train_batches(known, PLAIN, weights={"eng": 0.8, "deu": 0.2})):
        for name in batch.ids:
            seconds[language_of[name]] += next(u.duration_s for u in known if u.id == name)
    assert seconds["eng"] / sum(seconds.values()) == pytest.approx(0.8, abs=0.05)


def test_the_cache_changes_nothing_but_reads_each_file_once(
    corpus: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    load = reading.load_audio
    monkeypatch.setattr(reading, "load_audio", lambda path, **given: (read.append(str(path)), load(path, **given))[1])
    cached = train_batches(corpus, PLAIN, cache=True)
    first = epoch_of(cached)
    assert_same(epoch_of(cached), first)
    assert len(read) == len(corpus)
    assert_same(first, epoch_of(train_batches(corpus)))


def test_augmentation_is_seeded_by_the_batch(corpus: list[Utterance]) -> None:
    def louder(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return samples * np.float32(rng.uniform(1.5, 2.0))

    augmented = TrainBatches(corpus, TOKENIZER, PLAIN, louder, str.lower)  # type: ignore[arg-type]
    first = epoch_of(augmented)
    assert_same(epoch_of(augmented), first)
    assert max(float(b.samples.abs().max()) for b in first) > 0.7


def test_what_cannot_be_trained_on_is_dropped_and_counted(
    corpus: list[Utterance], caplog: pytest.LogCaptureFixture
) -> None:
    bad = [
        replace(corpus[0], id="long", duration_s=2.5),
        replace(corpus[0], id="short", duration_s=0.05),
        replace(corpus[0], id="dense", text="x" * 11),
        replace(corpus[0], id="silent", text=""),
        replace(corpus[1], id="dense translation", translations={"eng": "x" * 100}),
    ]
    with caplog.at_level(logging.INFO, logger="speech.data.batches"):
        batches = train_batches([*corpus, *bad], replace(PLAIN, st_probability=1.0))
    assert {u.id for u in batches.utterances} == {u.id for u in corpus} | {"dense translation"}
    assert batches.utterances[-1].translations == {}
    assert "31 utterances, 10 translations; dropped 2 not of 0.1 to 2 s, 2 with no text" in caplog.text


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_a_batch_that_an_epoch_does_not_have_is_refused(corpus: list[Utterance], beyond: int) -> None:
    batches = train_batches(corpus)
    size = batches.size(1)
    index = beyond if beyond < 0 else size + beyond
    with pytest.raises(IndexError, match=f"no batch {index} in epoch 1, which has {size}"):
        batches.batch(1, index)


def test_without_an_utterance_to_train_on_there_is_no_batch(corpus: list[Utterance]) -> None:
    batches = train_batches([replace(corpus[0], text="")])
    assert batches.size(0) == 0
    with pytest.raises(IndexError, match="no batch 0 in epoch 0, which has 0"):
        batches.batch(0, 0)


def test_evaluation_is_every_utterance_as_it_is_from_short_to_long(corpus: list[Utterance]) -> None:
    batches = EvalBatches(corpus, TOKENIZER, 4.0, str.lower, language_given=True)  # type: ignore[arg-type]
    rows = [(name, int(n)) for batch in batches for name, n in zip(batch.ids, batch.sample_lengths, strict=True)]
    assert rows == [(u.id, round(u.duration_s * 16000)) for u in corpus]
    assert len(list(batches)) == len(batches)


def test_moving_a_batch_moves_every_tensor(corpus: list[Utterance]) -> None:
    [batch] = epoch_of(train_batches(corpus[:1]))
    moved = batch.to("meta")
    assert moved.ids == batch.ids
    for name in (
        "samples",
        "sample_lengths",
        "asr_tokens",
        "asr_lengths",
        "tokens",
        "token_lengths",
        "prefix",
        "languages",
    ):
        assert getattr(moved, name).device.type == "meta"
    assert batch.samples.device.type == "cpu"


def test_plain_epochs_are_not_augmented(corpus: list[Utterance]) -> None:
    def louder(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return samples * 0 + 2.0

    batches = TrainBatches(corpus, TOKENIZER, PLAIN, louder, str.lower, plain_epochs=1)  # type: ignore[arg-type]
    assert max(float(batch.samples.max()) for batch in epoch_of(batches, 0)) < 1.0
    assert min(float(batch.samples.max()) for batch in epoch_of(batches, 1)) == 2.0
