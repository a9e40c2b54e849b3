"""Byte-level BPE with Whisper's special tokens: any text comes back, and prompts are those of the models."""

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import LanguageError, ModelError
from speech.text.tokenizers.bpe import LabelTokenizer
from tests.published_whisper import LANGUAGES, tokenizer_json

DATA = tokenizer_json()
TOKENIZER = LabelTokenizer(DATA)
LIBRARY = tokenizers.Tokenizer.from_str(DATA.decode())


@given(st.text())
def test_any_text_comes_back(text):
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert all(token < TOKENIZER.end for token in ids)
    assert b"".join(TOKENIZER.piece(token) for token in ids) == text.encode()


@given(st.text(), st.lists(st.integers(0, 1500), max_size=4))
def test_special_tokens_and_timestamps_are_no_text(text, stamps):
    ids = TOKENIZER.encode(text)
    prompt = TOKENIZER.prompt("deu", before=ids)
    times = [TOKENIZER.first_timestamp + stamp for stamp in stamps]
    assert TOKENIZER.decode([*times, *ids, *times, TOKENIZER.end]) == text
    assert TOKENIZER.decode(prompt) == text


def test_words_that_were_trained_are_few_tokens():
    assert len(TOKENIZER.encode(" the")) == 1
    assert TOKENIZER.piece(TOKENIZER.encode(" the")[0]) == b" the"


def test_the_names_of_special_tokens_in_a_text_are_that_text_or_those_tokens():
    """What the library does with them is what the model was trained with; none of them is written by `decode`."""
    ids = TOKENIZER.encode("<|endoftext|>")
    assert ids == LIBRARY.encode("<|endoftext|>", add_special_tokens=False).ids
    assert TOKENIZER.decode(ids) == ""


def test_bytes_of_an_unfinished_character():
    ids = TOKENIZER.encode("é")
    assert len(ids) == 2
    assert TOKENIZER.decode(ids[:1]) == "\ufffd"
    assert TOKENIZER.piece(ids[0]) == "é".encode()[:1]


def test_all_bytes_are_pieces():
    pieces = {TOKENIZER.piece(token) for token in range(TOKENIZER.end)}
    assert {bytes([byte]) for byte in range(256)} <= pieces


def test_special_tokens():
    ids = {name: LIBRARY.token_to_id(f"<|{name}|>") for name in ("translate", "transcribe", "nocaptions")}
    assert (TOKENIZER.translate, TOKENIZER.transcribe, TOKENIZER.no_speech) == tuple(ids.values())
    assert TOKENIZER.end + 1 == TOKENIZER.start
    assert TOKENIZER.no_timestamps == LIBRARY.get_vocab_size() - 1
    assert TOKENIZER.first_timestamp == TOKENIZER.no_timestamps + 1
    assert TOKENIZER.specials[0] == TOKENIZER.start
    assert TOKENIZER.specials[-1] == TOKENIZER.no_timestamps


def test_languages_have_our_codes_in_the_order_of_the_model():
    assert list(TOKENIZER.languages) == ["eng", "cmn", "deu", "spa", "rus"]
    assert TOKENIZER.language_id("cmn") == LIBRARY.token_to_id("<|zh|>")
    with pytest.raises(LanguageError, match="does not know the language 'fra'"):
        TOKENIZER.language_id("fra")


def test_prompt():
    start, german = TOKENIZER.start, LIBRARY.token_to_id("<|de|>")
    assert TOKENIZER.prompt("deu") == [start, german, TOKENIZER.transcribe, TOKENIZER.no_timestamps]
    assert TOKENIZER.prompt("deu", target="spa")[2:] == [
        TOKENIZER.translate, TOKENIZER.languages["spa"], TOKENIZER.no_timestamps
    ]  # fmt: skip
    assert TOKENIZER.prompt("spa", target="spa") == TOKENIZER.prompt("spa")
    assert TOKENIZER.prompt("deu", target="eng")[2:] == [TOKENIZER.translate, TOKENIZER.no_timestamps]
    assert TOKENIZER.prompt("deu", before=[5, 6])[:4] == [TOKENIZER.previous, 5, 6, start]
    with pytest.raises(LanguageError, match="'fra'"):
        TOKENIZER.prompt("fra")
    with pytest.raises(LanguageError, match="does not know"):
        TOKENIZER.prompt("deu", target="fra")


def test_prompt_of_a_model_of_english_alone():
    tokenizer = LabelTokenizer(DATA, english_only=True)
    assert tokenizer.languages == {"eng": tokenizer.start}
    assert tokenizer.prompt("eng", before=[5]) == [tokenizer.previous, 5, tokenizer.start, tokenizer.no_timestamps]
    with pytest.raises(LanguageError, match="'deu'"):
        tokenizer.prompt("deu")
    with pytest.raises(LanguageError, match="translates nothing"):
        tokenizer.prompt("eng", target="deu")


def test_a_newer_name_of_silence():
    assert LabelTokenizer(tokenizer_json(no_speech="<|nospeech|>")).no_speech == TOKENIZER.no_speech


def test_what_the_file_says_of_prompts_padding_and_length_is_ignored():
    """Some published ones add tokens of a prompt by themselves."""
    library = tokenizers.Tokenizer.from_str(DATA.decode())
    library.post_processor = tokenizers.processors.TemplateProcessing(
        single="<|startoftranscript|> $A <|endoftext|>",
        special_tokens=[("<|startoftranscript|>", TOKENIZER.start), ("<|endoftext|>", TOKENIZER.end)],
    )
    library.enable_padding(length=20)
    library.enable_truncation(2)
    tokenizer = LabelTokenizer(library.to_str().encode())
    assert tokenizer.encode("the cat sat on the mat") == TOKENIZER.encode("the cat sat on the mat")


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b"[1]", b"null"])
def test_something_else_is_refused(data):
    with pytest.raises(ModelError, match=r"tokenizer\.json: is no tokenizer"):
        LabelTokenizer(data)


def test_a_tokenizer_of_another_model_is_refused():
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    with pytest.raises(ModelError, match=r"has no token <\|endoftext\|>.*Whisper"):
        LabelTokenizer(library.to_str().encode())


def test_a_language_that_nobody_knows_is_refused():
    with pytest.raises(ModelError, match=r"tokenizer\.json: has a token of no known language: 'zzzz'"):
        LabelTokenizer(tokenizer_json([*LANGUAGES, "zzzz"]))
