"""Words of a part have the language that is named, translated into, heard, or told word by word."""

import pytest
import torch

from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.timing import WrittenWord
from speech.decode.words.labels import TokenEvidence
from speech.errors import LanguageError
from speech.recognize.part_words import PartWords
from speech.recognize.request import Request
from speech.recognize.result import PartResult

PIECES = ["", "\u2581Hallo", "\u2581world", "."]
CODES = ("deu", "eng", "spa")
SPANS = [TokenSpan(1, 10, 12, 0.9), TokenSpan(2, 40, 43, 0.8), TokenSpan(3, 43, 44, 0.9)]
MINE = PartWords(0.02, CODES, PIECES.__getitem__)


def evidence(*shares: tuple[float, ...]) -> TokenEvidence:
    """Of tokens, whose frames say each language with these chances."""
    return TokenEvidence(40 * torch.tensor(shares, dtype=torch.float64).log(), torch.full((len(shares),), 40))


def result(**changes: object) -> PartResult:
    total = torch.tensor([0.2, 0.7, 0.1]).log() * 50
    return PartResult(SPANS, total, 50, 1.0, **changes)


def said(words: list) -> list[tuple[str, str | None]]:
    return [(word.text, word.language) for word in words]


@pytest.mark.parametrize(
    ("request_", "code"), [(Request(("spa",)), "spa"), (Request(to="deu"), "deu"), (Request(), "eng")]
)
def test_without_evidence_of_tokens_all_are_in_one_language(request_, code):
    words = MINE.of(result(), request_)
    assert said(words) == [("Hallo", code), ("world.", code)]
    assert words[0].start_s == pytest.approx(0.2)
    assert all(word.end_s <= 1.0 for word in words)


def test_where_several_may_be_spoken_each_word_has_its_own():
    told = evidence((0.98, 0.01, 0.01), (0.01, 0.98, 0.01), (0.01, 0.98, 0.01))
    assert said(MINE.of(result(told=told), Request())) == [("Hallo", "deu"), ("world.", "eng")]
    assert {code for _, code in said(MINE.of(result(told=told), Request(("spa", "eng"))))} == {"eng"}
    assert said(MINE.of(result(told=told), Request(("spa",)))) == [("Hallo", "spa"), ("world.", "spa")]


def test_words_of_a_label_decoder_are_those_that_it_wrote():
    written = (WrittenWord("Hallo", 0, 0), WrittenWord("World!", 1, 2))
    found = result(written=written, language="gla")
    assert said(MINE.of(found, Request())) == [("Hallo", "gla"), ("World!", "gla")]
    assert said(MINE.of(found, Request(to="eng"))) == [("Hallo", "eng"), ("World!", "eng")]
    assert [word.text for word in MINE.of(found, Request(plain=True))] == ["hallo", "world"]


def test_a_language_that_cannot_be_told_has_to_be_named():
    with pytest.raises(LanguageError, match="does not identify"):
        MINE.of(PartResult(SPANS, None, 50, 1.0), Request())


def test_tokens_of_a_part_under_way_need_no_language_yet():
    assert said(MINE.of_tokens(SPANS, None, 1.0)) == [("Hallo", None), ("world.", None)]
    assert said(MINE.of_tokens(SPANS[:1], "jpn", 1.0)) == [(letter, "jpn") for letter in "Hallo"]
    assert MINE.of_tokens(SPANS, "eng", 0.81)[-1].end_s == 0.81
