"""Translation of what was recognised: sentences, their times, and which targets there are."""

from dataclasses import replace
from itertools import pairwise

import pytest

from speech.errors import LanguageError, TranslatorError
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.text_translation import TextTargets, known_source, main_language, sentences, spread
from speech.transcript import Toxicity, Transcript, Word, join
from speech.translate.toxicity import ToxicWords
from tests.text_translators import Failing, Leaving, Tagging, tagged


def words(text: str, language: str | None = "eng", start_s: float = 0.0) -> list[Word]:
    return [Word(word, start_s + n, start_s + n + 0.8, 0.5, language) for n, word in enumerate(text.split())]


class Saying:
    """A reader whose parts have been read: a result says which text it is."""

    into, drafts_into = ("eng", "ita"), ("eng",)

    def __init__(self, *said: list[Word]) -> None:
        self._said = said
        self.checked: list[Request] = []

    def words(self, result: PartResult, request: Request) -> list[Word]:
        assert request.to is None
        assert not request.plain
        return self._said[result.frames]

    def check(self, request: Request) -> object:
        self.checked.append(request)
        return "kept"

    def parts(self) -> list[PartResult]:
        return [PartResult([], None, number, float(number)) for number in range(len(self._said))]


def transcript() -> Transcript:
    return Transcript("as said", "eng", 0.9, "asr", 12.0, (), ())


def test_targets_of_the_model_come_first_and_are_left_to_it():
    targets = TextTargets(Saying(), Tagging(targets=("fra", "ita")))
    assert targets.into == ("eng", "ita", "fra")
    assert targets.drafts_into == ("eng", "fra")
    assert [code for code in targets.into if targets.by_text(code)] == ["fra"]
    asked = Request(("spa",), "fra", plain=True, nbest=1)
    assert targets.spoken(asked) == Request(("spa",))
    for own in (Request(("spa",), "ita"), Request(("spa",))):
        assert targets.spoken(own) is own


def test_without_a_translator_all_is_as_the_model_has_it():
    targets = TextTargets(Saying(), None)
    assert (targets.into, targets.drafts_into) == (("eng", "ita"), ("eng",))
    assert not targets.by_text("fra")
    assert not targets.by_text(None)


def test_named_languages_are_checked_with_the_translator_and_the_rest_with_the_model():
    reader = Saying()
    targets = TextTargets(reader, Tagging(sources=("spa",)))
    assert targets.check(Request(("spa",), "fra")) == "kept"
    assert reader.checked == [Request(("spa",))]
    targets.check(Request(("fra",), "fra"))  # there is nothing to translate
    targets.check(Request((), "fra"))
    targets.check(Request(("deu",)))
    targets.check(Request(("deu",), "eng"))
    with pytest.raises(LanguageError, match=r"does not translate from German \(deu\)"):
        targets.check(Request(("spa", "deu"), "fra"))
    with pytest.raises(LanguageError, match="translate into eng, ita, fra, not into deu"):
        targets.check(Request((), "deu"))


def test_each_file_gets_the_translations_of_its_parts():
    translator = Tagging()
    reader = Saying(words("We are here."), words("Estoy aquí.", "spa", 5.0), [], words("All is well now."))
    found = TextTargets(reader, translator).translated(
        [reader.parts()[:3], reader.parts()[3:]], [transcript(), transcript()], Request((), "fra")
    )
    first, second = found
    assert first.text == f"{tagged('We are here.', 'fra')} {tagged('Estoy aquí.', 'fra')}"
    assert second.text == tagged("All is well now.", "fra")
    assert (first.task, first.language, first.language_probability, first.duration_s) == ("st_fra", "eng", 0.9, 12.0)
    assert {word.language for word in first.words} == {"fra"}
    assert translator.asked == [
        (("We are here.", "All is well now."), "eng", "fra"),
        (("Estoy aquí.",), "spa", "fra"),
    ]


def test_plain_text_is_asked_for_with_marks_and_written_without():
    reader = Saying(words("We are here."))
    found = TextTargets(reader, Tagging()).translated([reader.parts()], [transcript()], Request((), "fra", plain=True))
    assert found[0].text == "fra we fra are fra here"


def test_words_that_the_translator_adds_are_left_out_or_reported_and_those_that_are_said_stay():
    said = [words("We are here."), words("Estoy aquí.", "spa"), words("Là bas.", "fra")], [words("All is well now.")]
    listed = ToxicWords({"fra": ["here", "well", "all", "là"], "eng": ["now"]})
    for translator, text, removed in (
        (Tagging(), f"{tagged('We are here.', 'fra')} {tagged('Estoy aquí.', 'fra')} Là bas.", False),
        (Leaving(), f"fra-We fra-are 1 {tagged('Estoy aquí.', 'fra')} Là bas.", True),
    ):
        reader = Saying(*said[0], *said[1])
        first, second = TextTargets(reader, translator, listed).translated(
            [reader.parts()[:3], reader.parts()[3:]], [transcript(), transcript()], Request((), "fra")
        )
        assert (first.text, first.toxicity) == (text, Toxicity(("here",), removed=removed))
        assert " ".join(word.text for word in first.words) == text
        assert (second.text, second.toxicity) == (tagged("All is well now.", "fra"), None)


def test_speech_in_the_target_language_stays():
    reader = Saying(words("Nous sommes là.", "fra"))
    translator = Tagging()
    found = TextTargets(reader, translator).translated([reader.parts()], [transcript()], Request((), "fra"))
    assert found[0].text == "Nous sommes là."
    assert translator.asked == []


def test_a_language_that_is_not_offered_is_named():
    reader = Saying(words("Wat nu?", "nld"))
    with pytest.raises(TranslatorError, match=r"Dutch \(nld\) is not translated.*from deu, eng, spa"):
        TextTargets(reader, Tagging()).translated([reader.parts()], [transcript()], Request((), "fra"))
    with pytest.raises(TranslatorError, match="in no language that is known"):
        known_source(Tagging(), None)


def test_a_translator_that_fails_is_an_error_of_the_file():
    reader = Saying(words("We are here."))
    with pytest.raises(TranslatorError, match="out of order"):
        TextTargets(reader, Failing()).translated([reader.parts()], [transcript()], Request((), "fra"))


def test_the_main_language_is_that_of_most_of_the_time():
    short = [replace(word, end_s=word.start_s + 0.1) for word in words("a b c d", "spa")]
    assert main_language([*short, *words("then", "eng")]) == "eng"
    assert main_language(short) == "spa"
    assert main_language([]) is None
    assert main_language(words("x", None)) is None


def test_sentences_end_at_their_marks_and_are_neither_long_nor_very_short():
    said = words('He said: "go home now." Yes. And then all of them left! ' + "word " * 130)
    found = sentences(said)
    assert [word for sentence in found for word in sentence] == said
    assert [join(sentence) for sentence in found[:2]] == ['He said: "go home now."', "Yes. And then all of them left!"]
    assert [len(sentence) for sentence in found[2:]] == [60, 60, 10]
    assert sentences([]) == []


def test_words_are_spread_over_what_they_translate():
    said = words("one two three", start_s=3.0)
    found = spread("un deux trois", said, "fra")
    assert [word.text for word in found] == ["un", "deux", "trois"]
    assert (found[0].start_s, found[-1].end_s) == (3.0, pytest.approx(5.8))
    assert all(before.end_s == pytest.approx(after.start_s) for before, after in pairwise(found))
    assert found[1].end_s - found[1].start_s == pytest.approx(2 * (found[0].end_s - found[0].start_s))
    assert {(word.confidence, word.language) for word in found} == {(0.5, "fra")}
    assert join(spread("我在这里。", said, "cmn")) == "我在这里。"
    assert len(spread("我在这里。", said, "cmn")) == 4
    assert spread("", said, "fra") == []
