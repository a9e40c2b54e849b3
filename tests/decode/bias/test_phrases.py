"""Phrases are preferred, alone or beside a language model, and nothing else changes."""

import re
from dataclasses import asdict

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from speech.decode.bias.biasing import BiasingScorer
from speech.decode.bias.phrases import Phrase, Phrases
from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.compiled_beam import BeamSearch, SearchConfig
from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.prefix_beam import prefix_beam
from speech.decode.lm.lexicon import Lexicon, LexiconScorer
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.errors import ConfigError
from speech.text.tokenizers.sentencepiece import Tokenizer

TEXTS = ["the cat sat on the mat", "a dog ran over the street", "aa ab ba bb aba bab abba"] * 5
LEXICON = Lexicon.train({"eng": {"the": 0.05, "cat": 3e-4, "sat": 2e-4}})
WORD = st.text("ab", min_size=1, max_size=4)
TEXT = st.lists(WORD, max_size=6).map(" ".join)


@pytest.fixture(scope="module")
def letters() -> Tokenizer:
    texts = [*TEXTS, "東京都"]
    return Tokenizer.train(texts, vocab_size=60, languages=["eng"], st_targets=[], characters=True, coverage=1.0)


@pytest.fixture(scope="module")
def pieces() -> Tokenizer:
    return Tokenizer.train(TEXTS, vocab_size=40, languages=["eng"], st_targets=[])


def Biasing(tokenizer, phrases, scorer=None):
    return BiasingScorer(Phrases(tokenizer, [Phrase(*pair) for pair in phrases.items()]), scorer)


def added(biasing: Biasing, ids) -> float:
    state, total = biasing.start(), 0.0
    for token in ids:
        state, gain = biasing.score(state, token)
        total += gain
    return total + biasing.finish(state)


def occurrences(phrase: str, text: str) -> int:
    """As whole words; two occurrences may share a word."""
    return len(re.findall(rf"(?=(?<![^ ]){phrase}(?![^ ]))", text))


def said(tokenizer: Tokenizer, text: str, rival: str = "", behind: float = 0.5) -> torch.Tensor:
    """Frames (T, vocabulary) of a text, and nearly as probable of its rival with as many tokens."""
    ids = tokenizer.encode(text)
    log_probs = torch.full((2 * len(ids), len(tokenizer.vocabulary)), -9.0)
    log_probs[1::2, 0] = 0.0
    for frame, (token, other) in enumerate(zip(ids, tokenizer.encode(rival or text), strict=True)):
        log_probs[2 * frame, other] = -behind
        log_probs[2 * frame, token] = 0.0
    return torch.log_softmax(log_probs, dim=-1)


def heard(tokenizer: Tokenizer, log_probs: torch.Tensor, scorer=None) -> str:
    return tokenizer.decode(prefix_beam(log_probs, scorer=scorer, weight=1.0)[0].ids)


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


def test_the_phrase_wins_over_a_close_competitor_and_other_text_stays(letters):
    log_probs = said(letters, "the mat sat on the cat", rival="the cat sat on the mat")
    assert heard(letters, log_probs) == "the mat sat on the cat"
    assert heard(letters, log_probs, Biasing(letters, {"The Cat!": 0.5})) == "the cat sat on the cat"
    assert heard(letters, log_probs, Biasing(letters, {"on the mat": 0.5})) == "the mat sat on the mat"
    assert heard(letters, log_probs, Biasing(letters, {"a dog ran": 0.5})) == "the mat sat on the cat"


def test_a_decoder_takes_it_and_audio_that_is_clear_is_kept(letters):
    decoder = BeamDecoder(scorer=Biasing(letters, {"cat": 0.5}), weight=1.0, bonus=0.0, least=-20.0)
    for behind, expected in ((0.5, "cat sat"), (8.0, "mat sat")):
        log_probs = said(letters, "mat sat", rival="cat sat", behind=behind)
        spans = decoder(CtcFrames(log_probs[None], torch.tensor([len(log_probs)]), 0.02))[0]
        assert letters.decode(span.id for span in spans) == expected
        assert [span.start_frame for span in spans] == list(range(0, 16, 2))


@given(TEXT)
def test_around_a_language_model_it_adds_to_its_scores(letters, text):
    texts = [([EDGE, *letters.encode(line), EDGE], 1.0) for line in TEXTS]
    model = TokenNgram.train(texts, order=3)
    ids, inner = letters.encode(text), Biasing(letters, {})
    alone = added(Biasing(letters, {}, model), ids)
    both = added(Biasing(letters, {"ab": 2.0}, model), ids)
    assert both - alone == pytest.approx(4.0 * occurrences("ab", text))
    assert added(inner, ids) == 0.0


@given(
    seed=st.integers(0, 10_000), length=st.integers(0, 24), with_words=st.booleans(), with_model=st.booleans(),
    boosts=st.dictionaries(st.sampled_from(["cat", "the cat", "a", "aba ba", "dog ran", "東"]), st.floats(0.1, 3)),
)  # fmt: skip
def test_the_compiled_search_prefers_what_the_readable_one_prefers(
    letters, seed, length, with_words, with_model, boosts
):
    generator = torch.Generator().manual_seed(seed)
    texts = [([EDGE, *letters.encode(line), EDGE], 1.0) for line in TEXTS]
    model = TokenNgram.train(texts, order=3) if with_model else None
    log_probs = torch.log_softmax(3 * torch.randn(length, len(letters.vocabulary), generator=generator), dim=-1)
    phrases = Phrases(letters, [Phrase(*pair) for pair in boosts.items()])
    pieces, weight = letters.vocabulary.tokens, 0.7 if with_model else 1.0
    config = SearchConfig(beam=6, top_k=9, least=-8.0, weight=weight, bonus=0.3)
    lexicon = LEXICON if with_words and with_model else None
    search = BeamSearch(config, model, lexicon, ("eng",), pieces, phrases)
    for start in range(0, length, 5):
        search.advance(config.tried(log_probs[start : start + 5]))
    scorer = model if lexicon is None else LexiconScorer(model, lexicon, ("eng",), pieces, phrases.words)
    biasing = BiasingScorer(phrases, scorer, scale=1 / weight)
    expected = prefix_beam(log_probs, scorer=biasing, **asdict(config))[0]
    found = search.best()[0]
    assert found.score == pytest.approx(expected.score, abs=1e-6)
    assert found.ids == expected.ids


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
