"""A label decoder writes what CTC has heard: languages, candidates, and what is left of a text that has no end."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from speech.decode.bias.phrases import Phrase
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.label.search import LabelHypothesis
from speech.recognize.context import Context
from speech.recognize.label_part import Judged, LabelPart
from speech.recognize.request import Request
from speech.recognize.result import PartResult, spoken_in
from speech.text.normalize import plain_text
from tests.recognize.label_texts import SAMPLES, says, text_of
from tests.tiny_hybrid import WRITTEN


def test_the_decoder_hears_what_it_is_asked_for_and_no_more_than_it_has_learnt(make):
    label = make()
    for request in (Request(("eng",)), Request(), Request(("deu",), "eng")):
        assert label.hears(SAMPLES, request)
    for request in (Request(("eng",), quick=True), Request(to="deu")):
        assert not label.hears(SAMPLES, request)
    assert not label.hears(np.tile(SAMPLES, 15), Request())


@pytest.mark.parametrize(
    ("languages", "to", "by_ctc", "by_label", "expected"),
    [
        (("gla",), None, {"deu": 1.0}, {"deu": 1.0}, "gla"), (("spa",), None, {"deu": 1.0}, {"deu": 1.0}, "spa"),
        ((), None, {"deu": 0.9, "gla": 0.1}, {"eng": 0.6, "deu": 0.4}, "deu"),
        ((), None, {"deu": 0.5, "eng": 0.5}, {"eng": 0.6, "deu": 0.4}, "eng"),
        ((), None, {"deu": 0.4, "eng": 0.3, "gla": 0.3}, {"spa": 1.0}, "spa"),
        ((), None, {"deu": 1.0}, {"spa": 0.6, "deu": 0.4}, "deu"),
        ((), None, {"gla": 1.0}, {"eng": 0.9, "deu": 0.1}, "gla"),
        ((), None, {}, {"spa": 0.6, "deu": 0.4}, "spa"), ((), "eng", {"gla": 1.0}, {"deu": 0.9, "eng": 0.1}, "deu"),
        (("gla", "deu"), None, {"eng": 1.0}, {"eng": 0.9, "deu": 0.1}, "deu"),
        (("deu", "spa"), None, {"deu": 1.0}, {"spa": 0.6, "deu": 0.4}, "deu"),
        (("deu", "spa"), None, {"eng": 0.6, "deu": 0.4}, {"spa": 1.0}, "spa"),
        (("gla", "spa"), "eng", {"gla": 1.0}, {"eng": 1.0}, "spa"),
    ],
)  # fmt: skip
def test_it_writes_in_the_language_that_is_named_or_that_both_hear(
    make, heard, monkeypatch, languages, to, by_ctc, by_label, expected
):
    label = make()
    monkeypatch.setattr(LabelPart, "languages", lambda *_: {"eng": 0.0, "deu": 0.0, "spa": 0.0} | by_label)
    told = {code: math.log(by_ctc.get(code, 1e-9)) for code in ("deu", "eng", "gla")} if by_ctc else {}
    found = label.read(label.listen(SAMPLES), Request(languages, to), told, heard("der hund"))
    assert found.language == expected
    assert sum(found.posterior.values()) == pytest.approx(1.0)
    assert set(found.posterior) == {*(languages or ("eng", "deu", "spa", *told))}
    if to is None:
        assert found.language == max(found.posterior, key=found.posterior.get)
    assert (found.written is None) == (expected == "gla")
    assert found.written is None or found.written.language == expected


@pytest.mark.parametrize("language", ["gla", "deu"])
def test_where_ctc_is_not_clear_and_the_decoder_hears_no_speech_nothing_is_written(make, heard, monkeypatch, language):
    label = make(unclear=-0.7, silence=0.75, unheard=-1000.0)
    for sure, no_speech, spoken in [(0.3, 0.9, False), (0.3, 0.6, True), (0.95, 0.9, True)]:
        monkeypatch.setattr(LabelPart, "no_speech", lambda *_, chance=no_speech: chance)
        judged = heard("der hund", frames=30, sure=sure)
        found = label.read(label.listen(SAMPLES), Request((language,)), {}, judged)
        assert found.language == language
        assert (found.written is None or bool(found.written.words)) == spoken


def test_a_file_is_in_the_language_of_most_of_its_speech():
    def part(frames, **shares):
        said = [TokenSpan(1, 0, 1, 1.0)] if frames else []
        return PartResult(said, None, frames or 99, 1.0, posterior=shares or None)

    assert spoken_in([part(10, deu=0.9, eng=0.1), part(30, deu=0.2, eng=0.8)]) == ("eng", pytest.approx(0.625))
    assert spoken_in([part(10, deu=0.9, eng=0.1), part(0, eng=1.0)]) == ("deu", pytest.approx(0.9))
    assert spoken_in([part(10), part(0, eng=1.0)]) is None
    assert spoken_in([]) is None


def test_texts_that_the_search_has_found_have_the_same_score_in_one_pass(make):
    label = make(beam=8)
    with torch.inference_mode():
        part, prompt = label.listen(SAMPLES), label.tokenizer.prompt("deu")
        found = [one for one in label.candidates.search(part, prompt, 30) if one.ended]
        scores = part.log_probs(prompt, [one.tokens for one in found], label.candidates.search)
        heard = part.languages(label.tokenizer)
        again = [one for one in label.candidates.search(part, prompt, 30) if one.ended]
    assert len(found) > 2
    np.testing.assert_allclose(scores, [one.score for one in found], atol=1e-3)
    assert again == pytest.approx(found) or [one.tokens for one in again] == [one.tokens for one in found]
    assert list(heard) == ["eng", "deu", "spa"]
    assert sum(heard.values()) == pytest.approx(1)


@pytest.mark.parametrize(("learnt", "weight", "expected"), [
    (["deu"], 0.0, "ab cde"), (["deu"], 50.0, "Der hund."), ([], 50.0, "ab cde"), (["eng"], 50.0, "ab cde"),
])  # fmt: skip
def test_ctc_has_a_say_and_a_text_of_its_own_in_languages_that_it_has_learnt(
    make, heard, monkeypatch, learnt, weight, expected
):
    label = make(learnt=learnt, ctc_weight=weight)
    monkeypatch.setattr("speech.recognize.label_part.LabelPart.log_probs", lambda *_: [-9.0])
    says(label, monkeypatch, "ab cde", "der Hand", "x...")
    assert text_of(label.read(label.listen(SAMPLES), Request(("deu",)), {}, heard("der hund")).written) == expected


def test_ctc_has_a_say_in_languages_that_it_has_adapters_for(make, heard, monkeypatch):
    label, judged = make(ctc_weight=50.0), heard("der hund")
    monkeypatch.setattr("speech.recognize.label_part.LabelPart.log_probs", lambda *_: [-9.0])
    says(label, monkeypatch, "ab cde")
    for codes, expected in (({"deu"}, "Der hund."), ({"eng"}, "ab cde")):
        adapted = replace(judged, adapted=frozenset(codes))
        assert text_of(label.read(label.listen(SAMPLES), Request(("deu",)), {}, adapted).written) == expected


def test_of_texts_that_the_decoder_holds_equal_ctc_takes_the_one_that_is_said(make, heard, monkeypatch):
    label = make(learnt=["deu"], ctc_weight=0.5)
    says(label, monkeypatch, "Der Hand", " Der Hund läuft", "Der Hund,", "Der ")
    assert text_of(label.read(label.listen(SAMPLES), Request(("deu",)), {}, heard("der hund")).written) == "Der Hund,"


def test_a_text_without_end_is_as_long_as_what_is_heard(make, heard, monkeypatch):
    label = make()
    says(label, monkeypatch, " Der Hund, der Hund, der Hund...")
    assert text_of(label.read(label.listen(SAMPLES), Request(("deu",)), {}, heard("der hund")).written) == "Der Hund,"
    assert (
        text_of(label.read(label.listen(SAMPLES), Request(("deu",)), {}, heard("der hund der hund")).written)
        == "Der Hund, der Hund,"
    )
    monkeypatch.undo()
    label = make()
    says(label, monkeypatch, "der Hund der Hund der Hund ...")
    for request in (Request(("spa",)), Request(("deu",), "eng")):  # CTC cannot tell
        assert text_of(label.read(label.listen(SAMPLES), request, {}, heard("der hund")).written) == "der Hund"


def test_in_scripts_without_spaces_none_comes_in(make, heard, monkeypatch):
    label = make()
    says(label, monkeypatch, "hund在在在在在...")
    judged = heard("hund")
    with torch.inference_mode():
        text = label.candidates.cut(label.tokenizer.encode("hun在d在"), "deu", judged)
    assert text in ("hun", "hun在d")


def test_words_come_in_order_with_times_within_the_part(make, heard):
    label, judged = make(), heard("der hund")
    for request in (Request(("spa",)), Request(("deu",)), Request(("deu",), "eng")):
        found = label.read(label.listen(SAMPLES), request, {}, judged).written
        assert found.words
        assert set("".join(word.text for word in found.words)) <= set(WRITTEN)
        starts = [span.start_frame for span in found.spans]
        assert starts == sorted(starts)
        assert all(0 <= span.start_frame <= span.end_frame <= 100 for span in found.spans)
        assert label.read(label.listen(SAMPLES), request, {}, judged).written == found


def test_frames_of_the_decoder_are_brought_to_those_of_ctc(make, heard, monkeypatch, ctc):
    label = make()
    says(label, monkeypatch, "zzz qqq xxx")
    fine = heard("der hund")
    coarse = Judged(fine.log_probs[::2], fine.texts, ctc, 0.04)
    request = Request(("spa",), "eng")
    one, two = (label.read(label.listen(SAMPLES), request, {}, judged).written for judged in (fine, coarse))
    assert one.spans[-1].start_frame > 10
    for a, b in zip(one.spans, two.spans, strict=True):
        assert abs(a.start_frame - 2 * b.start_frame) <= 2


def test_texts_for_which_there_is_no_room_do_not_stop_it(make, heard, monkeypatch):
    label = make(learnt=["deu"], ctc_weight=50.0)
    long = "der hund " * 30
    assert len(label.tokenizer.encode(long)) > label.model.max_tokens
    judged = heard(long.strip(), frames=900)
    assert label.read(label.listen(np.tile(SAMPLES, 8)), Request(("deu",)), {}, judged).written.words
    says(label, monkeypatch, long + "...")
    for request in (Request(("deu",)), Request(("spa",)), Request(("deu",), "eng")):
        found = label.read(label.listen(np.tile(SAMPLES, 9)), request, {}, judged).written
        assert len(found.words) == (60 if request == Request(("deu",)) else 56)  # of which few have pieces
        assert all(span.end_frame <= 900 for span in found.spans)


@pytest.mark.parametrize(
    ("text", "plain", "unknown", "space"),
    [
        ("Der Hund!", "der hund", 0, True), ("der 你好 Hund", "der hund", 2, True), ("你好", "", 2, False),
        ("Hunde?", "hunde", 0, True), ("", "", 0, False), ("...", "", 0, False), ("你x好吗", "", 4, False),
    ],
)  # fmt: skip
def test_a_text_is_spelled_in_the_letters_of_ctc_and_each_other_is_counted(heard, ctc, text, plain, unknown, space):
    found = heard("").spell(text)
    assert ctc.decode(found.ids).split() == plain.split() == plain_text(plain).split()
    assert found.unknown == unknown
    assert found.space == space


def test_a_phrase_is_chosen_where_the_judges_leave_a_choice(make, heard, monkeypatch):
    label, judged = make(learnt=["deu"]), heard("der hund")
    says(label, monkeypatch, " Der Bund.", " Der Hund.", " Der Mund.")
    part = label.listen(SAMPLES)

    def said(language, *phrases):
        return text_of(label.read(part, Request((language,), phrases=phrases), {}, judged).written)

    assert said("spa") == "Der Bund."  # CTC has no say
    assert said("spa", Phrase("mund")) == "Der Mund."
    assert said("spa", Phrase("hund"), Phrase("mund", 0.1)) == "Der Hund."
    assert said("spa", Phrase("hun")) == "Der Bund."
    assert said("deu") == said("deu", Phrase("bund", 0.1)) == "Der Hund."
    assert label.weight("deu", judged, phrases=True) > label.weight("deu", judged)
    assert label.weight("deu", judged) > label.weight("spa", judged, phrases=True) == 0.0


def test_several_texts_have_shares_from_likely_to_unlikely(make, heard, monkeypatch):
    label = make(learnt=["deu"])
    says(label, monkeypatch, " Der Bund.", " Der Hund.", " Der Mund...")
    found = label.read(label.listen(SAMPLES), Request(("deu",), nbest=3), {}, heard("der hund")).written
    texts = [text_of(one) for one in (found, *found.others)]
    assert texts[0] == "Der Hund."
    assert {"Der Hund.", "Der Bund."} <= set(texts)
    shares = [one.confidence for one in (found, *found.others)]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("languages", "learnt", "expected"),
    [
        (("deu", "spa"), ["deu", "spa"], "Der perro."),
        (("spa", "deu"), ["deu", "spa"], "Der perro."),
        (("deu",), ["deu", "spa"], "Der Hund."),
        (("deu", "gla"), ["deu", "gla"], "Der Hund."),  # which the decoder does not know
        (("deu", "spa"), ["deu"], "Der Hund."),  # in which CTC has no say
        (("deu", "spa"), ["spa"], "Der Hund."),
    ],
)
def test_a_part_in_two_languages_has_words_as_they_are_written_in_each(
    make, heard, monkeypatch, languages, learnt, expected
):
    label = make(learnt=learnt, ctc_weight=0.01, unsure=-100.0)
    spanish = label.tokenizer.prompt("spa")
    monkeypatch.setattr("speech.recognize.label_part.LabelPart.log_probs", lambda *_: [-99.0])

    def found(_, part, prompt, *rest):
        text = "Del perro" if list(prompt) == list(spanish) else "Der Hund."
        return [LabelHypothesis(tuple(label.tokenizer.encode(text)), -1.0, True)]

    monkeypatch.setattr(type(label.candidates.search), "__call__", found)
    judged = replace(heard("der perro"), languages=languages)
    written = label.read(label.listen(SAMPLES), Request(), {"deu": math.log(0.7), "spa": math.log(0.2)}, judged).written
    assert (text_of(written), written.language) == (expected, "deu")


@pytest.mark.parametrize(("unsure", "weight", "expected"), [
    (0.0, 0.01, "Der hund."), (-100.0, 0.01, "Der ball."), (0.0, 0.0, "Der ball."),
])  # fmt: skip
def test_where_the_decoder_is_unsure_what_ctc_hears_stands_in_its_place(
    make, heard, monkeypatch, unsure, weight, expected
):
    label = make(learnt=["deu"], ctc_weight=weight, unsure=unsure)
    monkeypatch.setattr("speech.recognize.label_part.LabelPart.log_probs", lambda *_: [-99.0])
    says(label, monkeypatch, "Der ball.")
    assert text_of(label.read(label.listen(SAMPLES), Request(("deu",)), {}, heard("der hund")).written) == expected


def reads(label, monkeypatch, told, alone):
    """The search finds one text where it is told what was said before, and another where it is not; prompts it sees."""
    prompts = []

    def search(_, scores, prompt, *__):
        prompts.append(list(prompt))
        text = told if prompt[0] == label.tokenizer.previous else alone
        ids = label.tokenizer.encode(text.removesuffix("..."))
        return [LabelHypothesis(tuple(ids), -1.0, not text.endswith("..."))]

    monkeypatch.setattr(type(label.candidates.search), "__call__", search)
    return prompts


BEFORE = Context("deu", ("Es", "war", "eine", "Katze,"))


@pytest.mark.parametrize(
    ("told", "said", "times"),
    [
        ("und der Hund.", "und der Hund.", 1),
        ("es war eine Katze", "Der Hund.", 2),  # copied
        ("der hund, es war eine", "Der Hund.", 2),
        ("und der Hund und der...", "Der Hund.", 2),  # it does not end
        ("qxqxqxqxqx", "Der Hund.", 2),  # CTC does not hear it
        ("", "Der Hund.", 2),
    ],
)
def test_what_is_told_before_a_part_is_not_copied_and_leads_nowhere(make, heard, monkeypatch, told, said, times):
    label = make(learnt=["deu"], ctc_weight=0.1, context_tokens=40, unheard=-3.0)
    monkeypatch.setattr("speech.recognize.label_part.LabelPart.log_probs", lambda *_: [-99.0])
    prompts = reads(label, monkeypatch, told, "Der Hund.")
    judged = heard("und der hund", sure=0.8)
    found = label.read(label.listen(SAMPLES), Request(("deu",)), {}, judged, BEFORE).written
    assert text_of(found) == said
    plain = label.tokenizer.prompt("deu")
    assert (
        prompts == [[label.tokenizer.previous, *label.tokenizer.encode(" Es war eine Katze,"), *plain], plain][:times]
    )
    assert found.sure == pytest.approx(-1 / (len(label.tokenizer.encode(f" {said}")) + 1))


@pytest.mark.parametrize(
    ("changes", "languages", "to"),
    [({"context_tokens": 0}, ("deu",), None), ({}, ("eng",), None), ({}, ("deu",), "eng")],
)
def test_without_context_in_another_language_and_for_translations_nothing_is_told(
    make, heard, monkeypatch, changes, languages, to
):
    label = make(**({"context_tokens": 40} | changes))
    prompts = reads(label, monkeypatch, "x", "Der Hund.")
    label.read(label.listen(SAMPLES), Request(languages, to), {}, heard("der hund"), BEFORE)
    assert prompts == [label.tokenizer.prompt(languages[0], target=to)]


def test_context_changes_what_is_written_and_nothing_that_is_heard(make, heard):
    label = make(context_tokens=40)
    part, judged = label.listen(SAMPLES), heard("der hund")
    frames = part.frames.clone()
    plain = label.read(part, Request(("deu",)), {}, judged)
    label.read(part, Request(("deu",)), {}, judged, BEFORE)
    assert torch.equal(part.frames, frames)
    assert label.read(part, Request(("deu",)), {}, judged) == plain  # it leaves nothing behind
    assert label.posterior(part, Request(), {}) == label.posterior(label.listen(SAMPLES), Request(), {})
