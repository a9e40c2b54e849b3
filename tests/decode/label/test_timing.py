"""Words of a text, and when they were said."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.joint import Spelling
from speech.decode.label.timing import (
    TimedText,
    WrittenWord,
    beginnings,
    time_by_attention,
    time_by_ctc,
    written_words,
)
from speech.text.units import is_mixed
from speech.transcript import Toxicity
from tests.decode.label.spelled import saying, spell

TEXTS = st.text(st.sampled_from("aBé7д' .,!?-—“”«»…() \u3000\n你好日本ー々、。「」กขาี่ๆ฿🙂"), max_size=20)


def squeezed(text):
    return "".join(text.split())


@given(TEXTS)
def test_words_are_the_text_without_spaces_and_none_is_signs_alone(text):
    words = written_words(text)
    if not any(map(str.isalnum, text)):
        assert words == []
        return
    assert squeezed("".join(words)) == squeezed(text)
    assert all(any(map(str.isalnum, word)) for word in words)
    assert all(word == word.strip() for word in words)


@given(TEXTS)
def test_characters_of_scripts_without_spaces_stand_apart_and_words_of_others_whole(text):
    for word in written_words(text):
        letters = [character for character in word if character.isalnum()]
        if any(map(is_mixed, letters)):
            assert len(letters) == 1
    if not is_mixed(text):
        kept = [chunk for chunk in text.split() if any(map(str.isalnum, chunk))]
        assert [[c for c in word.split() if any(map(str.isalnum, c))] for word in written_words(text)] == [
            [chunk] for chunk in kept
        ]


@given(TEXTS)
def test_a_text_begins_with_the_texts_up_to_the_end_of_each_word(text):
    words = written_words(text)
    found = beginnings(text, words)
    assert len(found) == len(words)
    assert all(text.startswith(one) for one in found)
    assert [squeezed(one) for one in found] == [squeezed("".join(words[: n + 1])) for n in range(len(words))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world - again .", ["Hello,", "world -", "again ."]),
        ("- “Well” , yes", ["- “Well” ,", "yes"]),
        ("3.5 % of o'clock", ["3.5 %", "of", "o'clock"]),
        ("你好，世界。", ["你", "好，", "世", "界。"]),
        ("「日本」は ラーメン", ["「日", "本」", "は", "ラ", "ー", "メ", "ン"]),
        ("我用iPhone 15打电话", ["我", "用", "iPhone", "15", "打", "电", "话"]),
        ("hello世界foo", ["hello", "世", "界", "foo"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ราคา5฿ OK", ["รา", "คา", "5฿", "OK"]),
        ("—", []),
        ("", []),
    ],
)
def test_words_are_what_readers_would_say(text, words):
    if text.startswith("ร"):  # Thai vowels are letters of their own
        words = ["ร", "า", "ค", "า", "5฿", "OK"]
    assert written_words(text) == words


def spans_of(written):
    return [
        (word.text, written.spans[word.first].start_frame, written.spans[word.last].end_frame) for word in written.words
    ]


def test_ctc_tells_where_letters_are():
    log_probs = saying("_he_l_lo__you_")
    found = time_by_ctc(["He", "llo,", "you."], log_probs, spell)
    assert spans_of(found) == [("He", 1, 3), ("llo,", 4, 8), ("you.", 10, 13)]
    assert all(span.confidence > 0.8 for span in found.spans)


@given(
    words=st.lists(st.text("abcé", min_size=1, max_size=4), min_size=1, max_size=5),
    frames=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_by_ctc_words_are_in_order_and_within_the_frames_or_not_at_all(words, frames, seed):
    logits = np.random.default_rng(seed).normal(size=(frames, 27)) * 3
    log_probs = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    found = time_by_ctc(words, log_probs, spell)
    if found is None:
        needed = len("".join(words).replace("é", ""))
        spelled = sum(word.strip("é") != "" for word in words)
        assert spelled < max(len(words) / 2, 1) or frames < 2 * needed
        return
    assert [word.text for word in found.words] == words
    starts = [span.start_frame for span in found.spans]
    assert starts == sorted(starts)
    assert all(0 <= span.start_frame < frames and span.start_frame <= span.end_frame <= frames for span in found.spans)
    assert [word.first for word in found.words] == [0, *[word.last + 1 for word in found.words[:-1]]]
    assert found.words[-1].last == len(found.spans) - 1
    assert [w.text for w in found.within(0, frames).words] == words


def test_a_word_that_ctc_cannot_write_lies_between_its_neighbours():
    log_probs = saying("ab___cd")
    assert spans_of(time_by_ctc(["ab", "你", "cd"], log_probs, spell))[1] == ("你", 2, 5)
    assert spans_of(time_by_ctc(["你", "ab", "cd"], log_probs, spell))[0] == ("你", 0, 0)
    assert spans_of(time_by_ctc(["ab", "cd", "你"], log_probs, spell))[2] == ("你", 6, 7)


def test_ctc_gives_no_times_where_it_can_write_few_words_or_not_in_so_few_frames():
    log_probs = saying("ab___cd")
    assert time_by_ctc(["ab", "你", "好"], log_probs, spell) is None
    assert time_by_ctc(["你"], log_probs, spell) is None
    assert time_by_ctc([], log_probs, spell) is None
    assert time_by_ctc(["abcdefgh"], log_probs, spell) is None
    assert time_by_ctc(["ab"], log_probs[:0], spell) is None
    assert time_by_ctc(["ab"], np.full((9, 27), -np.inf, np.float32), spell) is None


def test_no_space_is_looked_for_in_front_of_a_character_that_stands_alone():
    def with_spaces(word):
        return Spelling((26, *spell(word.replace("你", "x").replace("好", "y")).ids), 0, space=True)

    log_probs = saying("_xxy__")
    assert spans_of(time_by_ctc(["你", "好"], log_probs, with_spaces)) == [("你", 1, 3), ("好", 3, 4)]
    found = time_by_ctc(["ab", "ab"], saying("z_abz_ab_"), with_spaces)
    assert spans_of(found) == [("ab", 2, 4), ("ab", 6, 8)]
    assert [(word.first, word.last) for word in found.words] == [(0, 1), (2, 3)]


def diagonal(sizes, sure=5.0):
    """Attention of rows that stay on so many frames each."""
    attention = np.zeros((len(sizes), sum(sizes)), np.float32)
    at = 0
    for row, size in enumerate(sizes):
        attention[row, at : at + size] = sure
        at += size
    return attention + np.random.default_rng(0).normal(size=attention.shape, scale=0.1)


def attended(words, pieces, sizes, chances=None, **options):
    pieces = [piece if isinstance(piece, bytes) else piece.encode() for piece in pieces]
    options = {"frames": sum(sizes)} | options
    return time_by_attention(words, pieces, diagonal(sizes), chances or [0.5] * len(pieces), **options)


def test_words_are_where_the_decoder_looked_while_it_wrote_them():
    found = attended(["Hel,", "you", "there."], [" He", "l", ",", " you", " there", "."], [4, 3, 2, 5, 6, 1, 9])
    assert spans_of(found) == [("Hel,", 0, 9), ("you", 9, 14), ("there.", 14, 21)]


def test_bytes_of_one_character_and_characters_of_one_piece_are_put_together():
    you, good = "你".encode(), "好".encode()
    split = attended(["你", "好。"], [you[:1], you[1:], good, "。"], [2, 3, 4, 1, 5], [0.1, 0.4, 1.0, 1.0])
    assert spans_of(split) == [("你", 0, 5), ("好。", 5, 10)]
    assert split.spans[0].confidence == pytest.approx(0.2)
    joined = attended(["你", "好", "x"], ["你好", " x"], [8, 4, 2], [0.25, 1.0])
    assert spans_of(joined) == [("你", 0, 4), ("好", 4, 8), ("x", 8, 12)]
    assert [span.confidence for span in joined.spans] == pytest.approx([0.25, 0.25, 1.0])
    assert spans_of(attended(["a -", "b"], [" a", " ", "-", " b"], [2, 1, 1, 3, 2])) == [("a -", 0, 4), ("b", 4, 7)]


def test_silence_in_front_of_the_first_word_is_not_part_of_it():
    pieces, attention = [b" a", b" b"], diagonal([10, 3, 1])
    attention[0, :6] = 0.0
    assert spans_of(time_by_attention(["a", "b"], pieces, attention, [0.5] * 2, 14)) == [("a", 6, 10), ("b", 10, 13)]


def test_frames_may_be_others_and_none_lies_behind_the_last():
    found = attended(["a", "b", "c"], [" a", " b", " c"], [4, 4, 6, 2], scale=0.5, frames=5)
    assert spans_of(found) == [("a", 0, 2), ("b", 2, 4), ("c", 4, 5)]
    assert spans_of(attended(["a", "b"], [" a", " b"], [1, 40, 1], frames=1)) == [("a", 0, 1), ("b", 0, 1)]


@given(
    text=st.text("aé你 .", min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 40), max_size=10),
    frames=st.integers(1, 30),
    lost=st.integers(0, 5),
)
def test_by_attention_all_words_are_in_order_within_the_frames(text, cuts, frames, lost):
    words, data = written_words(text), text.encode()
    bounds = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    pieces = [data[begin:end] for begin, end in itertools.pairwise(bounds)]
    pieces = pieces[: max(len(pieces) - lost, 1)]
    attention = np.random.default_rng(0).normal(size=(len(pieces) + 1, frames))
    found = time_by_attention(words, pieces, attention, [0.3] * len(pieces), frames)
    assert [word.text for word in found.words] == words
    starts = [span.start_frame for span in found.spans]
    assert starts == sorted(starts)
    assert all(0 <= span.start_frame < span.end_frame <= frames for span in found.spans)
    assert all(0 < span.confidence <= 1 for span in found.spans)


def test_eighty_pieces_take_milliseconds():
    words, attention = ["ab"] * 80, np.random.default_rng(0).normal(size=(81, 800))
    times = []
    for _ in range(5):
        began = time.thread_time()
        time_by_attention(words, [b" ab"] * 80, attention, [0.5] * 80, 800)
        times.append(time.thread_time() - began)
    assert min(times) < 0.03


def test_a_part_of_a_text_is_the_words_that_begin_in_it():
    spans = [TokenSpan(number, start, start + 2, 0.5) for number, start in enumerate((0, 3, 6, 9, 12))]
    whole = TimedText((WrittenWord("a", 0, 1), WrittenWord("b", 2, 2), WrittenWord("c", 3, 4)), tuple(spans), "eng")
    assert whole.within(0, 99) == whole
    part = whole.within(3, 9)
    assert part == TimedText((WrittenWord("b", 0, 0),), (spans[2],), "eng")
    assert whole.within(6, 10) == TimedText((WrittenWord("b", 0, 0), WrittenWord("c", 1, 2)), tuple(spans[2:]), "eng")
    assert whole.within(50, 99) == TimedText((), (), "eng")
    toxic = replace(whole, toxicity=Toxicity(("a",), removed=True))
    assert toxic.within(3, 9) == replace(part, toxicity=toxic.toxicity)
    rested = whole.within(4, 9, rested=True)
    assert [(word.text, word.first, word.last) for word in rested.words] == [("a", 0, 1), ("b", 2, 2)]
    assert [(span.start_frame, span.end_frame) for span in rested.spans] == [(4, 4), (4, 5), (6, 8)]
