"""What is wanted of speech, and which decoder is to write it."""

import pytest

from speech.errors import LanguageError
from speech.recognize.request import NO_LABEL, LabelLanguages, Request
from speech.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.build(["deu", "eng", "gla"], ["deu"], ["a"])
WRITTEN = LabelLanguages(("deu", "eng", "spa"), ("eng",))
ASR, NOLANG = VOCABULARY.task_id("asr"), VOCABULARY.nolang


def test_it_is_read_from_what_users_write():
    assert Request.parse("auto") == Request()
    assert Request.parse("German, en,deu", "English") == Request(("deu", "eng"), "eng")
    assert Request.parse("de").named == {"deu": 1.0}
    assert Request.parse("de", "en").named == Request.parse("de,en").named == {}


@pytest.mark.parametrize(
    ("request_", "by_label"),
    [
        (Request(), True), (Request(("eng",)), True), (Request(("gla",)), True), (Request(quick=True), False),
        (Request(to="eng"), True), (Request(("deu",), "eng"), True), (Request(("gla", "spa"), "eng"), True),
        (Request(("gla",), "eng"), False), (Request(to="deu"), False), (Request(to="eng", quick=True), False),
    ],
)  # fmt: skip
def test_a_label_decoder_has_a_say_where_it_can(request_, by_label):
    assert request_.by_label(WRITTEN) == by_label
    assert not request_.by_label(NO_LABEL)


def test_a_label_decoder_translates_into_what_it_was_trained_for():
    several = WRITTEN._replace(targets=("eng", "fra"))
    assert Request(to="fra").by_label(several)
    assert not Request(to="fra").by_label(WRITTEN)
    assert Request(("spa",), "fra").prefix(VOCABULARY, label=several) == (NOLANG, ASR)


def test_ctc_is_told_to_write_a_transcript_where_a_label_decoder_translates():
    for request in (Request(to="eng"), Request(("gla", "spa"), "eng")):
        assert request.prefix(VOCABULARY, label=WRITTEN) == (NOLANG, ASR)
    assert Request(("deu",), "eng").prefix(VOCABULARY, label=WRITTEN) == (VOCABULARY.language_id("deu"), ASR)
    assert Request(to="deu").prefix(VOCABULARY, label=WRITTEN) == (NOLANG, VOCABULARY.task_id("st", "deu"))
    assert Request(("spa",)).prefix(VOCABULARY, label=WRITTEN) == (NOLANG, ASR)
    assert Request(("spa",), "eng").prefix(VOCABULARY, label=WRITTEN) == (NOLANG, ASR)
    assert Request(("eng", "spa", "gla")).prefix(VOCABULARY, label=WRITTEN) == (NOLANG, ASR)


@pytest.mark.parametrize(
    "request_",
    [
        Request(("fra",)), Request(("eng", "fra")), Request(("spa",), quick=True), Request(("spa",), "deu"),
        Request(("gla",), "eng"), Request(to="eng", quick=True), Request(to="fra"),
    ],
    ids=str,
)  # fmt: skip
def test_what_neither_can_do_is_refused(request_):
    with pytest.raises(LanguageError):
        request_.prefix(VOCABULARY, label=WRITTEN)


def test_an_adapter_knows_a_language_alone():
    assert Request(("kat",)).prefix(VOCABULARY, ("kat",), WRITTEN) == (NOLANG, ASR)
    for request in (Request(("kat", "eng")), Request(("kat",), "eng")):
        with pytest.raises(LanguageError, match="Name it alone"):
            request.prefix(VOCABULARY, ("kat",), WRITTEN)
    assert Request(("spa", "eng")).prefix(VOCABULARY, ("spa",), WRITTEN) == (NOLANG, ASR)
