"""Words: found however tokens spell them, scored when they end, on disk as in memory."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.frames import CtcFrames
from speech.decode.lm.lexicon import Lexicon, LexiconScorer
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.errors import ModelError

TABLE = {"eng": {"the": 0.05, "cat": math.exp(-8), "straße": 1e-7}, "deu": {"die": 0.04, "cat": 1e-6, "straße": 1e-4}}
PIECES = ["<blank>", "▁", "▁the", "c", "a", "t", "▁of▁the", "ß", "▁stra", "e", "▁cat"]


class Flat:
    """A token model to which all is alike."""

    def start(self) -> int:
        return 0

    def score(self, state: int, token: int) -> tuple[int, float]:
        return state + 1, 0.0

    def finish(self, state: int) -> float:
        return 0.0


def gain(tokens: list[int], *languages: str) -> float:
    model = LexiconScorer(Flat(), Lexicon.train(TABLE), languages, PIECES)
    state, total = model.start(), 0.0
    for token in tokens:
        state, more = model.score(state, token)
        total += more
    return total + model.finish(state)


def test_a_word_is_found_however_it_is_spelled():
    cat = 0.5 * (math.log(TABLE["eng"]["cat"]) + 8)
    for tokens in ([1, 3, 4, 5], [10], [3, 4, 5]):
        assert gain(tokens, "eng") == pytest.approx(cat, abs=0.05)
    assert gain([8, 7, 9], "deu") == pytest.approx(0.5 * (math.log(1e-4) + 8), abs=0.05)


def test_likely_words_gain_and_what_is_no_word_loses():
    assert gain([2], "eng") > 2
    assert gain([2], "deu") == -10
    assert gain([3, 4], "eng") == -10
    assert gain([], "eng") == 0
    assert gain([1], "eng") == 0


def test_a_piece_may_end_a_word_and_hold_others():
    assert gain([2, 6], "eng") == pytest.approx(2 * gain([2], "eng") - 10)  # the | of | the


def test_behind_an_apostrophe_a_word_is_enough():
    pieces = [*PIECES, "▁l'", "7"]
    model = LexiconScorer(Flat(), Lexicon.train(TABLE), ["eng"], pieces)
    totals = []
    for tokens in ([10], [11, 3, 4, 5], [11, 3, 4], [1, 12], [1, 3, 12, 4]):
        state, total = model.start(), 0.0
        for token in tokens:
            state, more = model.score(state, token)
            total += more
        totals.append(total + model.finish(state))
    assert totals[1] == totals[0]
    assert totals[2:] == [-10, 0, 0]  # l'ca is nothing; numbers are neither


def test_a_word_of_several_languages_counts_as_the_likeliest():
    assert gain([10], "eng", "deu") == gain([10], "eng") > gain([10], "deu")
    assert gain([8, 7, 9], "eng", "deu") == gain([8, 7, 9], "deu")


@given(st.lists(st.sampled_from(range(1, len(PIECES))), max_size=8), st.integers(0, 8))
def test_what_is_scored_does_not_depend_on_what_was_scored_before(tokens, split):
    model = LexiconScorer(Flat(), Lexicon.train(TABLE), ["eng"], PIECES)
    for _ in range(2):
        state, total = model.start(), 0.0
        for token in tokens:
            state, more = model.score(state, token)
            total += more
        assert total + model.finish(state) == pytest.approx(gain(tokens, "eng"))


def test_it_covers_a_set_of_languages_if_it_knows_all_of_them():
    lexicon = Lexicon.train(TABLE)
    assert lexicon.covers(["eng"])
    assert lexicon.covers(["eng", "deu"])
    assert not lexicon.covers(["eng", "gla"])
    assert not lexicon.covers([])


def test_the_search_prefers_words_of_the_language_that_is_spoken():
    pieces = ["<blank>", "▁", "c", "k", "a", "t"]
    chances = {0: 0.02, 1: 0.02, 2: 0.44, 3: 0.48, 4: 0.02, 5: 0.02}  # "kat" sounds a little likelier than "cat"
    rows = [chances, {**dict.fromkeys(range(6), 0.01), 4: 0.95}, {**dict.fromkeys(range(6), 0.01), 5: 0.95}]
    frames = CtcFrames(torch.tensor([[[row[n] for n in range(6)] for row in rows]]).log(), torch.tensor([3]), 0.02)
    lexicon = Lexicon.train({"eng": {"cat": 0.01}, "nld": {"kat": 0.01}})
    ngram = TokenNgram.train([([EDGE, 2, 4, 5, EDGE], 1.0), ([EDGE, 3, 4, 5, EDGE], 1.0)], order=2)
    decode = BeamDecoder(scorer=ngram, lexicon=lexicon, pieces=pieces)

    def said(*languages: str) -> str:
        return "".join(pieces[span.id] for span in decode(frames, languages=languages)[0])

    assert said("eng") == "cat"
    assert said("nld") == said() == said("eng", "gla") == "kat"


def test_it_comes_back_from_disk(tmp_path):
    lexicon = Lexicon.train(TABLE)
    lexicon.scale, lexicon.penalty = 0.7, 8.0
    lexicon.save(tmp_path / "lexicon.safetensors")
    again = Lexicon.load(tmp_path / "lexicon.safetensors")
    assert (again.scale, again.penalty) == (0.7, 8.0)
    assert again.words.keys() == lexicon.words.keys()
    for code, (keys, scores) in lexicon.words.items():
        assert (again.words[code][0] == keys).all()
        assert (again.words[code][1] == scores).all()


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no")
    TokenNgram.train([([EDGE, 1, EDGE], 1.0)], order=2).save(tmp_path / "lm.safetensors")
    for name in ("x", "lm", "missing"):
        with pytest.raises(ModelError, match="lexicon"):
            Lexicon.load(tmp_path / f"{name}.safetensors")
