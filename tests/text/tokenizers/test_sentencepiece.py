"""Text to tokens and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError, DataError, ModelError
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import WORD_START, Vocabulary

TEXTS = ["the cat sat on the mat", "der hund lief über die straße", "मैं घर जाता हूँ", "你好世界"] * 5
WORDS = sorted({word for text in TEXTS for word in text.split()})


def trained(texts: list[str] = TEXTS, size: int = 80) -> Tokenizer:
    return Tokenizer.train(texts, vocab_size=size, languages=["deu", "eng"], st_targets=["eng"])


TOKENIZER = trained()


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_text_of_known_characters_comes_back(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.text())
def test_no_text_becomes_a_special_token_other_than_unknown(text):
    vocabulary = TOKENIZER.vocabulary
    assert all(token == vocabulary.unk or not vocabulary.is_special(token) for token in TOKENIZER.encode(text))


@pytest.mark.parametrize("token", ["<asr>", "<eng>", "<blank>", "<st_eng>", "<unk>"])
def test_text_that_spells_a_special_token_is_unknown_text(token):
    cyrillic = Tokenizer.train(["мама мыла раму"] * 5, vocab_size=20, languages=["eng"], st_targets=["eng"])
    assert set(cyrillic.encode(token)) <= {cyrillic.vocabulary.unk, cyrillic.vocabulary.index[WORD_START]}
    assert cyrillic.decode(cyrillic.encode(token)) == ""


def test_training_twice_gives_the_same_bytes():
    assert trained().model == trained().model


def test_texts_are_read_once_from_an_iterator_and_blank_ones_are_passed_over():
    assert trained(iter(["", "  ", *TEXTS])).vocabulary == TOKENIZER.vocabulary
    assert "z" in "".join(trained(iter(["", "zzz", *TEXTS])).vocabulary.pieces)


def test_control_pieces_of_sentencepiece_stay_out_of_the_vocabulary():
    assert not {"<unk>", "<s>", "</s>"} & set(TOKENIZER.vocabulary.pieces)
    assert len(set(TOKENIZER.vocabulary.pieces)) == len(TOKENIZER.vocabulary.pieces) <= 80


def test_pieces_never_mix_scripts():
    mixed = trained(["abcабв"] * 20, size=30)
    assert not [p for p in mixed.vocabulary.pieces if any(c in p for c in "abc") and any(c in p for c in "абв")]


def test_special_tokens_are_left_out_of_decoded_text():
    ids = TOKENIZER.encode("the cat")
    vocabulary = TOKENIZER.vocabulary
    noisy = [vocabulary.language_id("eng"), vocabulary.task_id("asr"), *ids, vocabulary.blank, vocabulary.unk]
    assert TOKENIZER.decode(noisy) == "the cat"


def test_nothing_is_no_tokens():
    assert TOKENIZER.encode("") == []
    assert TOKENIZER.decode([]) == ""


def test_the_first_piece_of_every_word_carries_the_mark():
    ids = TOKENIZER.encode("the cat")
    starts = [n for n in ids if TOKENIZER.piece(n).startswith(WORD_START)]
    assert len(starts) == 2
    assert starts[0] == ids[0]


def test_full_width_letters_are_read_as_plain_ones():
    assert TOKENIZER.encode("ｔｈｅ ｃａｔ") == TOKENIZER.encode("the cat")


def test_a_saved_model_reads_the_same(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.model")
    data = (tmp_path / "tokenizer.model").read_bytes()
    again = Tokenizer.from_pieces(data, languages=["deu", "eng"], st_targets=["eng"])
    assert again.vocabulary == TOKENIZER.vocabulary
    assert again.encode("der hund") == TOKENIZER.encode("der hund")


def test_pieces_a_vocabulary_lacks_are_unknown():
    poor = Tokenizer(TOKENIZER.model, Vocabulary.build(["eng"], [], [WORD_START]))
    assert set(poor.encode("the cat")) <= {poor.vocabulary.unk, poor.vocabulary.piece_start}


def test_too_few_pieces_for_the_characters_are_refused():
    with pytest.raises(DataError, match="Allow more pieces"):
        trained(["abcdefghij"], size=3)


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_no_text_at_all_is_refused_as_such(texts):
    with pytest.raises(DataError, match="without texts"):
        trained(texts)


@pytest.mark.parametrize("data", [b"", b"not a model"])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(ModelError, match=r"tokenizer\.model"):
        Tokenizer(data, TOKENIZER.vocabulary)


def test_characters_only_yields_single_characters_and_word_starts():
    tokenizer = Tokenizer.train(TEXTS, vocab_size=80, languages=["eng"], st_targets=[], characters=True)
    assert all(len(piece) == 1 for piece in tokenizer.vocabulary.pieces)
    assert tokenizer.decode(tokenizer.encode(TEXTS[0])) == TEXTS[0]


GREEK = ("α", "γ", "γε", "ι", "ου", "σ")
MORE = TOKENIZER.extended(GREEK)
FIRST = len(TOKENIZER.vocabulary)


@given(st.lists(st.sampled_from([*WORDS, "qx", "γεια", "☃"]), max_size=12).map(" ".join))
def test_added_tokens_take_the_place_of_unknown_ones_only(text):
    """What the base writes is the same, and where it writes unknown text there may be something else."""
    unk, base = TOKENIZER.vocabulary.unk, TOKENIZER.encode(text)
    found = MORE.encode(text)
    if "γ" not in text:
        assert found == base
    assert [i for i in found if i < FIRST and i != unk] == [i for i in base if i != unk]
    assert MORE.decode(found).split() == [word for word in text.split() if word not in ("qx", "☃")]
    assert all(token < FIRST for token in base)


@given(st.text())
def test_whatever_the_base_can_write_is_encoded_as_before(text):
    base, found = TOKENIZER.encode(text), MORE.encode(text)
    if TOKENIZER.vocabulary.unk not in base:
        assert found == base
    assert [token for token in found if token < FIRST and token != 1] == [token for token in base if token != 1]


@given(st.text(alphabet="αγεισουβ", min_size=1))
def test_a_run_is_cut_into_the_longest_tokens_and_one_unknown_for_what_is_left(run):
    said = [MORE.piece(token) for token in MORE.encode(run)]
    written, place, expected = run, 0, [WORD_START]
    while place < len(written):
        size = next((n for n in (2, 1) if written[place : place + n] in GREEK), 0)
        if size:
            expected.append(written[place : place + size])
        elif expected[-1] != "<unk>":
            expected.append("<unk>")
        place += max(size, 1)
    assert said == expected


def test_a_mark_of_the_beginning_of_a_word_may_be_part_of_an_added_token():
    poor = Tokenizer(TOKENIZER.model, Vocabulary.build(["eng"], [], ["a"]))
    run = f"{WORD_START}the"
    assert poor.encode("the") != [poor.vocabulary.unk, poor.vocabulary.unk]
    more = poor.extended([f"{WORD_START}t", "e", run])
    assert [more.piece(token) for token in more._cut(run)] == [run]
    assert [more.piece(token) for token in more._cut(f"{WORD_START}te")] == [f"{WORD_START}t", "e"]
    assert more._cut("xyz") == [more.vocabulary.unk]


def test_tokens_are_added_to_added_ones_and_the_first_of_equal_ones_is_written():
    again = MORE.extended(["γ", "β"])
    assert again.vocabulary.added == (*GREEK, "γ", "β")
    assert again.encode("γβ")[-2:] == [MORE.encode("γ")[-1], FIRST + len(GREEK) + 1]
    assert MORE.vocabulary.added == GREEK
    with pytest.raises(ConfigError, match="empty"):
        MORE.extended([""])
