"""Batches of a label decoder: the same whenever asked for, and each token of each kind of row with its target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from speech.audio.augment import AugmentConfig, WaveAugment
from speech.data.manifest import Utterance
from speech.data.shards import shard_utterances, write_shards
from speech.errors import DataError
from speech.text.tokenizers.bpe import LabelTokenizer
from speech.train.label.batches import NO_TARGET, LabelBatch, LabelBatches
from speech.train.label.rows import Row
from speech.train.loop.stream import Stream
from tests.train.label.rows import MOST_TOKENS, TOKENIZER, heard, settings, utterance, words

__all__ = ["heard"]  # a fixture

EVERYTHING = {"joined": 0.4, "joined_s": [1.5, 4.0], "translate": 0.5, "nonspeech": 0.2, "cut": 0.5, "augment": 0.5}
EVERYTHING |= {"context": 0.3}


def batches(utterances: list[Utterance], seed: int = 1, most_tokens: int = MOST_TOKENS, **changes: Any) -> LabelBatches:
    augment = WaveAugment(AugmentConfig())
    return LabelBatches(utterances, TOKENIZER, settings(**changes), most_tokens, seed, augment)


def same(one: LabelBatch, other: LabelBatch) -> bool:
    names = ("samples", "sample_lengths", "tokens", "targets", "heard", "starts", "taught", "learned")
    return one.ids == other.ids and all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def spelled(batch: LabelBatch, row: int) -> tuple[list[int], list[int]]:
    """Tokens and targets of a row up to its last target."""
    last = int((batch.targets[row] != NO_TARGET).nonzero().max()) + 1
    return batch.tokens[row, :last].tolist(), batch.targets[row, :last].tolist()


def test_batches_are_the_same_whenever_they_are_asked_for(heard):
    first = batches(heard, **EVERYTHING)
    in_order = [first.batch(epoch, index) for epoch in (0, 1) for index in range(4)]
    other = batches(heard, **EVERYTHING)
    backwards = [other.batch(epoch, index) for epoch in (1, 0) for index in (3, 2, 1, 0)]
    assert all(same(one, two) for one, two in zip(in_order, reversed(backwards), strict=True))
    assert len({float(batch.samples.double().sum()) for batch in in_order}) == 8  # no two are alike
    assert not same(in_order[0], batches(heard, seed=2, **EVERYTHING).batch(0, 0))


def test_a_run_that_resumes_reads_what_the_first_would_have_read(heard):
    whole = list(Stream(batches(heard, **EVERYTHING), 0, 7))
    rest = list(Stream(batches(heard, **EVERYTHING), 5, 7))
    assert len(whole) == 7
    assert all(same(one, two) for one, two in zip(whole[5:], rest, strict=True))
    shared = [list(Stream(batches(heard, **EVERYTHING), 0, 2, (rank, 2))) for rank in (0, 1)]
    assert all(same(whole[2 * n + rank], shared[rank][n]) for rank in (0, 1) for n in (0, 1))


def test_batches_from_shards_are_those_from_files(heard, tmp_path):
    write_shards(heard, tmp_path, shard_size=4)
    files, shards = batches(heard, **EVERYTHING), batches(shard_utterances(tmp_path), **EVERYTHING)
    assert all(same(files.batch(0, index), shards.batch(0, index)) for index in range(4))


def test_each_token_has_the_next_one_as_its_target_and_the_prompt_has_none(heard):
    batch = batches(heard[2:3], drawn=1, single=1, tails_s=[0.2]).batch(0, 0)
    tokens, targets = spelled(batch, 0)
    prompt, text = TOKENIZER.prompt("eng"), TOKENIZER.encode(" One, two")
    assert tokens == [*prompt, *text]
    assert targets == [*[NO_TARGET] * 3, *text, TOKENIZER.end]
    assert targets[3:-1] == tokens[4:]
    assert batch.heard.tolist() == [TOKENIZER.languages["eng"]]
    assert batch.sample_lengths.tolist() == [8000 + 3200]
    assert batch.samples[0, 8000:].abs().max() < 0.01
    assert not batch.taught.any()


def test_shorter_rows_are_padded_without_targets(heard):
    batch = batches(heard, single=6).batch(0, 0)
    for row in range(len(batch)):
        tokens, targets = spelled(batch, row)
        assert len(tokens) == len(targets)
        assert (batch.targets[row, len(targets) :] == NO_TARGET).all()
        assert (batch.samples[row, batch.sample_lengths[row] :] == 0).all()
        assert targets[-1] == TOKENIZER.end
    assert batch.tokens.shape == batch.targets.shape


def test_a_cut_row_ends_behind_a_word_and_its_text_does_not_end(heard):
    timed = heard[3]
    ends = set()
    for index in range(8):
        batch = batches([timed], cut=1.0, single=1, drawn=1, epoch=8).batch(0, index)
        tokens, targets = batch.tokens[0].tolist(), batch.targets[0].tolist()
        text = TOKENIZER.decode(tokens)
        assert text in (" A", " A b")
        assert targets == [*[NO_TARGET] * 3, *tokens[4:], NO_TARGET]
        assert batch.sample_lengths.tolist() == [{" A": 1600, " A b": 3200}[text]]
        ends.add(text)
    assert ends == {" A", " A b"}


def test_words_that_are_not_those_of_the_text_cut_nothing(tmp_path):
    chinese = utterance(tmp_path, "c", "a b", words=words("a", "b", "c", "d"))
    batch = batches([chinese], cut=1.0, single=1, drawn=1).batch(0, 0)
    tokens, targets = spelled(batch, 0)
    assert TOKENIZER.decode(tokens) == " a b"
    assert targets[-1] == TOKENIZER.end


def told(batch: LabelBatch, row: int) -> tuple[str, str]:
    """What a row is told, and what it says."""
    start = int(batch.starts[row])
    tokens, targets = spelled(batch, row)
    assert tokens[start] == TOKENIZER.start
    assert targets[: start + 3] == [NO_TARGET] * (start + 3)  # nothing of what is told is learned
    assert targets[start + 3 : -1] == tokens[start + 4 :]
    assert targets[-1] == TOKENIZER.end
    assert start == 0 or tokens[0] == TOKENIZER.previous
    return TOKENIZER.decode(tokens[:start]), TOKENIZER.decode(tokens[start:])


def test_a_row_that_is_told_the_beginning_of_its_sentence_has_the_rest_and_others_another_text(heard):
    found = {}
    for index in range(96):
        batch = batches(heard, context=1.0, single=1, drawn=1, epoch=96, tails_s=[0.0]).batch(0, index)
        before, text = told(batch, 0)
        assert before.startswith(" ")
        found.setdefault(text, set()).add((before, int(batch.sample_lengths[0])))
        assert batch.heard.tolist() == [TOKENIZER.language_id("deu" if text in (" Eins", " Zwei") else "eng")]
    assert (" A", 8000 - 1600) in found[" b c."]
    others = {before for own in found.values() for before, length in own if length == 8000}
    assert others >= {" Three", " Four"}
    assert {before for before, _ in found[" Eins"]} == {" Zwei"}  # of the same language and source, and another


def test_joined_rows_are_told_the_first_of_their_texts_which_is_not_heard(heard):
    made, lengths = batches(heard, joined=1.0, joined_s=[3.0, 4.0], joined_rows=2, context=1.0), set()
    texts = {u.text for u in heard}
    for index in range(4):
        batch = made.batch(0, index)
        assert batch.taught.all()
        for row, name in enumerate(batch.ids):
            before, said = told(batch, row)
            assert said == " " + " ".join(next(u.text for u in heard if u.id == part) for part in name.split("+"))
            lengths.add(len(name.split("+")))
            assert before == "" or before[1:] in texts - set(said[1:].split())
    assert max(lengths) >= 2


def test_without_told_rows_batches_are_what_they_were(heard):
    batch = batches(heard, **(EVERYTHING | {"context": 0.0})).batch(0, 0)
    assert not batch.starts.any()
    assert (batch.tokens[:, 0] == TOKENIZER.start).all()


def test_only_the_end_of_a_long_text_before_is_told_in_whole_words(heard, tmp_path):
    long = utterance(tmp_path, "e9", " ".join(["Words"] * 150))
    row = Row((heard[4],), before=long.text)
    collate = batches(heard, most_tokens=400)._collate
    before, said = told(collate([row], np.random.default_rng(0)), 0)
    assert said == " Three"
    assert set(before.split()) == {"Words"}
    assert 90 <= len(TOKENIZER.encode(before)) <= 100


def test_rows_in_which_nobody_speaks_end_at_once(heard):
    batch = batches(heard, nonspeech=1.0).batch(0, 0)
    assert batch.ids == ["nonspeech"] * 3
    assert batch.tokens.shape == (3, 4)
    assert (batch.tokens[:, 0] == TOKENIZER.start).all()
    assert (batch.tokens[:, 3] == TOKENIZER.no_timestamps).all()
    assert {int(token) for token in batch.tokens[:, 1]} <= set(TOKENIZER.languages.values())
    assert batch.targets.tolist() == [[*[NO_TARGET] * 3, TOKENIZER.end]] * 3
    assert (batch.heard == TOKENIZER.no_speech).all()
    assert not batch.taught.any()


def test_joined_rows_are_of_one_language_with_gaps_and_the_teacher_is_asked(heard):
    made = batches(heard, joined=1.0, joined_s=[2.5, 4.0], joined_rows=2)
    lengths = []
    for index in range(4):
        batch = made.batch(0, index)
        assert batch.taught.all()
        for row, name in enumerate(batch.ids):
            parts = name.split("+")
            lengths.append(len(parts))
            assert len({part[0] for part in parts}) == 1
            texts = {u.id: u.text for u in heard}
            tokens, targets = spelled(batch, row)
            assert TOKENIZER.decode(tokens) == " " + " ".join(texts[part] for part in parts)
            assert targets[-1] == TOKENIZER.end
            assert targets.count(TOKENIZER.end) == 1
            spoken = 8000 * len(parts)
            assert int(batch.sample_lengths[row]) >= spoken + (len(parts) - 1) * 1600
            assert int(batch.sample_lengths[row]) / 16000 <= 4.0 + 0.5
    assert max(lengths) >= 2


def test_translated_rows_name_the_task_and_have_the_translation(heard):
    batch = batches(heard[:2], translate=1.0, single=2, drawn=2).batch(0, 0)
    wanted = {"d1": " One", "d2": " Two"}
    for row, name in enumerate(batch.ids):
        tokens, _ = spelled(batch, row)
        assert tokens[:4] == TOKENIZER.prompt("deu", target="eng")
        assert TOKENIZER.decode(tokens) == wanted[name]
    joined = batches(heard[:2], translate=1.0, joined=1.0, joined_s=[3.0, 3.0]).batch(0, 0)
    tokens, _ = spelled(joined, 0)
    assert TOKENIZER.decode(tokens) == " " + " ".join(wanted[name].strip() for name in joined.ids[0].split("+"))
    english = batches(heard[2:], translate=1.0).batch(0, 0)
    assert (english.tokens[:, 2] == TOKENIZER.transcribe).all()


def test_a_target_is_drawn_from_those_of_the_utterance_and_named(heard):
    spoken = [replace(heard[0], translations={"eng": "One", "spa": "Uno", "fra": "Un"}), heard[1]]
    made = batches(spoken, translate=1.0, targets=["eng", "spa"], single=2, drawn=2, epoch=20)
    seen = {"d1": set(), "d2": set()}
    for index in range(20):
        batch = made.batch(0, index)
        for row, name in enumerate(batch.ids):
            tokens, _ = spelled(batch, row)
            code = "spa" if tokens[3] == TOKENIZER.languages["spa"] else "eng"
            prompt = TOKENIZER.prompt("deu", target=code)
            assert tokens[: len(prompt)] == prompt
            assert TOKENIZER.decode(tokens) == {"eng": {"d1": " One", "d2": " Two"}, "spa": {"d1": " Uno"}}[code][name]
            seen[name].add(code)
    assert seen == {"d1": {"eng", "spa"}, "d2": {"eng"}}
    held = batches(spoken, translate=1.0, targets=["eng", "spa"], held_out=["deu-spa"], epoch=20)
    assert all((held.batch(0, n).tokens[:, 3] == TOKENIZER.no_timestamps).all() for n in range(20))
    joined = batches(spoken, translate=1.0, targets=["spa"], joined=1.0, joined_s=[3.0, 3.0], epoch=9)
    for batch in (joined.batch(0, n) for n in range(9)):
        translated = (batch.tokens[:, 2] == TOKENIZER.translate).tolist()
        assert {name for name, own in zip(batch.ids, translated, strict=True) if own} <= {"d1"}


def with_synthetic(heard: list[Utterance], spoken: list[Utterance], **changes: Any) -> LabelBatches:
    made = settings(**(EVERYTHING | changes))
    return LabelBatches(heard, TOKENIZER, made, MOST_TOKENS, 1, WaveAugment(AugmentConfig()), synthetic=spoken)


def test_batches_of_synthetic_speech_are_of_it_alone_and_the_teacher_alone_is_asked(heard, tmp_path):
    spoken = [utterance(tmp_path, f"s{n}", f"Uno {n}", "spa", translations={"eng": "One"}) for n in range(3)]
    made = with_synthetic(heard, spoken, synthetic_share=0.5, synthetic_rows=2, epoch=40)
    tasks = set()
    for index in range(40):
        batch = made.batch(0, index)
        kinds = {name.startswith("s") for name in batch.ids}
        assert len(kinds) == 1
        assert batch.learned.tolist() == [kinds != {True}] * len(batch)
        if kinds == {True}:
            assert len(batch) == 2
            assert batch.taught.all()
            tasks |= {int(token) for token in batch.tokens[:, 2]}
            assert (batch.tokens[:, 1] == TOKENIZER.languages["spa"]).all()
    assert tasks == {TOKENIZER.transcribe, TOKENIZER.translate}
    share = sum(not made.batch(0, index).learned.any() for index in range(40)) / 40
    assert 0.25 < share < 0.75


def test_batches_with_synthetic_speech_are_the_same_whenever_they_are_asked_for(heard, tmp_path):
    spoken = [utterance(tmp_path, f"s{n}", f"Uno {n}", "spa") for n in range(3)]
    whole = list(Stream(with_synthetic(heard, spoken, synthetic_share=0.5), 0, 7))
    rest = list(Stream(with_synthetic(heard, spoken, synthetic_share=0.5), 4, 7))
    assert all(same(one, two) for one, two in zip(whole[4:], rest, strict=True))
    assert len({bool(batch.learned.any()) for batch in whole}) == 2


def test_without_synthetic_speech_its_share_changes_nothing(heard):
    plain = batches(heard, **EVERYTHING)
    for other in (with_synthetic(heard, [], synthetic_share=1.0), with_synthetic(heard, [replace(heard[0], text="")])):
        assert all(same(plain.batch(0, index), other.batch(0, index)) for index in range(4))


def test_what_the_decoder_cannot_learn_is_left_out(heard):
    gaelic = replace(heard[0], id="g", language="gla")
    assert batches([gaelic, *heard]).utterances == heard
    assert same(batches([gaelic, *heard]).batch(0, 0), batches(heard).batch(0, 0))
    assert batches([gaelic]).size(0) == 0


def test_a_text_longer_than_the_decoder_writes_is_left_out(heard, tmp_path):
    long = utterance(tmp_path, "x", "x" * MOST_TOKENS)
    made = batches([*heard, long], single=7, drawn=7)
    found = [made.batch(0, index) for index in range(4)]
    assert all(batch.tokens.shape[1] <= MOST_TOKENS for batch in found)
    assert not any("x" in batch.ids for batch in found)
    with pytest.raises(DataError):
        batches([long]).batch(0, 0)


def test_audio_that_cannot_be_read_is_named_and_the_others_are_used(heard, tmp_path):
    gone = replace(heard[0], id="gone", audio=tmp_path / "gone.wav")
    made = batches([gone, heard[1]], single=6, drawn=6)
    batch = next(b for b in (made.batch(0, n) for n in range(4)) if b.unreadable)
    assert {one.id for one in batch.unreadable} == {"gone"}
    assert set(batch.ids) == {"d2"}
    with pytest.raises(DataError, match="can be read"):
        batches([gone]).batch(0, 0)


def test_rare_languages_are_drawn_more_often_than_they_are_there(heard):
    many = [heard[0]] + [replace(heard[2], id=f"e{n}") for n in range(15)]

    def german(power: float) -> int:
        made = batches(many, language_power=power, single=8, drawn=8, epoch=30)
        return sum(name == "d1" for index in range(30) for name in made.batch(0, index).ids)

    assert german(0.0) > german(0.5) > german(1.0)
    assert abs(german(0.0) - 120) < 30


def test_a_batch_moves_whole(heard):
    moved = batches(heard).batch(0, 0).to("meta")
    assert moved.tokens.device.type == moved.samples.device.type == moved.taught.device.type == "meta"
    assert len(moved) == 3


def test_languages_of_nonspeech_are_those_of_the_tokenizer(heard):
    assert isinstance(TOKENIZER, LabelTokenizer)
    made = batches(heard, nonspeech=1.0, single=8, drawn=8)
    spoken = {int(token) for index in range(4) for token in made.batch(0, index).tokens[:, 1]}
    assert spoken == set(TOKENIZER.languages.values())
    assert np.isfinite(made.batch(0, 0).samples.numpy()).all()
