"""Phrases are preferred, alone or beside a language model, and nothing else changes."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from speech.decode.bias.phrases import Phrase, Phrases
from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.frames import CtcFrames
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.errors import ConfigError
from speech.text.tokenizers.sentencepiece import Tokenizer
from tests.decode.bias.phrased import LEXICON, TEXT, TEXTS, WORD, Biasing, added, occurrences, said


@given(st.lists(WORD, min_size=1, max_size=2).map(" ".join), TEXT, st.integers(1, 4))
def test_each_occurrence_of_a_phrase_adds_its_boost_for_every_letter(letters, phrase, text, boost):
    expected = boost * len(phrase) * occurrences(phrase, text)
    assert added(Biasing(letters, {phrase: boost}), letters.encode(text)) == expected


@given(st.lists(st.lists(WORD, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=4), TEXT)
def test_a_text_without_a_whole_phrase_keeps_its_score(letters, phrases, text):
    assume(not any(occurrences(phrase, text) for phrase in phrases))
    biasing = Biasing(letters, {phrase: float(n) for n, phrase in enumerate(phrases, 1)})
    assert added(biasing, letters.encode(text)) == 0.0


@given(st.lists(st.lists(WORD, min_size=1, max_size=2).map(" ".join), min_size=1, max_size=3), TEXT, st.data())
def test_every_spelling_in_pieces_adds_the_same(pieces, phrases, text, data):
    written = "".join(map(pieces.piece, pieces.encode(text)))
    ids = []
    while written:
        piece = data.draw(st.sampled_from([p for p in pieces.vocabulary.pieces if written.startswith(p)]))
        ids.append(pieces.vocabulary.index[piece])
        written = written[len(piece) :]
    biasing = Biasing(pieces, dict.fromkeys(phrases, 2.0))
    assert added(biasing, ids) == added(biasing, pieces.encode(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("the cat", 7.0), ("the cat sat", 11.0), ("the cats", 0.0), ("sat", 3.0), ("cat sat", 3.0),
     ("on the cat sat on", 11.0), ("the the cat", 7.0), ("the cat the cat sat", 18.0)],
)  # fmt: skip
def test_a_phrase_that_begins_with_another_adds_only_what_it_has_more(letters, text, expected):
    biasing = Biasing(letters, {"the cat": 1.0, "the cat sat": 1.0, "sat": 1.0})
    assert added(biasing, letters.encode(text)) == expected


@pytest.mark.parametrize(("text", "expected"), [("the cat", 3.0), ("the cat sat", 14.0), ("the cat ran", 3.0)])
def test_a_phrase_within_a_longer_one_adds_too(letters, text, expected):
    assert added(Biasing(letters, {"the cat sat": 1.0, "cat": 1.0}), letters.encode(text)) == expected


def test_a_word_may_start_twice(letters):
    space, *first = letters.encode("the")
    ids = [space, space, *first, space, *letters.encode("cat"), space]
    assert added(Biasing(letters, {"the cat": 1.0}), ids) == 7.0


def test_letters_add_at_once_and_give_back_when_the_word_goes_on_otherwise(letters):
    biasing = Biasing(letters, {"cat": 2.0})
    state, gains = biasing.start(), []
    for token in letters.encode("cat cas"):
        state, gain = biasing.score(state, token)
        gains.append(gain)
    assert gains == [0.0, 2.0, 2.0, 2.0, 0.0, 2.0, 2.0, -4.0]


def test_scripts_without_spaces_match_within_a_text(letters):
    ids = [token for token in letters.encode("東京都") if letters.piece(token) != "▁"]
    assert added(Biasing(letters, {"京都": 3.0}), ids) == 6.0
    assert added(Biasing(letters, {"at": 3.0}), letters.encode("cat")) == 0.0


def test_what_is_no_text_neither_matches_nor_hides_a_match(letters):
    biasing, (c, a, t) = Biasing(letters, {"cat": 1.0}), letters.encode("cat")[1:]
    vocabulary = letters.vocabulary
    assert added(biasing, [vocabulary.language_id("eng"), vocabulary.task_id("asr"), c, a, t]) == 3.0
    assert added(biasing, [c, vocabulary.unk, a, t]) == 0.0


def test_a_decoder_takes_it_and_audio_that_is_clear_is_kept(letters):
    decoder = BeamDecoder(scorer=Biasing(letters, {"cat": 0.5}), weight=1.0, bonus=0.0, least=-20.0)
    for behind, expected in ((0.5, "cat sat"), (8.0, "mat sat")):
        log_probs = said(letters, "mat sat", rival="cat sat", behind=behind)
        spans = decoder(CtcFrames(log_probs[None], torch.tensor([len(log_probs)]), 0.02))[0]
        assert letters.decode(span.id for span in spans) == expected
        assert [span.start_frame for span in spans] == list(range(0, 16, 2))


def test_words_of_phrases_are_known_words(letters):
    def best(*phrases: Phrase) -> str:
        log_probs = said(letters, "the cab sat", rival="the cat sat", behind=1.0)
        texts = [([EDGE, *letters.encode(line), EDGE], 1.0) for line in [*TEXTS, "cab"]]
        decoder = BeamDecoder(
            scorer=TokenNgram.train(texts, order=1), lexicon=LEXICON, pieces=letters.vocabulary.tokens,
            weight=1.0, bonus=0.0, least=-20.0, phrases=Phrases(letters, phrases) if phrases else None,
        )  # fmt: skip
        frames = CtcFrames(log_probs[None], torch.tensor([len(log_probs)]), 0.02)
        return letters.decode(span.id for span in decoder(frames, languages=("eng",))[0])

    assert best() == "the cat sat"
    assert best(Phrase("cab", 0.1)) == "the cab sat"


def test_a_model_that_writes_case_and_punctuation_matches_too():
    texts = ["Ada, the cat: Ada!", "ada 'll run"] * 9
    cased = Tokenizer.train(texts, vocab_size=60, languages=["eng"], characters=True, coverage=1.0)
    for text in ("Ada, the", "the Ada!", "ada", "the, Ada: the"):
        assert added(Biasing(cased, {"ADA": 1.0}), cased.encode(text)) == 3.0
    assert added(Biasing(cased, {"Ada": 1.0}), cased.encode("Adat, Atada")) == 0.0


@pytest.mark.parametrize(("text", "phrase"), [("new york", Phrase("new york")), ("Ada^2.5", Phrase("Ada", 2.5))])
def test_a_phrase_may_come_with_its_boost(text, phrase):
    assert Phrase.parse(text) == phrase
    with pytest.raises(ConfigError, match=r"'much' behind \^"):
        Phrase.parse("Ada^much")


@pytest.mark.parametrize(
    ("phrases", "message"),
    [({"cat": 1.0, "γάτα": 1.0}, r"'γάτα': .*'α'"), ({"?!": 1.0}, r"'\?!': has no letters"),
     ({"cat": 0.0}, "boost of 0"), ({"cat": float("inf")}, "boost of inf"),
     ({"cat": float("nan")}, "boost of nan"), ({"cat": 1e308}, "up to 1000")],
)  # fmt: skip
def test_a_phrase_that_cannot_be_written_or_boosted_is_named(letters, phrases, message):
    with pytest.raises(ConfigError, match=message):
        Biasing(letters, phrases)


def test_phrases_may_hold_letters_that_were_added_to_a_vocabulary(letters):
    greek = letters.extended(["γ", "α", "ά"])
    biasing = Biasing(greek, {"γάα": 2.0})
    assert added(biasing, greek.encode("γάα")) == pytest.approx(6.0)
    assert added(biasing, greek.encode("γάγ")) == pytest.approx(0.0)
    with pytest.raises(ConfigError, match="γ"):
        Biasing(letters, {"γάα": 2.0})
