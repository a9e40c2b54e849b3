"""English words are looked up; what depends on the sentence, or is unknown, is not; damaged files are named."""

from __future__ import annotations

import gzip

import pytest

from speech.errors import ModelError
from speech.models.hub import embedded_pronunciation
from speech.models.letter_phonemes_checkpoint import load_letter_phonemes_checkpoint
from speech.tts.pronunciation import lexicon as module
from speech.tts.pronunciation.lexicon import LEXICON, EnglishLexicon, read_lexicon, write_lexicon

ENTRIES = {
    "Peter": "pˈiTəɹ", "bicycle": "bˈIsəkəl", "polish": "pˈɑlɪʃ", "Polish": "pˈOlɪʃ", "read": "", "the": "",
    "NASA": "nˈæsə", "US": "jˌuˈɛs", "us": "", "B": "bˈi", "C": "sˈi", "W": "dˈʌbᵊljˌu", "café": "kæfˈA", "A": "ˈA",
    "iPhone": "ˈIfˌOn", "bus": "bˈʌs", "plan": "plˈæn",
}  # fmt: skip


@pytest.fixture
def lexicon(tmp_path) -> EnglishLexicon:
    write_lexicon(tmp_path / LEXICON, ENTRIES)
    return EnglishLexicon(tmp_path / LEXICON, {*"".join(ENTRIES.values()), *"zᵻdɪŋ"})


@pytest.fixture(scope="module")
def shipped() -> EnglishLexicon:
    folder = embedded_pronunciation()
    found = EnglishLexicon.beside(folder, load_letter_phonemes_checkpoint(folder).model.vocabulary.phonemes)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Peter", "pˈiTəɹ"), ("peter", "pˈiTəɹ"), ("PETER", "pˈiTəɹ"), ("Peter's", "pˈiTəɹz"), ("Peter’s", "pˈiTəɹz"),
        ("Bicycles", "bˈIsəkəlz"), ("Polish", "pˈOlɪʃ"), ("polish", "pˈɑlɪʃ"), ("buses", "bˈʌsᵻz"),
        ("iPhone", "ˈIfˌOn"),        ("cafe\u0301", "kæfˈA"), ("Planned", "plˈænd"), ("plannings", None),
        ("NASA", "nˈæsə"), ("US", "jˌuˈɛs"), ("us", None), ("BBC", "bˌibˌisˈi"), ("BBCs", "bˌibˌisˈiz"),
        ("CB's", "sˌibˈiz"), ("WC", "dˌʌbᵊljusˈi"), ("BXC", None),
        ("read", None), ("Read", None), ("reads", None), ("reading", None), ("The", None), ("THE", None),
        ("a", None), ("A", None), ("B", None), ("", None), ("unheard", None), ("Unheard", None), ("iPad", None),
    ],
)  # fmt: skip
def test_words_are_looked_up(lexicon, word, said):
    assert lexicon.look_up(["a", word]) == [None, said]


def test_a_text_in_capitals_has_no_acronyms(lexicon):
    assert lexicon.look_up(["GIVE", "US", "BUSES"]) == [None, None, "bˈʌsᵻz"]
    assert lexicon.look_up(["the", "US", "BUSES"]) == [None, "jˌuˈɛs", "bˈʌsᵻz"]


def test_a_file_has_the_same_bytes_whatever_the_order(tmp_path):
    write_lexicon(tmp_path / "a", ENTRIES)
    write_lexicon(tmp_path / "b", dict(reversed(ENTRIES.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_lexicon(tmp_path / "a") == ENTRIES


def test_it_is_read_when_the_first_word_is_looked_up(tmp_path):
    assert EnglishLexicon.beside(tmp_path, "a") is None
    (tmp_path / LEXICON).write_bytes(b"no lexicon")
    lexicon = EnglishLexicon.beside(tmp_path, "a")
    assert lexicon is not None
    with pytest.raises(ModelError, match=rf"{LEXICON}: is damaged"):
        lexicon.look_up(["word"])


WHOLE = gzip.compress(b"b\na\n\nx\ny\n", mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is cut off"),
        (WHOLE[:-4], "is cut off"),
        (WHOLE + b"x", "has something behind its end"),
        (WHOLE[:-8] + bytes([WHOLE[-8] ^ 1]) + WHOLE[-7:], "is damaged"),
        (gzip.compress(b"b\na\n\n\xff\ny\n", mtime=0), "is damaged"),
        (gzip.compress(b"b\na\n\nx\n", mtime=0), "2 words, 1 pronunciations"),
        (gzip.compress(b"b\nb\n\nx\ny\n", mtime=0), "1 different words, 2 words"),
        (gzip.compress(bytes(33 << 20), mtime=0), "is cut off, has something behind its end, or more than"),
        (bytes((8 << 20) + 1), "is larger than"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, message):
    (tmp_path / LEXICON).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_lexicon(tmp_path / LEXICON)
    with pytest.raises(ModelError, match="cannot be read"):
        read_lexicon(tmp_path / "none")


def test_phonemes_of_another_alphabet_are_named(tmp_path):
    write_lexicon(tmp_path / LEXICON, {"word": "wɜd"})
    with pytest.raises(ModelError, match=r"phonemes that are unknown: \['ɜ'\]"):
        EnglishLexicon(tmp_path / LEXICON, "wd").look_up(["word"])


def test_the_file_is_read_once(lexicon, monkeypatch):
    lexicon.look_up(["Peter"])
    monkeypatch.setattr(module, "read_lexicon", lambda path: pytest.fail("it was read twice"))
    assert lexicon.look_up(["Peter"]) == ["pˈiTəɹ"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Peter", "pˈiTəɹ"), ("bicycle", "bˈIsəkəl"), ("bicycles", "bˈIsəkəlz"), ("grandmother", "ɡɹˈændmˌʌðəɹ"),
        ("NASA", "nˈæsə"), ("HTTP", "ˌAʧtˌitˌipˈi"), ("DVDs", "dˌivˌidˈiz"), ("US", "jˌuˈɛs"), ("IT", "ˌItˈi"),
        ("read", None), ("lives", None), ("record", None), ("the", None), ("to", None), ("that", None), ("of", None),
        ("used", None), ("by", None), ("it", None), ("us", None), ("unheardofly", None),
    ],
)  # fmt: skip
def test_the_shipped_one_knows_english(shipped, word, said):
    assert shipped.look_up(["a", word]) == [None, said]


def test_the_shipped_one_is_small():
    assert (embedded_pronunciation() / LEXICON).stat().st_size <= 1_000_000
