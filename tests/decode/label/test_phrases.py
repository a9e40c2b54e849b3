"""Phrases for a label decoder: what they lend is given back to the last bit, and what they earn is theirs alone."""

import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from speech.decode.bias.phrases import Phrase
from speech.decode.label.phrases import LabelPhrases, PhraseScorer, TokenBytes
from speech.decode.label.search import LabelSearch

DATA = [
    b" ", b"a", b"b", b"c", b"A", b"B", b"C", b",", b".", b"'", b" a", b" b", b"ab", b" ab", b"bc", b" A", b" AB",
    b"AB", b"ca", b"s", *(bytes([byte]) for byte in sorted(set("東京都".encode()))),
]  # fmt: skip
PIECES = TokenBytes.of(DATA)
END = len(DATA)
WORD = st.text("abc", min_size=1, max_size=4)
NAME = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
TEXT = st.lists(WORD, min_size=1, max_size=6).map(" ".join)


def encode(text: str) -> list[int]:
    """The longest piece that fits, word by word, as byte-level BPE splits texts; letters that no piece has are left."""
    ids = []
    for chunk in re.findall(r" ?[^ ,.']+| ?[,.']+| ", text):
        rest = chunk.encode()
        while rest:
            piece = max((piece for piece in DATA if rest.startswith(piece)), key=len, default=rest[:1])
            ids += [DATA.index(piece)] if piece in DATA else []
            rest = rest[len(piece) :]
    return ids


def compiled(phrases: dict[str, float]) -> LabelPhrases:
    return LabelPhrases([Phrase(*one) for one in phrases.items()], encode, PIECES, END)


def occurrences(phrase: str, text: str) -> int:
    return len(re.findall(rf"(?<![abc])(?={re.escape(phrase)}(?![abc]))", text))


@given(NAME, TEXT, st.sampled_from(["", ".", ","]), st.integers(1, 4), st.booleans())
def test_each_occurrence_earns_its_boost_for_every_letter(phrase, text, sign, boost, space):
    expected = boost * len(phrase) * occurrences(phrase, text)
    assert compiled({phrase: boost}).of(encode((" " if space else "") + text + sign)) == expected


@given(st.lists(NAME, min_size=1, max_size=4), TEXT, st.floats(0.01, 3.0))
def test_a_text_without_a_whole_phrase_has_exactly_nothing_in_the_end(phrases, text, scale):
    assume(not any(occurrences(phrase, text) for phrase in phrases))
    some = compiled({phrase: scale * n for n, phrase in enumerate(phrases, 1)})
    assert some.of(encode(" " + text)) == 0.0
    place = some.start
    for token in encode(" " + text):
        place = some.advance(place, token)
        assert place.earned == 0.0
        assert some.total(place) == 0.0 or place.active


@given(st.lists(NAME, min_size=1, max_size=4), TEXT)
def test_what_any_token_would_have_is_what_it_has_then(phrases, text):
    some = compiled({phrase: float(n) for n, phrase in enumerate(phrases, 1)})
    place = some.start
    for token in encode(" " + text):
        found = some.totals(place, END + 3)
        for other in range(END + 1):
            assert found[other] == some.total(some.advance(place, other))
        place = some.advance(place, token)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ab", 2.0), ("AB.", 2.0), ("ab, c", 2.0), ("abc", 0.0), ("ab ca", 5.0), ("ab, ca", 2.0), ("cab", 0.0),
     ("ab ab ca", 7.0), ("ab ca's", 5.0)],
)  # fmt: skip
def test_signs_and_case_make_no_difference_and_a_longer_phrase_adds_what_it_has_more(text, expected):
    assert compiled({"ab": 1.0, "ab ca": 1.0}).of(encode(f" {text}")) == expected


def test_a_phrase_lends_as_it_is_said_and_takes_back_when_the_word_goes_on_otherwise():
    some = compiled({"abca": 2.0})
    place, seen = some.start, []
    for piece in (b" ab", b"ca", b"b", b"."):
        place = some.advance(place, DATA.index(piece))
        seen.append(some.total(place))
    assert seen == [4.0, 8.0, 0.0, 0.0]
    assert some.of([DATA.index(b" ab"), DATA.index(b"ca")]) == 8.0
    assert some
    assert not compiled({})
    assert not compiled({"...": 1.0})


def test_scripts_without_spaces_match_anywhere():
    some = compiled({"京都": 3.0})
    assert some.of(encode("東京都")) == 6.0
    assert some.of(encode("京都東")) == 6.0
    assert some.of(encode("東京")) == 0.0


class Letters:
    """A decoder that has made up its mind: so likely is each token after so many others."""

    def __init__(self, log_probs: np.ndarray) -> None:
        self.log_probs = torch.from_numpy(log_probs).float()

    def begin(self, prompt):
        return self.log_probs[:1], 0

    def step(self, tokens, state):
        return self.log_probs[state + 1].expand(len(tokens), -1), state + 1

    def select(self, state, rows):
        return state


def test_a_search_finds_the_phrase_behind_a_likelier_beginning_and_scores_stay_the_decoders():
    likely = np.full((4, END + 1), -20.0)
    for step, (best, other) in enumerate([(b" a", b" ab"), (b",", b"ca"), (b".", b".")]):
        likely[step, DATA.index(other)] = -2.0
        likely[step, DATA.index(best)] = -0.5
    likely[3, END] = 0.0
    search = LabelSearch(end=END, first_timestamp=END + 1, beam=1)
    plain = search(Letters(likely), [], 4)[0]
    bias = PhraseScorer(compiled({"abca": 2.0}), 0.5)
    found = search(Letters(likely), [], 4, bias)[0]
    assert bias.of(found.tokens) == 4.0
    assert [DATA[token] for token in plain.tokens] == [b" a", b",", b"."]
    assert [DATA[token] for token in found.tokens] == [b" ab", b"ca", b"."]
    assert found.score < plain.score < 0  # without what the phrase lends
