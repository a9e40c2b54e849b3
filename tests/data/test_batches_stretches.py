"""`speech.data.batches`: where which language is spoken in examples that are in several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from speech.audio.augment import speed
from speech.data.batches import Collator, EvalBatches, SpeechBatch, Stretch
from speech.data.manifest import Utterance
from speech.data.plan import Example
from speech.text.vocabulary import Vocabulary
from speech.transcript import Word

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz ")
DEU, ENG = 0, 1


class Letters:
    vocabulary = Vocabulary.build(languages=["deu", "eng"], st_targets=["eng"], pieces=LETTERS, sos_eos=False)

    def encode(self, text: str) -> list[int]:
        return [self.vocabulary.index[letter] for letter in text]


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second."""
    path = tmp_path_factory.mktemp("tone") / "a.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(16000) / 9), 16000)
    return path


def said(*words: tuple[str, str | None, float, float]) -> tuple[Word, ...]:
    return tuple(Word(text, start_s, end_s, 1.0, language) for text, language, start_s, end_s in words)


MIXED = said(("guten", "deu", 0.1, 0.3), ("tag", "deu", 0.35, 0.5), ("my", "eng", 0.55, 0.6), ("dear", "eng", 0.7, 0.9))


def an_utterance(audio: Path, language: str = "deu", words: tuple[Word, ...] = ()) -> Utterance:
    return Utterance(id=language, audio=audio, duration_s=1.0, language=language, text="a b", words=words)


def collated(*examples: Example, slower: float = 1.0) -> SpeechBatch:
    def stretch(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return speed(samples, 1.0 / slower)

    collator = Collator(Letters(), str.lower, None if slower == 1.0 else stretch)  # type: ignore[arg-type]
    return collator(examples, np.random.default_rng(0))


def an_example(*utterances: Utterance, silences_s: tuple[float, ...] = ()) -> Example:
    return Example(utterances=utterances, silences_s=silences_s or (0.0,) * (len(utterances) + 1), language_given=True)


def test_a_code_switched_utterance_says_where_each_language_is_spoken(tone: Path) -> None:
    batch = collated(an_example(an_utterance(tone, words=MIXED)))
    assert batch.stretches == [[Stretch(0.1, 0.5, DEU), Stretch(0.55, 0.9, ENG)]]
    assert batch.languages.tolist() == [-1]
    assert batch.codes == [""]
    assert batch.prefix[0, 0] == Letters.vocabulary.nolang  # though it may be given


def test_a_word_without_a_language_is_in_that_of_its_utterance(tone: Path) -> None:
    words = said(("my", "eng", 0.1, 0.3), ("tag", None, 0.4, 0.5))
    assert collated(an_example(an_utterance(tone, words=words))).stretches == [
        [Stretch(0.1, 0.3, ENG), Stretch(0.4, 0.5, DEU)]
    ]


def test_utterances_in_a_row_are_behind_the_silences_before_them(tone: Path) -> None:
    batch = collated(an_example(an_utterance(tone), an_utterance(tone, "eng"), silences_s=(0.25, 0.5, 0.1)))
    assert batch.stretches == [[Stretch(0.25, 1.25, DEU), Stretch(1.75, 2.75, ENG)]]
    assert batch.sample_lengths.tolist() == [round(2.85 * 16000)]
    mixed = collated(an_example(an_utterance(tone, "eng"), an_utterance(tone, words=MIXED), silences_s=(0.0, 0.5, 0.0)))
    assert mixed.stretches == [[Stretch(0.0, 1.0, ENG), Stretch(pytest.approx(1.6), 2.0, DEU), Stretch(2.05, 2.4, ENG)]]


def test_one_language_has_no_stretches_also_where_words_name_it(tone: Path) -> None:
    german = an_utterance(tone, words=said(("guten", "deu", 0.1, 0.3)))
    batch = collated(an_example(an_utterance(tone)), an_example(german), an_example(german, an_utterance(tone)))
    assert batch.stretches == [[], [], []]
    assert batch.languages.tolist() == [DEU] * 3
    for single in EvalBatches([an_utterance(tone)], Letters(), 4.0, str.lower):  # type: ignore[arg-type]
        assert single.stretches == [[]]


def test_a_language_that_the_model_does_not_know_leaves_a_gap(tone: Path) -> None:
    batch = collated(an_example(an_utterance(tone), an_utterance(tone, "lug"), silences_s=(0.0, 0.5, 0.0)))
    assert batch.stretches == [[Stretch(0.0, 1.0, DEU)]]


@pytest.mark.parametrize("slower", [0.9, 1.1])
def test_where_the_audio_is_made_faster_or_slower_languages_move_with_it(tone: Path, slower: float) -> None:
    batch = collated(an_example(an_utterance(tone, words=MIXED)), slower=slower)
    assert int(batch.sample_lengths[0]) == pytest.approx(16000 * slower, abs=2)
    [[german, english]] = batch.stretches
    assert german == (pytest.approx(0.1 * slower, abs=1e-3), pytest.approx(0.5 * slower, abs=1e-3), DEU)
    assert english == (pytest.approx(0.55 * slower, abs=1e-3), pytest.approx(0.9 * slower, abs=1e-3), ENG)


def test_moving_a_batch_keeps_them(tone: Path) -> None:
    batch = collated(an_example(an_utterance(tone, words=MIXED)))
    assert batch.to("meta").stretches == batch.stretches


@given(st.lists(st.tuples(st.sampled_from(["deu", "eng"]), st.booleans()), min_size=1, max_size=4), st.data())
def test_stretches_ascend_within_the_audio(kinds: list[tuple[str, bool]], data: st.DataObject) -> None:
    utterances = [an_utterance(Path("/none"), code, MIXED if mixed else ()) for code, mixed in kinds]
    silences = data.draw(st.tuples(*[st.floats(0.0, 0.5)] * (len(utterances) + 1)))
    example = an_example(*utterances, silences_s=silences)
    found = Collator(Letters(), str.lower)._stretches(example, 1.0)  # type: ignore[arg-type]
    assert bool(found) == (len({code for one in utterances for code in one.languages}) > 1)
    at_s = 0.0
    for start_s, end_s, _ in found:
        assert at_s <= start_s + 1e-9
        assert start_s < end_s
        at_s = end_s
    assert at_s <= example.duration_s + 1e-9
