"""What a text translator writes in a stream: driven by hand, and behind the engine with a reader of its own."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import LanguageError
from speech.events import TranscriptEvent, TranslationEvent, WarningEvent
from speech.recognize.text_translation import TextTargets
from speech.stream import text_translation
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.text_jobs import TextPlace, run_job
from speech.translate.align_att import AlignAtt
from speech.translate.local_agreement import LocalAgreement
from tests.stream.text_talk import Talk, shown
from tests.text_translators import Failing, Tagging, tagged


def test_a_complete_part_is_translated():
    talk = Talk(translation=None)
    talk.grow("we are")
    assert talk.texts.drain() == []
    talk.end("We are here.")
    assert talk.translator.asked == [(("We are here.",), "eng", "fra")]
    (event,) = talk.texts.drain()
    assert shown([event]) == [(0, tagged("We are here.", "fra"), 3, True)]
    assert (event.target, event.start_s, event.end_s, event.audio_s) == ("fra", 0.0, 3.0, 3.0)
    assert talk.texts.drain() == []


def test_a_segment_of_several_parts_has_one_final():
    talk = Talk(translation=None)
    talk.end("one two", closes=False)
    talk.end("three", closes=False)
    talk.end("", closes=True)
    assert shown(talk.texts.drain()) == [
        (0, "fra-one fra-two", 2, False),
        (0, "fra-one fra-two fra-three", 3, False),
        (0, "fra-one fra-two fra-three", 3, True),
    ]


def test_while_a_part_grows_what_drafts_agree_on_is_written():
    talk = Talk()
    talk.grow("the dog")
    talk.grow("the dog ran")
    talk.grow("the dog runs home")
    talk.end("The dog runs home.")
    assert shown(talk.texts.drain()) == [
        (0, "fra-the fra-dog", 0, False),
        (0, tagged("The dog runs home.", "fra"), 4, True),
    ]


def test_what_is_appended_is_never_taken_back_and_the_final_continues_it():
    talk = Talk(translation=TranslationOptions(policy=LocalAgreement(), append=True, first_s=1.0, step_s=1.0))
    talk.grow("the dog")
    talk.grow("the dog ran")
    talk.end("The dog runs home.")
    assert shown(talk.texts.drain()) == [
        (0, "fra-the fra-dog", 2, False),
        (0, "fra-the fra-dog fra-runs fra-home.", 4, True),
    ]


def test_policies_that_need_attention_give_way_to_local_agreement():
    talk = Talk(translation=TranslationOptions(policy=AlignAtt(), first_s=1.0, step_s=1.0))
    talk.grow("the dog runs")
    talk.grow("the dog runs home")
    assert shown(talk.texts.drain()) == [(0, "fra-the fra-dog fra-runs", 0, False)]
    three = Talk(translation=TranslationOptions(policy=LocalAgreement(n=3), first_s=1.0, step_s=1.0))
    for text in ("a b c", "a b c d", "a b c d e"):
        assert shown(three.texts.drain()) == []
        three.grow(text)
    assert shown(three.texts.drain()) == [(0, "fra-a fra-b fra-c", 0, False)]


def test_drafts_keep_their_distance_and_are_of_new_text():
    talk = Talk(translation=TranslationOptions(policy=LocalAgreement(), first_s=3.0, step_s=2.0))
    for count in range(1, 9):
        talk.grow(" ".join("abcdefgh"[:count]))
    assert [len(texts[0].split()) for texts, *_ in talk.translator.asked] == [3, 5, 7]
    talk.now_s += 10.0
    talk.texts.growing(TextPlace(segment=0, start_s=0.0, heard_s=18.0), talk._words("a b c d e f g", "eng"))
    assert talk.texts.waiting() == []


def test_of_drafts_only_the_newest_waits_and_a_complete_part_goes_first():
    talk = Talk()
    talk.grow("a b", translate=False)
    (first,) = talk.texts.waiting()
    talk.grow("a b c", translate=False)
    talk.grow("a b c d", translate=False)
    (newest,) = talk.texts.waiting()
    assert len(newest.words) == 4
    talk.end("A b c d.", translate=False)
    (complete,) = talk.texts.waiting()
    assert complete.complete
    talk.grow("e f", translate=False)
    assert talk.texts.waiting() == [complete]
    assert talk.texts.busy
    for job in (first, complete):  # the draft comes too late
        run_job(talk.translator, job)
        talk.texts.take(job)
    assert shown(talk.texts.drain()) == [(0, tagged("A b c d.", "fra"), 4, True)]
    assert not talk.texts.busy
    assert [len(job.words) for job in talk.texts.waiting()] == [2]


def test_a_draft_that_was_asked_for_before_the_newest_still_counts():
    talk = Talk()
    talk.grow("a b", translate=False)
    (first,) = talk.texts.waiting()
    talk.grow("a b c", translate=False)
    run_job(talk.translator, first)
    talk.texts.take(first)
    talk.translate()
    assert shown(talk.texts.drain()) == [(0, "fra-a fra-b", 0, False)]


def test_several_targets_do_not_wait_for_each_other():
    talk = Talk(targets=("fra", "eng", "ita"))
    talk.end("a b", translate=False)
    _french, italian = talk.texts.waiting()
    run_job(talk.translator, italian)
    talk.texts.take(italian)
    talk.end("c", translate=False)
    assert [(job.target, len(job.words)) for job in talk.texts.waiting()] == [("fra", 2), ("ita", 1)]
    talk.translate()
    found = talk.texts.drain()
    for target in ("fra", "ita"):
        own = [event for event in found if event.target == target]
        assert shown(own) == [(0, tagged("a b", target), 2, True), (1, tagged("c", target), 1, True)]
    assert {event.target for event in found} == {"fra", "ita"}  # English is left to the model


def test_speech_in_the_target_language_stays_and_its_language_may_change():
    talk = Talk(targets=("fra",))
    talk.end("Nous voilà.", language="fra")
    talk.end("Here we are.")
    assert shown(talk.texts.drain()) == [(0, "Nous voilà.", 2, True), (1, tagged("Here we are.", "fra"), 3, True)]
    assert talk.translator.asked == [(("Here we are.",), "eng", "fra")]


def test_plain_translations_have_no_capitals_and_marks():
    talk = Talk(plain=True, translation=None)
    talk.end("Here.")
    assert shown(talk.texts.drain()) == [(0, "fra here", 1, True)]
    assert talk.translator.asked == [(("Here.",), "eng", "fra")]


def test_the_first_failure_is_a_warning_and_the_rest_goes_on():
    down = [True]
    talk = Talk(Failing(lambda: down[0]))
    talk.grow("a b")
    talk.end("A b.")
    talk.end("C d.")
    down[0] = False
    talk.end("E f.")
    found = talk.texts.drain()
    assert [event for event in found if isinstance(event, WarningEvent)] == [found[0]]
    assert found[0].code == "translation_failed"
    assert "is out of order" in found[0].message
    assert shown(found) == [(0, "", 0, True), (1, "", 0, True), (2, tagged("E f.", "fra"), 2, True)]


def test_what_was_written_before_a_failure_stays():
    down = [False]
    talk = Talk(Failing(lambda: down[0]))
    talk.grow("a b c")
    talk.grow("a b c d")
    down[0] = True
    talk.end("A b c d.")
    assert shown(talk.texts.drain())[-1] == (0, "fra-a fra-b fra-c", 3, True)


def test_speech_in_a_language_that_is_not_offered_is_a_warning():
    talk = Talk()
    talk.grow("wat nu", language="nld")
    talk.grow("wat nu dan", language=None)
    talk.end("Wat nu?", language="nld")
    warning, final = talk.texts.drain()
    assert "Dutch (nld) is not translated" in warning.message
    assert shown([final]) == [(0, "", 0, True)]
    assert talk.translator.asked == []


def test_a_translator_that_never_keeps_up_is_given_no_endless_queue(monkeypatch):
    monkeypatch.setattr(text_translation, "_MOST_WAITING", 3)
    talk = Talk()
    for number in range(6):
        talk.end(f"part {number}", translate=False)
    assert talk.texts.drain() == []
    talk.translate()
    found = talk.texts.drain()
    assert [text for _, text, *_ in shown(found)] == [*(tagged(f"part {n}", "fra") for n in range(3)), "", "", ""]
    assert ["too slow" in event.message for event in found if isinstance(event, WarningEvent)] == [True]


def test_a_named_language_that_is_not_offered_is_refused_and_changes_nothing():
    talk = Talk()
    with pytest.raises(LanguageError, match="does not translate from Dutch"):
        talk.texts.configure(StreamOptions(languages=("nld",), targets=("fra",)))
    talk.end("a b")
    assert shown(talk.texts.drain())
    with pytest.raises(LanguageError, match="does not translate from Dutch"):
        Talk(languages=("eng", "nld"))
    with pytest.raises(LanguageError, match="does not translate from Dutch"):
        talk.texts.of_speech(StreamOptions(languages=("nld",), targets=("fra",)))


def test_changed_options_are_for_later_parts():
    talk = Talk(translation=None)
    talk.end("a b", translate=False)
    talk.texts.configure(StreamOptions(targets=()))
    talk.end("c d", translate=False)
    talk.texts.configure(StreamOptions(targets=("ita",)))
    talk.end("e f", translate=False)
    talk.translate()
    assert [(event.target, event.text) for event in talk.texts.drain()] == [
        ("fra", "fra-a fra-b"),
        ("ita", "ita-e ita-f"),
    ]


def test_a_target_that_is_left_and_taken_up_again_begins_anew():
    talk = Talk()
    talk.end("a b", closes=False)
    talk.grow("c d", translate=False)
    (draft,) = talk.texts.waiting()
    talk.texts.configure(StreamOptions(targets=("ita",)))
    assert talk.texts.waiting() == []
    run_job(talk.translator, draft)
    talk.texts.take(draft)
    talk.end("c d", closes=True)
    talk.texts.configure(talk.options)
    talk.end("e f")
    assert [(event.segment, event.target, event.text) for event in talk.texts.drain()] == [
        (0, "fra", "fra-a fra-b"),
        (0, "ita", "ita-c ita-d"),
        (1, "fra", "fra-e fra-f"),
    ]


def test_the_model_is_asked_for_its_own_targets_only():
    texts = Talk().texts
    rules = TranslationOptions()
    own = texts.of_speech(StreamOptions(targets=("fra", "eng"), translation=rules))
    assert (own.targets, own.translation) == (("eng",), rules)
    none = texts.of_speech(StreamOptions(targets=("fra",), translation=rules))
    assert (none.targets, none.translation) == ((), None)
    unchanged = StreamOptions(targets=("eng",), translation=rules)
    assert texts.of_speech(unchanged) == unchanged


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=6), max_size=4), st.booleans()),
        min_size=1, max_size=5,
    ),
    append=st.booleans(),
    late=st.booleans(),
)  # fmt: skip
def test_what_is_stable_is_never_taken_back_and_segments_come_in_order(parts, append, late):
    talk = Talk(translation=TranslationOptions(policy=LocalAgreement(), append=append, first_s=0.0, step_s=0.16))
    for growing, closes in parts:
        for text in growing:
            talk.grow(" ".join(text), translate=not late)
        talk.end(" ".join(growing[-1]) if growing else "", closes=closes, translate=not late)
    talk.end("end", closes=True)
    events = [event for event in talk.texts.drain() if isinstance(event, TranslationEvent)]
    for before, after in pairwise(events):
        if after.segment == before.segment:
            assert not before.is_final
            assert [w.text for w in after.words[: before.stable]] == [w.text for w in before.words[: before.stable]]
            assert after.stable >= before.stable
        else:
            assert before.is_final
            assert after.segment == before.segment + 1
        if append:
            assert after.stable == len(after.words)
    assert events[-1].is_final


def test_behind_the_embedded_model_finals_are_those_of_the_file(recognizer, speech):
    """The engine runs it on its own thread; a target of the model and one of the translator come from one session."""
    translator = Tagging(sources=("deu", "eng", "fra", "spa"), targets=("ita",))
    from_file = TextTargets(recognizer._second_pass, translator)
    engine = type(recognizer).of_parts(recognizer._second_pass, translator=translator).engine()
    options = StreamOptions(
        languages=("eng",), targets=("ita", "eng"), translation=TranslationOptions(policy=LocalAgreement(), first_s=0.5)
    )
    assert from_file.into == (*recognizer.targets, "ita")
    session = engine.open(options)
    events = [event for start in range(0, len(speech), 3200) for event in session.accept(speech[start : start + 3200])]
    events += session.finish()
    assert session.ended
    finals = {
        target: [e.text for e in events if isinstance(e, TranslationEvent) and e.target == target and e.is_final]
        for target in ("ita", "eng")
    }
    said = [e.text for e in events if isinstance(e, TranscriptEvent) and e.is_final]
    assert finals["ita"] == [tagged(text, "ita") for text in said]
    assert len(finals["eng"]) == len(said)
    whole = type(recognizer).of_parts(recognizer._second_pass, translator=translator)
    assert " ".join(finals["ita"]).split() == whole.transcribe(speech, language="eng", to="ita").text.split()
    early = [e for e in events if isinstance(e, TranslationEvent) and e.target == "ita" and not e.is_final]
    assert early
    assert all(e.text for e in early)
