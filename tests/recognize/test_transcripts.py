"""The parts of a file make one transcript: words in a row, one language, likely texts of all parts together."""

from types import SimpleNamespace

import pytest
import torch

from speech.decode.ctc.greedy import TokenSpan
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.transcripts import transcript_of
from speech.transcript import Toxicity, Word

SAID = [TokenSpan(1, 0, 1, 0.9)]


def part(number: int, *, said: bool = True, posterior: dict[str, float] | None = None, **more: object) -> PartResult:
    return PartResult(SAID if said else [], torch.tensor([1.0, 2.0]), 10, number + 1.0, posterior=posterior, **more)


def reader() -> SimpleNamespace:
    """A part says when it ends, and how likely that is; the language is told by the sum of the evidence."""

    def words(result: PartResult, request: Request) -> list[Word]:
        text = f"{result.end_s:.0f}{'' if result.confidence == 1.0 else f'~{result.confidence}'}"
        return [Word(text, result.end_s - 0.5, result.end_s, 0.9, request.to)] if result.spans else []

    def language(evidence: torch.Tensor, frames: int, request: Request) -> tuple[str, float]:
        return ("deu", 1.0) if request.languages else (f"{evidence.tolist()}", float(frames))

    return SimpleNamespace(words=words, language=language)


def test_words_of_all_parts_stand_in_a_row():
    found = transcript_of(reader(), [part(0), part(1, said=False), part(2)], Request(to="eng"))
    assert (found.text, found.task, found.duration_s) == ("1 3", "st_eng", 3.0)
    assert [word.language for word in found.words] == ["eng", "eng"]
    assert (found.language, found.language_probability) == ("[3.0, 6.0]", 30.0)
    assert found.alternatives == ()


@pytest.mark.parametrize(("languages", "expected"), [((), ("und", None)), (("deu",), ("deu", 1.0))])
def test_silence_is_in_no_language_unless_one_is_named(languages, expected):
    found = transcript_of(reader(), [part(0, said=False)], Request(languages))
    assert (found.language, found.language_probability) == expected


def test_where_a_label_decoder_has_a_say_it_has_it_in_the_language():
    parts = [part(0, posterior={"eng": 0.9, "deu": 0.1}), part(1, posterior={"eng": 0.4, "deu": 0.6})]
    found = transcript_of(reader(), parts, Request())
    assert (found.language, found.language_probability) == ("eng", pytest.approx(0.65))
    assert transcript_of(reader(), parts, Request(("deu",))).language == "deu"


def test_likely_texts_of_parts_are_put_together():
    several = part(0, confidence=0.75, others=(part(0, confidence=0.25),))
    found = transcript_of(reader(), [several, part(1)], Request(nbest=2))
    assert [(one.text, one.confidence) for one in found.alternatives] == [
        ("1~0.75 2", pytest.approx(0.75)),
        ("1~0.25 2", pytest.approx(0.25)),
    ]


def test_toxicity_of_a_part_is_that_of_the_file():
    toxicity = Toxicity(("pest",), removed=True)
    assert transcript_of(reader(), [part(0), part(1, toxicity=toxicity)], Request()).toxicity == toxicity
    assert transcript_of(reader(), [part(0)], Request()).toxicity is None
