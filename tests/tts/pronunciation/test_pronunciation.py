"""Which phonemes a word has: one group each, groups that were joined or cut, punctuation; cutting and leaving out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speech.tts.pronunciation.pronunciation import Pronunciation, partition, pronounced, spans_of_words
from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.spoken_form import SpokenWord

SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=12)


def words_of(text: str) -> list[SpokenWord]:
    return list(normalise(text, "eng").words)


def said(words: list[SpokenWord], symbols: str) -> list[str]:
    return [symbols[start:end] for start, end in spans_of_words(words, symbols)]


def test_as_many_groups_as_words():
    assert said(words_of("the cat sat"), "ðə kˈæt sˈæt") == ["ðə", "kˈæt", "sˈæt"]


def test_words_that_were_joined_share_a_group():
    found = said(words_of("and of the two it's the best"), "ænd ʌvðə tˈuː ɪts ðə bˈɛst")
    assert found == ["ænd", "ʌv", "ðə", "tˈuː", "ɪts", "ðə", "bˈɛst"]


def test_words_that_were_cut_have_several_groups():
    assert said(words_of("a WYSIWYG test"), "ɐ wˈɪzɪ wˈɪɡ tˈɛst") == ["ɐ", "wˈɪzɪ wˈɪɡ", "tˈɛst"]


def test_words_of_which_nothing_is_said_have_empty_spans():
    assert said(words_of("a b"), "") == ["", ""]


@given(SIZES, SIZES)
def test_runs_cover_everything_in_order(first, second):
    many, few = (first, second) if len(first) >= len(second) else (second, first)
    runs = partition(many, few)
    assert [start for start, _ in runs] == [0, *(end for _, end in runs[:-1])]
    assert runs[-1][1] == len(many)
    assert all(start < end for start, end in runs)


@given(SIZES)
def test_equal_lengths_are_cut_one_to_one(sizes):
    assert partition(sizes, sizes) == [(n, n + 1) for n in range(len(sizes))]


def test_punctuation_stands_between_what_is_pronounced_at_once():
    asked: list[str] = []

    def phonemes(text: str) -> str:
        asked.append(text)
        return text.upper()

    spoken = normalise("¿Qué? Dijo «no»; (sí), ¡hola!", "spa")
    found = pronounced(spoken, phonemes)
    assert asked == ["Qué", "Dijo", "no", "sí", "hola"]
    assert found.symbols == "QUÉ? DIJO “NO”; (SÍ), HOLA!"
    assert [found.symbols[a:b] for a, b in found.words] == ["QUÉ", "DIJO", "NO", "SÍ", "HOLA"]


def test_symbols_outside_the_alphabet_are_left_out():
    found = Pronunciation("ab xyc d", ((0, 2), (3, 6), (7, 8))).within(set("abcd "))
    assert found == Pronunciation("ab c d", ((0, 2), (3, 4), (5, 6)))


def test_long_utterances_are_cut_behind_punctuation_or_a_space():
    whole = Pronunciation(
        "aa bb, cc dd ee ffffffffffff g", ((0, 2), (3, 5), (7, 9), (10, 12), (13, 15), (16, 28), (29, 30))
    )
    pieces = whole.cut(10)
    assert [piece.symbols for piece in pieces] == ["aa bb,", " cc dd ee ", "ffffffffff", "ff g"]
    assert "".join(piece.symbols for piece in pieces) == whole.symbols
    assert [[piece.symbols[a:b] for a, b in piece.words] for piece in pieces] == [
        ["aa", "bb"], ["cc", "dd", "ee"], ["ffffffffff"], ["g"],
    ]  # fmt: skip


@given(st.text("ab ,", max_size=60), st.integers(2, 12))
def test_pieces_are_short_and_make_up_the_whole(symbols, most):
    spans, start = [], None
    for n, symbol in enumerate(f"{symbols} "):
        if symbol in "ab" and start is None:
            start = n
        elif symbol not in "ab" and start is not None:
            spans.append((start, n))
            start = None
    pieces = Pronunciation(symbols, tuple(spans)).cut(most)
    assert "".join(piece.symbols for piece in pieces) == symbols
    assert all(len(piece.symbols) <= most for piece in pieces)
    assert sum(len(piece.words) for piece in pieces) == len(spans)
    assert all(0 <= a <= b <= len(piece.symbols) for piece in pieces for a, b in piece.words)
