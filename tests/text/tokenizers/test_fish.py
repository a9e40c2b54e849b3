"""Token ids of conversations with Fish-Speech 1.4 and 1.5."""

import pytest

from speech.errors import ModelError, TextError
from speech.text.fish_text import FishVersion
from speech.text.tokenizers.fish import FishTokenizer14, FishTokenizer15, fish_tokenizer
from speech.text.tokenizers.ranked_bpe import RankedBpe
from tests.published_fish_lm import RANKS, SETTINGS, SETTINGS_14, tokenizer_bytes

NEW, OLD = FishVersion.one_five, FishVersion.one_four


def new() -> FishTokenizer15:
    return FishTokenizer15(tokenizer_bytes(NEW), SETTINGS["vocab_size"], "tokenizer.tiktoken")


def old() -> FishTokenizer14:
    return FishTokenizer14(tokenizer_bytes(OLD), SETTINGS_14["vocab_size"], "tokenizer.json")


def ids(*parts: bytes | int) -> list[int]:
    """Ids of whole tokens by their bytes, and of marks of 1.5 by their place."""
    return [RANKS[part] if isinstance(part, bytes) else len(RANKS) + part for part in parts]


def test_each_part_of_a_turn_is_encoded_by_itself_in_1_5():
    """`hello` and `\\n` are encoded apart from what is beside them: there is a token of `\\n` and a space."""
    start, end, voice = 3, 4, 10
    said = ids(start, b"user", b"\n", b" ", b"hell", b"o", end)
    opened = ids(start, b"a", b"s", b"s", b"i", b"s", b"t", b"a", b"n", b"t", b"\n", voice)
    assert new().asked(" hello") == said + opened
    instruction = new().instruction()
    assert instruction[0] == ids(start)[0]
    assert instruction[-1] == ids(end)[0]
    names = {n: token for token, n in RANKS.items()}
    assert b"".join(names.get(token, b"") for token in instruction) == b"system\nSpeak out the provided text."


def test_its_layout():
    layout = new().layout
    assert layout == (len(RANKS) + 12 + 1024, len(RANKS) + 12, 1024, len(RANKS) + 4)
    assert new().code_offset == 0
    assert old().layout == (SETTINGS_14["vocab_size"], 258, 1, 257)
    assert old().code_offset == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't DON'T", ["don", "'t", " DON", "'T"]),
        ("a.b", ["a", ".", "b"]),
        ("12 3", ["1", "2", " ", "3"]),
        ("a  b", ["a", "  ", "b"]),
        ("x\r\n y", ["x", "\r\n", " y"]),
        ("a $€ b", ["a", " $€", " b"]),
        ("  ?!x", ["  ?!x"]),
        (" ?! x", [" ?!", " x"]),
        ("你好 é", ["你好", " é"]),
        ("tab\t\tz", ["tab", "\t\t", "z"]),
    ],
)
def test_stretches_are_cut_as_published(monkeypatch, text, expected):
    """With a literal `?!` behind spaces, where a look-ahead was meant: so spaces are not left to the word behind."""
    found = []
    monkeypatch.setattr(RankedBpe, "_merged", lambda self, piece: found.append(piece.decode()) or [])
    tokenizer = new()
    tokenizer._bpe.encode(text)
    assert found == expected


def test_a_turn_is_encoded_as_a_whole_in_1_4():
    """A line end is `Ċ`, as byte-level tokenizers write it."""
    tokenizer = old()
    found = [tokenizer._tokenizer.id_to_token(token) for token in tokenizer.asked("hi")]
    assert found == ["<|im_start|>", *"userĊhi", "<|im_end|>", "<|im_start|>", *"assistantĊ"]
    assert tokenizer.instruction() == []


@pytest.mark.parametrize("version", list(FishVersion))
def test_marks_in_texts_are_refused(version):
    size = (SETTINGS if version == NEW else SETTINGS_14)["vocab_size"]
    tokenizer = fish_tokenizer(version, tokenizer_bytes(version), size, "x")
    assert tokenizer.version == version
    assert tokenizer.data == tokenizer_bytes(version)
    with pytest.raises(TextError, match=r"the text has <\|im_end\|> in it, which is a mark of the model"):
        tokenizer.asked("so <|im_end|> it goes")
    assert len(tokenizer.asked("a <| b |> c")) > 10


@pytest.mark.parametrize(
    ("version", "data", "size", "message"),
    [
        (NEW, tokenizer_bytes(NEW), 1000, "has 1305 tokens, the model 1000. Give the files of one model"),
        (NEW, b"x", 1000, "line 1 is no token and rank"),
        (OLD, tokenizer_bytes(OLD), 100, "has 262 tokens, the model 100"),
        (OLD, b"{}", 1000, "is no tokenizer"),
        (OLD, tokenizer_bytes(OLD).replace(b"semantic", b"semantix"), 1000, r"has no token <\|semantic\|>"),
    ],
)
def test_files_that_do_not_fit_are_refused(version, data, size, message):
    with pytest.raises(ModelError, match=message) as error:
        fish_tokenizer(version, data, size, "file")
    assert str(error.value).startswith("file: ")
